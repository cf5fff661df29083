import { once } from 'node:events';
import path from 'node:path';
import { connectEngine, probeEngine } from '../../activities/sandbox/engine.ts';
import { measureFirstBytes } from './gateway.ts';
import { measure, type Measurement } from './measure.ts';
import { mib, ms, s, tenths, type Verdict } from './report.ts';
import { BenchRepository, benchTasks, TELLS_TIME } from './repository.ts';
import { RunHistories } from './run-histories.ts';
import { median, readStarts, START_PARTS, type StartSpans } from './start.ts';
import { measureTrain, type TrainSize } from './train.ts';
import type { Beside, BenchWorld } from './world.ts';

/** What the bench can measure, each by itself. */
export const SECTIONS = ['overhead', 'large', 'growth', 'skew', 'thousand', 'train', 'gateway', 'start'] as const;
export type Section = (typeof SECTIONS)[number];

/** What a section found. */
export interface Findings {
  verdicts: Verdict[];
  measurements: Measurement[];
}

/** How much is run. */
export interface Size {
  quick: boolean;
  /** A directory for profiles of the worker, or `null` for none. */
  profile: string | null;
  train: TrainSize;
}

const KIB = 1024;

/** Measures one section, with a worker of its own that has seen the repository before. */
export async function measureSection(world: BenchWorld, section: Section, size: Size): Promise<Findings> {
  switch (section) {
    case 'overhead':
      return await overhead(world, size, { name: 'small', files: 20, bytes: 2 * KIB, goal: 0.3 });
    case 'large':
      return await overhead(world, size, { name: 'large', files: 5000, bytes: 10 * KIB, goal: 0.6 });
    case 'growth':
      return await growth(world, size);
    case 'skew':
      return await skew(world, size);
    case 'thousand':
      return await thousand(world, size);
    case 'train':
      return { verdicts: await measureTrain(world, size.train), measurements: [] };
    case 'gateway':
      return await gateway(world, size);
    case 'start':
      return await starts(world, size);
  }
}

async function overhead(
  world: BenchWorld,
  size: Size,
  kind: { name: string; files: number; bytes: number; goal: number },
): Promise<Findings> {
  const repository = await warm(world, size, kind);
  const tasks = size.quick ? 12 : 50;
  await repository.setTasks(benchTasks(tasks));
  const one = await measure(world, repository, kind.name, tasks);
  const wall = one.wall / tasks;
  const { peakRss } = await world.probe();
  const place = `${kind.files} files`;
  const disk = one.disk / tasks;
  const all = (one.disk + one.database) / tasks;
  const limit = 5 * KIB * KIB;
  return {
    measurements: [one],
    verdicts: [
      { what: `wall time per task, ${place}`, goal: `≤ ${ms(kind.goal)}`, measured: ms(wall), met: wall <= kind.goal },
      { what: `disk per task, ${place}`, goal: `< ${mib(limit)}`, measured: mib(disk), met: disk < limit },
      { what: '  with the server’s database', goal: '', measured: mib(all), met: null },
      {
        what: `worker’s peak memory, ${place}`,
        goal: `< ${mib(400 * KIB * KIB)}`,
        measured: mib(peakRss),
        met: peakRss < 400 * KIB * KIB,
      },
    ],
  };
}

async function growth(world: BenchWorld, size: Size): Promise<Findings> {
  const repository = await warm(world, size, { name: 'growth', files: 20, bytes: 2 * KIB });
  const counts = size.quick ? ([5, 20] as const) : ([10, 200] as const);
  const measurements: Measurement[] = [];
  for (const tasks of counts) {
    await repository.setTasks(benchTasks(tasks));
    measurements.push(await measure(world, repository, `${tasks} tasks`, tasks));
  }
  const walls = measurements.map((one) => one.wall / one.tasks);
  const cpus = measurements.map(({ cpu, tasks }) =>
    cpu === null ? null : (cpu.worker + cpu.children + cpu.server) / tasks,
  );
  const { peakRss } = await world.probe();
  return {
    measurements,
    verdicts: [
      {
        what: `wall time per task, ${counts[0]} and ${counts[1]} tasks`,
        goal: 'does not grow',
        measured: walls.map(ms).join(' → '),
        met: doesNotGrow(walls),
      },
      {
        what: '  CPU per task, of worker, children and server',
        goal: 'does not grow',
        measured: cpus.map((cpu) => (cpu === null ? '?' : ms(cpu))).join(' → '),
        met: cpus.includes(null) ? null : doesNotGrow(cpus),
      },
      {
        what: `worker’s peak memory, ${counts[1]} tasks`,
        goal: `< ${mib(400 * KIB * KIB)}`,
        measured: mib(peakRss),
        met: peakRss < 400 * KIB * KIB,
      },
    ],
  };
}

/** Is the second no more than a tenth above the first? Less is noise. */
function doesNotGrow([few, many]: readonly (number | null)[]): boolean {
  return (many ?? 0) <= (few ?? 0) * 1.1;
}

