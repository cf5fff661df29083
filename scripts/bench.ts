import { parseArgs } from 'node:util';
import { machineLoad } from './bench/counters.ts';
import type { Measurement } from './bench/measure.ts';
import { costTable, spawnedLine, verdictTable, type Verdict } from './bench/report.ts';
import { measureSection, SECTIONS, type Section } from './bench/sections.ts';
import { BenchWorld } from './bench/world.ts';

const USAGE = `npm run bench [-- [--quick] [--profile DIRECTORY] [SECTION…]]

Measures what Signalbox itself costs, with an agent and checks that cost nothing: a real worker process, and an embedded
Temporal server in a home of its own that is removed afterwards. Every section starts with a worker that is warm.

  overhead  50 tasks on a repository of 20 files
  large     50 tasks on a repository of 5,000 files, 50 MB
  growth    10 and 200 tasks
  skew      16 tasks, every fourth with a slow check
  thousand  1,000 tasks, 16 at once, asked for its status every second
  gateway   50 streams through the model gateway, and directly

  --quick              fewer tasks and shorter checks
  --profile DIRECTORY  writes V8 CPU profiles of the workers there`;

/** A share of the machine that, used by others, makes times doubtful. */
const DISTURBED = 0.1;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function bench(sections: readonly Section[], quick: boolean, profile: string | null): Promise<void> {
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
      const found = await measureSection(world, section, { quick, profile });
      verdicts.push(...found.verdicts);
      measurements.push(...found.measurements);
    }
  } finally {
    await world.close();
  }
  const after = machineLoad();
  say(verdictTable(verdicts));
  say(costTable(measurements));
  say('Processes that the worker started for a task:');
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
  if (quick) say('This was the quick version: too little work for numbers to rely on.');
}

function isSection(name: string): name is Section {
  return SECTIONS.some((section) => section === name);
}

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean' }, profile: { type: 'string' }, help: { type: 'boolean' } },
  allowPositionals: true,
});
const chosen = positionals.filter(isSection);
if (values.help === true || chosen.length < positionals.length) {
  (values.help === true ? process.stdout : process.stderr).write(`${USAGE}\n`);
  process.exitCode = values.help === true ? 0 : 2;
} else {
  await bench(chosen.length > 0 ? chosen : SECTIONS, values.quick === true, values.profile ?? null);
}
