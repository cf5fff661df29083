import { parseArgs } from 'node:util';
import { simulate, spreadOf, type Outcome, type Spread } from './simulate/ratios.ts';
import { EVERY_TRAIN, simulateTrains } from './simulate/train-command.ts';

const USAGE = `npm run simulate [-- [--graphs N] [--seed N] [--json]]
npm run simulate -- train [--members N] [--slots K] [--seeds N] [--json]

Schedules random task graphs in virtual time with the rules that runs use, and beside them with a barrier scheduler, which
waits for the last task of a wave before it starts the next. Prints how much longer the graphs take than a bound that no
schedule can beat. docs/simulation.md tells what the graphs are like, and what the bound is.

  --graphs N  how many, 1000 by default
  --seed N    the seed of the first, 1 by default; each graph has the next one
  --json      one JSON object instead of a table

With "train" it simulates trains of members that finish at once, of which some fail, with the train's own rules, and beside
them a window of single steps, bisection, and one at a time: how many rounds of checks they take.

  --members N  so many members only, instead of 1, 10, 50, 100 and 1,000
  --slots K    so many checks at once only, instead of 1, 2 and 4
  --seeds N    how many trains of each kind, 1,000 by default; fewer are made of more than 50 members`;

const GOAL = { median: 1.05, p95: 1.25 };

function main(): number {
  const { values, positionals } = parseArgs({
    options: {
      graphs: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      members: { type: 'string' },
      slots: { type: 'string' },
      seeds: { type: 'string', default: String(EVERY_TRAIN.seeds) },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  });
  const [graphs, seed] = [Number(values.graphs), Number(values.seed)];
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  if (positionals.length > 0) {
    const members = values.members === undefined ? EVERY_TRAIN.members : [Number(values.members)];
    const slots = values.slots === undefined ? EVERY_TRAIN.slots : [Number(values.slots)];
    const seeds = Number(values.seeds);
    const isTrain = positionals.length === 1 && positionals[0] === 'train';
    if (isTrain && [...members, ...slots, seeds].every((number) => Number.isSafeInteger(number) && number >= 1))
      return simulateTrains({ members, slots, seeds, json: values.json });
    process.stderr.write(`--members, --slots and --seeds are whole numbers, at least 1\n\n${USAGE}\n`);
    return 2;
  }
  if (!Number.isSafeInteger(graphs) || graphs < 1 || !Number.isSafeInteger(seed) || seed < 0) {
    process.stderr.write(`--graphs and --seed are whole numbers, --graphs at least 1\n\n${USAGE}\n`);
    return 2;
  }
  const outcomes = Array.from({ length: graphs }, (_, index) => simulate(seed + index));
  const rolling = spreadOf(outcomes.map(({ ratio }) => ratio));
  const barrier = spreadOf(outcomes.map(({ barrierRatio }) => barrierRatio));
  const met = rolling.median <= GOAL.median && rolling.p95 <= GOAL.p95;
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ graphs, seed, rolling, barrier, goal: GOAL, met, worst: worstOf(outcomes) })}\n`
      : report(outcomes, rolling, barrier, met),
  );
  return met ? 0 : 1;
}

function report(outcomes: readonly Outcome[], rolling: Spread, barrier: Spread, met: boolean): string {
  const line = (name: string, { median, p95, max }: Spread): string =>
    `${name.padEnd(10)}${[median, p95, max].map((ratio) => ratio.toFixed(3).padStart(8)).join('')}`;
  const tasks = spreadOf(outcomes.map(({ input }) => input.runs.reduce((sum, run) => sum + run.tasks.length, 0)));
  return [
    `${outcomes.length} graphs, ${tasks.median} tasks in the median, ${tasks.max} at most; makespan over the lower bound:`,
    `${''.padEnd(10)}${['median', 'p95', 'max'].map((head) => head.padStart(8)).join('')}`,
    line('rolling', rolling),
    line('barrier', barrier),
    `goal: median at most ${GOAL.median}, p95 at most ${GOAL.p95}: ${met ? 'met' : 'MISSED'}`,
    `worst seeds: ${worstOf(outcomes)
      .map(({ seed, ratio }) => `${seed} (${ratio.toFixed(2)})`)
      .join(', ')}`,
    '',
  ].join('\n');
}

function worstOf(outcomes: readonly Outcome[]): { seed: number; ratio: number }[] {
  const sorted = [...outcomes].sort((a, b) => b.ratio - a.ratio);
  return sorted.slice(0, 5).map(({ input, ratio }) => ({ seed: input.seed, ratio }));
}

process.exitCode = main();
