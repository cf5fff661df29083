import { FAILURE_RATES, missedGoals, trainRow, trainTable } from './train-table.ts';

/** What `npm run simulate -- train` is told. */
export interface TrainOptions {
  members: number[];
  slots: number[];
  seeds: number;
  json: boolean;
}

export const EVERY_TRAIN = { members: [1, 10, 50, 100, 1000], slots: [1, 2, 4], seeds: 1000 };

/** Large trains are alike, and take long: so many members are simulated for one seed of a train of fifty. */
const FULL_SEEDS = 50;

/** Simulates trains and prints what they come to. @returns the exit code: 1 where a goal is missed */
export function simulateTrains({ members, slots, seeds, json }: TrainOptions): number {
  const rows = members.flatMap((count) =>
    FAILURE_RATES.map((rate) => {
      const fewer = Math.ceil(seeds * Math.min(1, (FULL_SEEDS / count) ** 2));
      return trainRow(count, rate, slots, fewer);
    }),
  );
  const missed = missedGoals(rows);
  if (json) process.stdout.write(`${JSON.stringify({ rows, missed, met: missed.length === 0 })}\n`);
  else {
    process.stdout.write(
      `Mean rounds of checks until all are merged or sent back, and in brackets checks, over ${seeds} seeds\n` +
        `(fewer for more than ${FULL_SEEDS} members):\n\n${trainTable(rows, slots)}\n` +
        (missed.length === 0 ? 'goals: met\n' : `goals MISSED: ${missed.join('; ')}\n`),
    );
  }
  return missed.length === 0 ? 0 : 1;
}
