import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UNKNOWN_FAILURES, type FailureBelief } from '../../core/failure-belief.ts';
import { rungs } from '../../core/ladder.ts';

/** Which members are red, from the first on, and how likely that is. */
interface Case {
  red: boolean[];
  chance: number;
}

/** Nothing else is thought possible. */
const surely = (rate: number): FailureBelief => [{ rate, weight: 1 }];

/** Everything that can be true of so many members. */
function casesOf(members: number, rate: number): Case[] {
  if (members === 0) return [{ red: [], chance: 1 }];
  return casesOf(members - 1, rate).flatMap(({ red, chance }) => [
    { red: [false, ...red], chance: chance * (1 - rate) },
    { red: [true, ...red], chance: chance * rate },
  ]);
}

const isRed = ({ red }: Case, prefix: number): boolean => red.slice(0, prefix).includes(true);

interface Knowledge {
  cases: Case[];
  /** The shortest prefix that is known to be red; 0: none is. */
  red: number;
}

/** What follows after a round: what is still possible, by what the round showed, without those that have left. */
function after({ cases, red: before }: Knowledge, prefixes: readonly number[]): Knowledge[] {
  const shown = new Map<string, { cases: Case[]; green: number; red: number }>();
  for (const one of cases) {
    const green = Math.max(0, ...prefixes.filter((prefix) => !isRed(one, prefix)));
    const red = Math.min(...prefixes.filter((prefix) => isRed(one, prefix)), before === 0 ? Infinity : before);
    const key = `${green} ${red}`;
    const entry = shown.get(key) ?? { cases: [], green, red };
    entry.cases.push(one);
    shown.set(key, entry);
  }
  return [...shown.values()].map(({ cases: left, green, red }) => {
    // One that is red alone is sent back.
    const gone = red - green === 1 ? green + 1 : green;
    return {
      cases: left.map((one) => ({ ...one, red: one.red.slice(gone) })),
      red: red === Infinity || gone > green ? 0 : red - green,
    };
  });
}

/** All choices of at most so many prefixes. */
function choices(longest: number, most: number): number[][] {
  const all: number[][] = [[]];
  for (let prefix = 1; prefix <= longest; prefix += 1) {
    for (const chosen of [...all]) if (chosen.length < most) all.push([...chosen, prefix]);
  }
  return all.filter(({ length }) => length > 0);
}

/** The expected rounds of the best of all adaptive choices: nothing is left out, nothing is known but what was shown. */
function bestOfAll(known: Knowledge, places: number, memo = new Map<string, number>()): number {
  const { cases, red: shortest } = known;
  const members = cases[0]!.red.length;
  if (members === 0) return 0;
  const total = cases.reduce((sum, { chance }) => sum + chance, 0);
  const key = cases.map(({ red, chance }) => `${red.map(Number).join('')}${(chance / total).toFixed(9)}`).join(' ');
  const before = memo.get(key);
  if (before !== undefined) return before;
  let best = Infinity;
  for (const prefixes of choices(shortest === 0 ? members : shortest - 1, places)) {
    const rounds = after(known, prefixes).reduce((sum, next) => {
      const chance = next.cases.reduce((of, one) => of + one.chance, 0) / total;
      return sum + chance * bestOfAll(next, places, memo);
    }, 1);
    best = Math.min(best, rounds);
  }
  memo.set(key, best);
  return best;
}

/** The expected rounds when the ladder chooses. */
function ofLadder(known: Knowledge, places: number, rate: number): number {
  const { cases, red } = known;
  const waiting = cases[0]!.red.length;
  if (waiting === 0) return 0;
  const total = cases.reduce((sum, { chance }) => sum + chance, 0);
  return after(known, rungs({ waiting, red }, places, places, surely(rate))).reduce((sum, next) => {
    const chance = next.cases.reduce((of, one) => of + one.chance, 0) / total;
    return sum + chance * ofLadder(next, places, rate);
  }, 1);
}

const states = fc
  .record({ waiting: fc.integer({ min: 1, max: 1200 }), share: fc.double({ min: 0, max: 1, noNaN: true }) })
  .map(({ waiting, share }) => ({ waiting, red: Math.round(share * Math.min(250, waiting)) }));
const slots = fc.integer({ min: 1, max: 5 });
const beliefs = fc
  .uniqueArray(fc.double({ min: 0.001, max: 0.5, noNaN: true }), { minLength: 1, maxLength: 4 })
  .map((rates): FailureBelief => rates.map((rate) => ({ rate, weight: 1 / rates.length })));

