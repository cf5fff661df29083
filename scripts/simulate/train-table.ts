import { simulateBisection, simulateOneByOne, simulateWindow } from './train-references.ts';
import { simulateTrain, type TrainOutcome, type TrainScenario } from './train.ts';

/** Means over seeds. */
export interface MeanOutcome {
  rounds: number;
  checks: number;
}

/** What became of trains of so many members with that failure rate. */
export interface TrainRow {
  members: number;
  failureRate: number;
  seeds: number;
  /** By the number of places. */
  ladder: Record<number, MeanOutcome>;
  window: Record<number, MeanOutcome>;
  bisection: MeanOutcome;
  oneByOne: MeanOutcome;
}

/** What a train of fifty has to reach with two places, in rounds. */
export const TRAIN_GOALS: readonly { failureRate: number; rounds: number }[] = [
  { failureRate: 0, rounds: 2 },
  { failureRate: 0.02, rounds: 6 },
  { failureRate: 0.1, rounds: 18 },
];
const GOAL_MEMBERS = 50;
const GOAL_SLOTS = 2;

export const FAILURE_RATES = [0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2] as const;

/** The same members in all trains, so many seeds from one on. */
export function trainRow(members: number, failureRate: number, slots: readonly number[], seeds: number): TrainRow {
  const mean = (simulate: (scenario: TrainScenario) => TrainOutcome, places: number): MeanOutcome => {
    const sum = { rounds: 0, checks: 0 };
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { rounds, checks } = simulate({ members, slots: places, failureRate, seed });
      sum.rounds += rounds;
      sum.checks += checks;
    }
    return { rounds: sum.rounds / seeds, checks: sum.checks / seeds };
  };
  const byPlaces = (simulate: (scenario: TrainScenario) => TrainOutcome): Record<number, MeanOutcome> =>
    Object.fromEntries(slots.map((places) => [places, mean(simulate, places)]));
  return {
    members,
    failureRate,
    seeds,
    ladder: byPlaces(simulateTrain),
    window: byPlaces(simulateWindow),
    bisection: mean(simulateBisection, 1),
    oneByOne: mean(simulateOneByOne, 1),
  };
}

/** The goals that rows miss, in words; rows that have no goal miss none. */
export function missedGoals(rows: readonly TrainRow[]): string[] {
  return rows.flatMap(({ members, failureRate, ladder }) => {
    const goal = TRAIN_GOALS.find((other) => other.failureRate === failureRate);
    const rounds = ladder[GOAL_SLOTS]?.rounds;
    if (members !== GOAL_MEMBERS || goal === undefined || rounds === undefined || rounds <= goal.rounds) return [];
    return [`${members} members, ${percent(failureRate)} failing: ${rounds.toFixed(2)} rounds, at most ${goal.rounds}`];
  });
}

/** As a Markdown table: rounds, and in brackets checks. */
export function trainTable(rows: readonly TrainRow[], slots: readonly number[]): string {
  const cell = ({ rounds, checks }: MeanOutcome): string => `${rounds.toFixed(1)} (${checks.toFixed(1)})`;
  const of = (by: Record<number, MeanOutcome>): string[] => slots.flatMap((places) => by[places] ?? []).map(cell);
  const head = [
    'members',
    'failing',
    ...slots.map((places) => `ladder, ${places}`),
    ...slots.map((places) => `window, ${places}`),
    'bisection',
    'one by one',
  ];
  const lines = rows.map((row) => [
    String(row.members),
    percent(row.failureRate),
    ...of(row.ladder),
    ...of(row.window),
    cell(row.bisection),
    row.oneByOne.rounds.toFixed(1),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => (line[column] ?? '').length)));
  const format = (line: readonly string[]): string =>
    `| ${line.map((text, column) => text.padStart(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => `${'-'.repeat(width - 1)}:`).join(' | ')} |`;
  return [format(head), rule, ...lines.map(format), ''].join('\n');
}

function percent(rate: number): string {
  return `${Math.round(rate * 100)}%`;
}
