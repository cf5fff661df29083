import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { claimsMeet } from '../../core/globs.ts';
import { heaviestClique } from '../../scripts/simulate/clique.ts';
import { leastInAnyOrder, type Exclusion } from '../../scripts/simulate/order-bound.ts';
import { leastParallel } from '../../scripts/simulate/parallel-bound.ts';
import { simulate, spreadOf, type Outcome } from '../../scripts/simulate/ratios.ts';
import { makespanOf, type Span } from '../../scripts/simulate/span.ts';
import { simulateBisection, simulateOneByOne, simulateWindow } from '../../scripts/simulate/train-references.ts';
import { missedGoals, TRAIN_GOALS, trainRow } from '../../scripts/simulate/train-table.ts';
import { failingMembers, simulateTrain, type TrainScenario } from '../../scripts/simulate/train.ts';

const GRAPHS = 60;
let outcomes: Outcome[];

beforeAll(() => {
  outcomes = Array.from({ length: GRAPHS }, (_, index) => simulate(index + 1));
});

/** What is wrong with a schedule; nothing if it keeps all rules. */
function faults({ input }: Outcome, spans: readonly Span[]): string[] {
  const found: string[] = [];
  const overlaps = (a: Span, b: Span): boolean => a.start < b.end && b.start < a.end;
  for (const [at, one] of spans.entries()) {
    for (const other of spans.slice(at + 1)) {
      if (overlaps(one, other) && claimsMeet(one.task.view.claims, other.task.view.claims)) found.push('clash');
    }
  }
  for (const { id, tasks, maxParallel } of input.runs) {
    const own = new Map(spans.filter(({ run }) => run === id).map((span) => [span.task.view.id, span]));
    if (own.size !== spans.filter(({ run }) => run === id).length) found.push('a task ran twice');
    for (const { view } of tasks) {
      const before = view.depends_on.map((dependency) => own.get(dependency));
      const ready = before.every((span) => span !== undefined && !span.task.fails);
      const span = own.get(view.id);
      if (ready !== (span !== undefined)) found.push(`${view.id} ${ready ? 'never ran' : 'ran'}`);
      if (before.some((one) => one !== undefined && span !== undefined && one.end > span.start))
        found.push('too early');
    }
    for (const { start } of own.values()) {
      const working = [...own.values()].filter((span) => span.start <= start && start < span.end).length;
      if (working > maxParallel) found.push('too many at once');
    }
  }
  return found;
}

describe('the simulator', () => {
  test('runs every task that can run once, in order, and never two clashing ones or too many at once', () => {
    for (const outcome of outcomes) {
      expect(faults(outcome, outcome.spans)).toEqual([]);
      expect(faults(outcome, outcome.barrier)).toEqual([]);
    }
  });

  test('of 60 graphs, ends near the bound that no schedule beats, and long before a barrier scheduler', () => {
    for (const { ratio, barrierRatio } of outcomes) {
      expect(ratio).toBeGreaterThanOrEqual(0.9999);
      expect(barrierRatio).toBeGreaterThanOrEqual(0.9999);
    }
    const rolling = spreadOf(outcomes.map(({ ratio }) => ratio));
    const barrier = spreadOf(outcomes.map(({ barrierRatio }) => barrierRatio));
    expect(rolling.median).toBeLessThanOrEqual(1.05);
    expect(rolling.p95).toBeLessThanOrEqual(1.25);
    expect(barrier.median).toBeGreaterThan(1.2);
  });

  test('gives the same schedule for the same seed', () => {
    const again = simulate(7);
    expect(again.spans.map(({ start }) => start)).toEqual(outcomes[6]?.spans.map(({ start }) => start));
    expect(makespanOf(again.spans)).toBe(makespanOf(outcomes[6]?.spans ?? []));
  });
});

/** Up to six tasks, with dependencies on earlier ones, clashes, and places. */
const problems = fc
  .record({
    durations: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }),
    places: fc.integer({ min: 1, max: 3 }),
    links: fc.array(fc.constantFrom('none', 'none', 'clash', 'dependency'), { minLength: 15, maxLength: 15 }),
  })
  .map(({ durations, places, links }) => {
    const linkOf = (a: number, b: number): string => links[(a * (a - 1)) / 2 + b] ?? 'none';
    const all = [...durations.keys()];
    const dependencies = all.map((task) => all.filter((other) => other < task && linkOf(task, other) === 'dependency'));
    const ancestors: Set<number>[] = [];
    for (const direct of dependencies) {
      ancestors.push(new Set(direct.flatMap((task) => [task, ...(ancestors[task] ?? [])])));
    }
    const follows = (a: number, b: number): boolean => ancestors[a]!.has(b) || ancestors[b]!.has(a);
    const clashes = (a: number, b: number): boolean => linkOf(Math.max(a, b), Math.min(a, b)) === 'clash';
    const exclusion: Exclusion = {
      order: all,
      dependencies,
      follows,
      excludes: (a, b) => follows(a, b) || clashes(a, b),
    };
    return { durations, places, exclusion };
  });