/** Every fourth check is slow. Nothing may wait for the slow ones but what must. */
async function skew(world: BenchWorld, size: Size): Promise<Findings> {
  const [slow, fast] = size.quick ? [1.2, 0.2] : [3, 0.5];
  const lengths = Array.from({ length: 16 }, (_, index) => (index % 4 === 3 ? slow : fast));
  const repository = await warm(world, size, { name: 'skew', files: 20, bytes: 2 * KIB });
  await repository.setTasks(benchTasks(lengths.length, (index) => `sleep ${lengths[index] ?? fast}`));
  const one = await measure(world, repository, 'skew', lengths.length);
  const overhead = lengths.length * 0.3;
  const ideal = lengths.reduce((sum, length) => sum + length, 0) / 4;
  const barrier = [0, 4, 8, 12].reduce((sum, first) => sum + Math.max(...lengths.slice(first, first + 4)), 0);
  const goal = 1.2 * ideal + overhead;
  return {
    measurements: [one],
    verdicts: [
      {
        what: '16 tasks, every fourth check slow',
        goal: `≤ ${s(goal)}`,
        measured: s(one.wall),
        met: one.wall <= goal,
      },
      { what: '  sum of the checks by 4 (ideal)', goal: '', measured: s(ideal), met: null },
      { what: '  in the order of the catalogue, without overhead', goal: '', measured: s(inOrder(lengths)), met: null },
      { what: '  with a barrier after each 4, same overhead', goal: '', measured: s(barrier + overhead), met: null },
    ],
  };
}

/** A run of many tasks, 16 at once: it has to continue as new, and to answer on the way. */
async function thousand(world: BenchWorld, size: Size): Promise<Findings> {
  const repository = await warm(world, size, { name: 'thousand', files: 20, bytes: 2 * KIB });
  const tasks = size.quick ? 100 : 1000;
  await repository.setTasks(benchTasks(tasks));
  const histories = new RunHistories();
  const one = await measure(world, repository, `${tasks} tasks`, tasks, { maxParallel: 16, beside: histories.watch });
  const { peakRss } = await world.probe();
  const answers = [0.5, 0.95].map((share) => histories.answer(share));
  return {
    measurements: [one],
    verdicts: [
      { what: `${tasks} tasks, 16 at once`, goal: '', measured: s(one.wall), met: null },
      {
        what: '  status query, median and 95th percentile',
        goal: '< 100 ms',
        measured: answers.map(ms).join(', '),
        met: answers.every((answer) => answer < 0.1),
      },
      { what: '  status query, slowest', goal: '', measured: ms(histories.answer(1)), met: null },
      {
        what: '  largest history of any execution',
        goal: '≤ 10,000 events',
        measured: `${histories.largest} events`,
        met: histories.largest <= 10_000,
      },
      { what: '  executions of the run', goal: '', measured: String(histories.executions), met: null },
      { what: '  worker’s peak memory', goal: '', measured: mib(peakRss), met: null },
    ],
  };
}

/** What the model gateway adds to the first byte of a stream. Needs no worker. */
async function gateway(world: BenchWorld, size: Size): Promise<Findings> {
  const { direct, through } = await measureFirstBytes(world.root, size.quick ? 2 : 8);
  const at = (times: readonly number[], share: number): number => times[Math.floor((times.length - 1) * share)] ?? 0;
  const pair = (share: number): string => [direct, through].map((times) => tenths(at(times, share))).join(' → ');
  const added = at(through, 0.5) - at(direct, 0.5);
  return {
    measurements: [],
    verdicts: [
      {
        what: 'first byte through the gateway, 50 streams, median added',
        goal: '≤ 2.0 ms',
        measured: tenths(added),
        met: added <= 0.002,
      },
      { what: '  directly and through it, median', goal: '', measured: pair(0.5), met: null },
      { what: '  directly and through it, 95th percentile', goal: '', measured: pair(0.95), met: null },
    ],
  };
}

/** How long tasks take on 4 places when each begins as soon as there is a place. */
function inOrder(lengths: readonly number[]): number {
  const places = [0, 0, 0, 0];
  for (const length of lengths) {
    const first = places.indexOf(Math.min(...places));
    places[first] = (places[first] ?? 0) + length;
  }
  return Math.max(...places);
}

/** A new repository, with a worker that has run a few tasks of it: imports and first checkouts are done. */
/** What lies between a task's locks and its agent, one task at a time, in each backend that there is. */
async function starts(world: BenchWorld, size: Size): Promise<Findings> {
  const directory = path.join(world.root, 'start');
  const repository = await BenchRepository.create(directory, 'start', 5000, 10 * KIB, undefined, TELLS_TIME);
  await world.startWorker(repository, size.profile);
  const verdicts: Verdict[] = [];
  for (const [backend, goal] of [
    ['local', 0.3],
    ['docker', 1],
  ] as const) {
    if (backend === 'docker' && !(await probeEngine(connectEngine(process.env))).available) continue;
    await repository.setTasks(benchTasks(3));
    await world.run(repository, 1, undefined, backend);
    await repository.setTasks(benchTasks(size.quick ? 5 : 25));
    let spans: StartSpans[] = [];
    const read: Beside = async (client, run, over) => {
      await once(over, 'abort');
      spans = await readStarts(world, client, run);
    };
    await world.run(repository, 1, read, backend);
    const whole = median(spans.map((span) => span.whole));
    const slowest = Math.max(...spans.map((span) => span.whole));
    const parts = START_PARTS.map((part) => `${part} ${ms(median(spans.map((span) => span[part])))}`);
    verdicts.push(
      {
        what: `locks granted to agent started, ${backend}`,
        goal: `< ${ms(goal)}`,
        measured: ms(whole),
        met: whole < goal,
      },
      { what: '  slowest', goal: '', measured: ms(slowest), met: null },
      ...parts.map((part) => ({ what: '  median of', goal: '', measured: part, met: null })),
    );
  }
  return { verdicts, measurements: [] };
}

async function warm(
  world: BenchWorld,
  { profile }: Size,
  { name, files, bytes }: { name: string; files: number; bytes: number },
): Promise<BenchRepository> {
  const repository = await BenchRepository.create(path.join(world.root, name), name, files, bytes);
  await world.startWorker(repository, profile);
  await repository.setTasks(benchTasks(6));
  await world.run(repository, 4);
  return repository;
}
