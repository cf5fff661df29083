import { parseArgs } from 'node:util';
import { machineLoad } from './bench/counters.ts';
import type { Measurement } from './bench/measure.ts';
import { costTable, spawnedLine, verdictTable, type Verdict } from './bench/report.ts';
import { measureSection, SECTIONS, type Section, type Size } from './bench/sections.ts';
import { FULL_TRAIN, QUICK_TRAIN, type TrainSize } from './bench/train.ts';
import { BenchWorld } from './bench/world.ts';

const USAGE = `npm run bench [-- [--quick] [--profile DIRECTORY] [--members N] [--rates R,…] [--seconds C] [--slots K]
              [--seeds N] [--files N] [SECTION…]]

Measures what Signalbox itself costs, with an agent and checks that cost nothing: a real worker process, and an embedded
Temporal server in a home of its own that is removed afterwards. Every section starts with a worker that is warm.
Ends with code 1 when a goal is missed.

  overhead  50 tasks on a repository of 20 files
  large     50 tasks on a repository of 5,000 files, 50 MB
  growth    10 and 200 tasks
  skew      16 tasks, every fourth with a slow check
  thousand  1,000 tasks, 16 at once, asked for its status every second
  train     50 finished tasks, of which some fail their integration checks of 2 seconds, on 5,000 files; and the git
            work alone on 50,000 files
  gateway   50 streams through the model gateway, and directly
  start     from a task's locks to its agent, on 5,000 files, on the host and in Docker

  --quick              fewer tasks and shorter checks
  --profile DIRECTORY  writes V8 CPU profiles of the workers there

and for the train:
  --members N   so many tasks, 50 by default
  --rates R,…   shares of them that fail, 0,0.02,0.1 by default
  --seconds C   what a check takes, 2 by default
  --slots K     how many checks run at once, 2 by default
  --seeds N     how many trains for each share, 3 by default
  --files N     how many files the repository has, 5,000 by default; the git work is measured with ten times as many`;

/** A share of the machine that, used by others, makes times doubtful. */
const DISTURBED = 0.1;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Measures sections and tells what it found. @returns whether all goals were met */
async function bench(sections: readonly Section[], size: Size): Promise<boolean> {
  const before = machineLoad();
  const verdicts: Verdict[] = [];
  const measurements: Measurement[] = [];
  const world = new BenchWorld();
  // The server and the worker would outlive us.
  const interrupted = (): void => void world.close().finally(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted);
  try {
    await world.startServer();
    for (const section of sections) {
      process.stderr.write(`${section} …\n`);
      const found = await measureSection(world, section, size);
      verdicts.push(...found.verdicts);
      measurements.push(...found.measurements);
    }
  } finally {
    await world.close();
  }
  const after = machineLoad();
  say(verdictTable(verdicts));
  if (measurements.length > 0) {
    say(costTable(measurements));
    say('Processes that the worker started for a task:');
  }
  for (const one of measurements) say(`  ${spawnedLine(one)}`);
  say(
    `${before.cores} cores, 1-minute load ${before.load.toFixed(1)} before and ${after.load.toFixed(1)} after; ` +
      `${process.version} on ${process.platform}-${process.arch}; server and worker warm, 4 tasks at once unless said otherwise.`,
  );
  const doubtful = measurements.filter(({ disturbed }) => (disturbed ?? 0) >= DISTURBED).map(({ what }) => what);
  if (doubtful.length > 0) {
    say(`Other programs used much of the machine during: ${doubtful.join(', ')}. Those wall times mean little;`);
    say('CPU seconds and processes mean more. Run it again on a quiet machine.');
  }
  if (size.quick) say('This was the quick version: too little work for numbers to rely on.');
  return verdicts.every(({ met }) => met !== false);
}

function isSection(name: string): name is Section {
  return SECTIONS.some((section) => section === name);
}

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    profile: { type: 'string' },
    help: { type: 'boolean' },
    members: { type: 'string' },
    rates: { type: 'string' },
    seconds: { type: 'string' },
    slots: { type: 'string' },
    seeds: { type: 'string' },
    files: { type: 'string' },
  },
  allowPositionals: true,
});

/** What the flags say of the train; `null` where they make no sense. */
function trainSize(): TrainSize | null {
  const plain = values.quick === true ? QUICK_TRAIN : FULL_TRAIN;
  const of = (name: 'members' | 'slots' | 'seeds' | 'files' | 'seconds'): number => Number(values[name] ?? plain[name]);
  const rates = values.rates === undefined ? plain.rates : values.rates.split(',').map(Number);
  const counts = { members: of('members'), slots: of('slots'), seeds: of('seeds'), files: of('files') };
  const isRight =
    Object.values(counts).every((count) => Number.isSafeInteger(count) && count >= 1) &&
    of('seconds') >= 0 &&
    rates.every((rate) => rate >= 0 && rate <= 1);
  return isRight ? { ...counts, seconds: of('seconds'), rates } : null;
}

const chosen = positionals.filter(isSection);
const train = trainSize();
if (values.help === true || chosen.length < positionals.length || train === null) {
  (values.help === true ? process.stdout : process.stderr).write(`${USAGE}\n`);
  process.exitCode = values.help === true ? 0 : 2;
} else {
  const size = { quick: values.quick === true, profile: values.profile ?? null, train };
  if (!(await bench(chosen.length > 0 ? chosen : SECTIONS, size))) process.exitCode = 1;
}