/** The shortest schedule there is: some order of the tasks, each put where it fits first, gives it. */
function shortest(durations: readonly number[], places: number, { dependencies, excludes }: Exclusion): number {
  let best = Infinity;
  const place = (starts: ReadonlyMap<number, number>): void => {
    if (starts.size === durations.length) {
      best = Math.min(best, Math.max(...[...starts].map(([task, start]) => start + durations[task]!)));
      return;
    }
    for (const task of durations.keys()) {
      if (starts.has(task) || !dependencies[task]!.every((before) => starts.has(before))) continue;
      const ready = Math.max(0, ...dependencies[task]!.map((before) => starts.get(before)! + durations[before]!));
      for (let start = ready; ; start += 1) {
        const beside = [...starts].filter(
          ([other, at]) => at < start + durations[task]! && start < at + durations[other]!,
        );
        const most = Math.max(
          ...Array.from({ length: durations[task]! }, (_, offset) => start + offset).map(
            (now) => beside.filter(([other, at]) => at <= now && now < at + durations[other]!).length,
          ),
        );
        if (most >= places || beside.some(([other]) => excludes(task, other))) continue;
        place(new Map([...starts, [task, start]]));
        break;
      }
    }
  };
  place(new Map());
  return best;
}

describe('the bounds', () => {
  test('are never longer than the shortest schedule', () => {
    fc.assert(
      fc.property(problems, ({ durations, places, exclusion }) => {
        const optimum = shortest(durations, places, exclusion);
        const all = [...durations.keys()];
        expect(heaviestClique(durations, exclusion.excludes)).toBeLessThanOrEqual(optimum);
        expect(leastParallel(durations, all, places, exclusion.excludes)).toBeLessThanOrEqual(optimum + 1e-9);
        // From a bound that is far too low, and a schedule that is far too long.
        expect(leastInAnyOrder(durations, exclusion, 0.5, 100)).toBeLessThanOrEqual(optimum);
      }),
      { numRuns: 150 },
    );
  });

  test('of three tasks of which each excludes the others is what they take together', () => {
    expect(heaviestClique([3, 4, 5, 9], (a, b) => a < 3 && b < 3)).toBe(12);
  });
});

describe('the simulated train', () => {
  const scenario = (seed: number, more: Partial<TrainScenario> = {}): TrainScenario => ({
    members: 50,
    slots: 2,
    failureRate: 0.1,
    seed,
    ...more,
  });

  /** By failure rate, what the ladder needs with 5 % to spare: less than the goals ask for. */
  const ROUNDS: Readonly<Record<number, number>> = { 0: 2, 0.02: 5.8, 0.1: 16.8, 0.2: 26.7 };

  test('of 50 with two places needs as few rounds as the goals say, and fewer than what other queues do', () => {
    const rows = [...TRAIN_GOALS.map(({ failureRate }) => failureRate), 0.2].map((rate) =>
      trainRow(50, rate, [2], 150),
    );
    expect(missedGoals(rows)).toEqual([]);
    for (const { ladder, failureRate } of rows) expect(ladder[2]!.rounds).toBeLessThanOrEqual(ROUNDS[failureRate]!);
    for (const { ladder, window, bisection, oneByOne, failureRate } of rows) {
      expect(ladder[2]!.rounds).toBeLessThan(window[2]!.rounds);
      expect(ladder[2]!.rounds).toBeLessThan(oneByOne.rounds);
      // Bisection begins with all at once: nothing is faster where nothing fails.
      if (failureRate > 0) expect(ladder[2]!.rounds).toBeLessThan(bisection.rounds);
    }
  });

  test('merges who does not fail, sends back who does, and takes the same rounds for the same seed', () => {
    for (const [seed, slots] of [1, 2, 3, 4, 5, 6].map((seed): [number, number] => [seed, 1 + (seed % 3)])) {
      const bad = failingMembers(scenario(seed)).filter(Boolean).length;
      for (const simulate of [simulateTrain, simulateWindow, simulateBisection, simulateOneByOne]) {
        const outcome = simulate(scenario(seed, { slots }));
        expect(outcome).toMatchObject({ merged: 50 - bad, rejected: bad });
        expect(simulate(scenario(seed, { slots }))).toEqual(outcome);
      }
    }
  });

  test('of 1,000 scales as that of 50', () => {
    const { rounds, checks } = simulateTrain(scenario(1, { members: 1000, failureRate: 0.02 }));
    expect(rounds).toBeLessThanOrEqual(20 * 6);
    expect(checks).toBeLessThanOrEqual(2 * rounds);
  });

  test('misses a goal where it is slower than that', () => {
    const row = trainRow(50, 0, [2], 1);
    const slow = { ...row, ladder: { 2: { rounds: 3, checks: 6 } } };
    expect(missedGoals([row, slow])).toEqual(['50 members, 0% failing: 3.00 rounds, at most 2']);
  });
});