describe('the ladder', () => {
  test.each([1, 2, 3])('needs as few rounds as any choice of prefixes can, with %i places', (places) => {
    for (const rate of [0.02, 0.1, 0.2, 0.4]) {
      for (let members = 1; members <= 5; members += 1) {
        const nothing = { cases: casesOf(members, rate), red: 0 };
        expect(ofLadder(nothing, places, rate)).toBeCloseTo(bestOfAll(nothing, places), 9);
      }
    }
  });

  test('asks for prefixes of growing length, as many as there are places, shorter than what is red', () => {
    fc.assert(
      fc.property(states, slots, slots, beliefs, (state, free, places, belief) => {
        const chosen = rungs(state, Math.min(free, places), places, belief);
        if (state.red === 1) {
          expect(chosen).toEqual([]);
          return;
        }
        expect(chosen.length).toBeGreaterThan(0);
        expect(chosen.length).toBeLessThanOrEqual(Math.min(free, places));
        expect(chosen).toEqual([...new Set(chosen)].sort((one, other) => one - other));
        expect(chosen[0]).toBeGreaterThan(0);
        expect(chosen.at(-1)).toBeLessThanOrEqual(state.red > 0 ? state.red - 1 : Math.min(250, state.waiting));
      }),
      { numRuns: 300 },
    );
  });

  test('looks no further ahead where failures are likelier', () => {
    const longest = [0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5].map((rate) =>
      Math.max(...rungs({ waiting: 200, red: 0 }, 2, 2, surely(rate))),
    );
    expect(longest).toEqual([...longest].sort((one, other) => other - one));
    expect(longest[0]).toBe(200);
    // Next to nothing is green together: single steps, as many as there are places.
    expect(rungs({ waiting: 200, red: 0 }, 2, 2, surely(0.5))).toEqual([1, 2]);
  });

  test('is a window of single steps where a fifth fails: the first alone, and ahead of it no more than a few', () => {
    // The same however many wait; only what ends the queue is planned to its end.
    for (let waiting = 8; waiting <= 250; waiting += 1)
      expect(rungs({ waiting, red: 0 }, 2, 2, surely(0.2))).toEqual([1, 4]);
    for (const red of [3, 4, 5, 6]) expect(rungs({ waiting: 50, red }, 2, 2, surely(0.2))).toEqual([1, 2]);
    for (let red = 7; red <= 40; red += 1) expect(rungs({ waiting: 50, red }, 2, 2, surely(0.2))).toEqual([1, 4]);
  });

  test('with nothing known tries fifty whole, and beside them a prefix that is green even where many fail', () => {
    const [short, whole, ...more] = rungs({ waiting: 50, red: 0 }, 2, 2, UNKNOWN_FAILURES);
    expect([whole, more]).toEqual([50, []]);
    expect(short).toBeGreaterThanOrEqual(5);
    expect(short).toBeLessThanOrEqual(15);
    // The mean of what is believed, taken for certain, would not.
    const mean = UNKNOWN_FAILURES.reduce((sum, { rate, weight }) => sum + rate * weight, 0);
    expect(rungs({ waiting: 50, red: 0 }, 2, 2, surely(mean)).at(-1)).toBeLessThan(30);
  });

  test('takes a queue that hardly fails whole, and never more than a payload can name', () => {
    expect(rungs({ waiting: 40, red: 0 }, 2, 2, surely(0.001)).at(-1)).toBe(40);
    expect(rungs({ waiting: 5000, red: 0 }, 2, 2, surely(0.001)).at(-1)).toBe(250);
  });

  test('halves a red segment with one place, in blocks where it is long', () => {
    expect(rungs({ waiting: 8, red: 8 }, 1, 1, surely(0.001))).toEqual([4]);
    expect(rungs({ waiting: 3, red: 2 }, 2, 2, surely(0.1))).toEqual([1]);
    const [half] = rungs({ waiting: 1000, red: 240 }, 1, 1, surely(0.001));
    expect(half! % 5).toBe(0);
    // All splits between a third and two thirds are about as good.
    expect(Math.abs(half! - 120)).toBeLessThanOrEqual(40);
  });

  test('has nothing to ask when nobody waits, or a single one is red', () => {
    expect(rungs({ waiting: 0, red: 0 }, 2, 2, surely(0.1))).toEqual([]);
    expect(rungs({ waiting: 9, red: 1 }, 2, 2, surely(0.1))).toEqual([]);
  });
});
