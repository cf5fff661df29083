import { describe, expect, test } from '@jest/globals';
import type { FailureBelief } from '../../core/failure-belief.ts';
import {
  areIndependent,
  built,
  emptyLane,
  foundGreen,
  foundRed,
  isBusy,
  acceptedPrefix,
  longestGreen,
  prefixesToCheck,
  rebuilt,
  sameLane,
  without,
  type Lane,
} from '../../core/train-lane.ts';
import { memberKey, type Ride } from '../../core/train.ts';
import { trainMember } from '../../scripts/simulate/train.ts';
import { integrationFailure } from '../support/train-evidence.ts';

const RATE: FailureBelief = [{ rate: 0.03, weight: 1 }];

/** A lane with so many members and checks of these sizes, which have been merged. */
function lane(members: number, sizes: readonly number[] = [], ride: Partial<Ride> = {}): Lane {
  const list = Array.from({ length: members }, (_, at) => ({ ...trainMember(`${at}`, ride), arrival: at + 1 }));
  const checks = sizes.map((size) => ({
    id: size,
    size,
    candidate: { commit: `c${size}`, base: 'base', tip: 'base' },
    green: false,
  }));
  return { ...emptyLane(trainMember('', ride).ride), members: list, checks, base: 'base' };
}

const sizes = ({ checks }: Lane): number[] => checks.map(({ size }) => size);
const keys = (of: Lane, ...at: number[]): Set<string> => new Set(at.map((index) => memberKey(of.members[index]!)));

describe('lanes', () => {
  test('are the same for the same checks and paths; independent are those with names that differ', () => {
    const [plain, x, y] = [lane(1), lane(1, [], { lane: 'x' }), lane(1, [], { lane: 'y' })];
    expect(sameLane(plain.ride, { ...plain.ride, slots: 9 })).toBe(true);
    expect(sameLane(plain.ride, { ...plain.ride, checks: 'other' })).toBe(false);
    expect(sameLane(plain.ride, x.ride)).toBe(false);
    expect([areIndependent(x, y), areIndependent(x, x), areIndependent(plain, x)]).toEqual([true, false, false]);
  });

  test('are busy while something of them is under way', () => {
    expect(isBusy(lane(2))).toBe(false);
    expect(isBusy(lane(2, [1]))).toBe(true);
    expect(isBusy({ ...lane(2), tipCheck: 1 })).toBe(true);
  });
});

describe('what is checked next', () => {
  test('is nothing while one is landing, the tip is checked, or no place is free', () => {
    expect(prefixesToCheck({ ...lane(3), accepting: 1 }, 2, 2, RATE)).toEqual([]);
    expect(prefixesToCheck({ ...lane(3), tipCheck: 1 }, 2, 2, RATE)).toEqual([]);
    expect(prefixesToCheck(lane(3), 0, 2, RATE)).toEqual([]);
    expect(prefixesToCheck(lane(0), 2, 2, RATE)).toEqual([]);
    expect(prefixesToCheck({ ...lane(3), red: 1 }, 2, 2, RATE)).toEqual([]);
  });

  test('is what came since, on top of what is being checked, but for a search, whose round is waited for', () => {
    expect(prefixesToCheck(lane(5, [3]), 1, 2, RATE)).toEqual([5]);
    expect(prefixesToCheck(lane(3, [3]), 1, 2, RATE)).toEqual([]);
    expect(prefixesToCheck({ ...lane(5, [2]), red: 3 }, 1, 2, RATE)).toEqual([]);
  });

  test('goes no further than what can be merged', () => {
    expect(prefixesToCheck({ ...lane(9), cut: 2 }, 2, 2, RATE).at(-1)).toBe(2);
  });
});

describe('a verdict', () => {
  test('that is green makes shorter ones needless, and says that nothing shorter was at fault', () => {
    const red = foundRed(lane(9, [2, 4, 8]), 4, integrationFailure());
    expect([red.red, sizes(red)]).toEqual([4, [2]]);
    const green = foundGreen(lane(9, [2, 4, 8]), 4);
    expect([green.red, sizes(green), longestGreen(green)?.size]).toEqual([0, [4, 8], 4]);
    // Ends that crossed: the shorter one was red by chance.
    expect(foundGreen({ ...lane(9, [8]), red: 4, failure: red.failure }, 8)).toMatchObject({ red: 0, failure: null });
    expect(foundGreen({ ...lane(9, [2]), red: 4, failure: red.failure }, 2)).toMatchObject({ red: 4 });
  });

  test('of a check that is not there any more, or not merged yet, changes nothing', () => {
    const [before] = [lane(9, [2])];
    expect(foundGreen(before, 99)).toBe(before);
    expect(foundRed(before, 99, integrationFailure())).toBe(before);
    const merging = { ...before, checks: [{ id: 2, size: 2, candidate: null, green: false }] };
    expect(foundRed(merging, 2, integrationFailure())).toBe(merging);
  });
});

describe('taking members out', () => {
  test('voids what is known of prefixes that held them', () => {
    const before = { ...lane(9, [2, 4, 8]), red: 8, cut: 8 };
    expect(without(before, keys(before, 3))).toMatchObject({ red: 0, cut: null });
    expect(sizes(without(before, keys(before, 3)))).toEqual([2]);
    expect(without(before, keys(before, 8))).toMatchObject({ red: 8, cut: 8 });
    expect(without(before, new Set(['nobody']))).toBe(before);
  });

  test('ends the check of the tip when nobody is left to be blamed', () => {
    const before = { ...lane(2), tipCheck: 5 };
    expect(without(before, keys(before, 0)).tipCheck).toBe(5);
    expect(without(before, keys(before, 0, 1)).tipCheck).toBeNull();
  });
});

describe('what was merged', () => {
  const merging: Lane = { ...lane(9), checks: [{ id: 1, size: 4, candidate: null, green: false }] };
  const candidate = { base: 'base', tip: 'base', commits: ['a', 'b', 'c'], cut: null };

  test('becomes candidates; what could not be built, or holds nobody, is not checked', () => {
    const prefixes = [{ id: 1, size: 3 }];
    expect(built(merging, { ...candidate, prefixes }, false).checks).toEqual([
      { id: 1, size: 3, green: false, candidate: { commit: 'c', base: 'base', tip: 'base' } },
    ]);
    expect(built(merging, { ...candidate, prefixes: [] }, false).checks).toEqual([]);
    expect(built(merging, { ...candidate, prefixes: [{ id: 1, size: 0 }] }, false).checks).toEqual([]);
  });

  test('is checked once where two prefixes came to the same', () => {
    const two = { ...merging, checks: [...merging.checks, { id: 2, size: 8, candidate: null, green: false }] };
    const prefixes = [1, 2].map((id) => ({ id, size: 3 }));
    expect(built(two, { ...candidate, prefixes, cut: 3 }, false)).toMatchObject({ cut: 3, checks: [{ id: 1 }] });
  });

  test('on a base that independent lanes moved leaves what is known; otherwise not', () => {
    const failure = { failure: integrationFailure(), commit: 'c' };
    const known = (name: string | null): Lane => ({
      ...lane(9, [2], { lane: name }),
      red: 4,
      failure,
      confirmed: 'base',
    });
    const on = { ...candidate, base: 'base2', prefixes: [] };
    expect(built(known('x'), on, true)).toMatchObject({ red: 4, confirmed: 'base2', base: 'base2', checks: [{}] });
    for (const lost of [built(known('x'), on, false), built(known(null), on, true)])
      expect(lost).toMatchObject({ red: 0, failure: null, confirmed: 'base', base: 'base2', checks: [] });
  });
});

describe('a landing', () => {
  test('shortens what is known of the longer prefixes by what has landed', () => {
    const failure = { failure: integrationFailure(), commit: 'c' };
    const before = { ...lane(9, [2, 5]), red: 5, failure, accepting: 2, cut: 7, moves: 3 };
    const after = acceptedPrefix(before, 'tip');
    expect(after).toMatchObject({ red: 3, cut: 5, accepting: null, base: 'tip', confirmed: 'tip', moves: 0 });
    expect(after.failure).toBe(failure);
    expect(sizes(after)).toEqual([3]);
    expect(after.members.map(({ task }) => task)).toEqual(['2', '3', '4', '5', '6', '7', '8']);
    expect(acceptedPrefix({ ...before, red: 0, cut: 2 }, 'tip')).toMatchObject({ red: 0, failure: null, cut: null });
  });

  test('on a base that has moved starts from nothing, but for what the canary showed', () => {
    const before: Lane = { ...lane(9, [2]), red: 5, accepting: 2, cut: 7, canary: { state: 'unproven' } };
    expect(rebuilt(before)).toEqual({ ...lane(9), base: null, canary: { state: 'unproven' } });
    expect(rebuilt({ ...before, canary: { state: 'running', id: 4 } }).canary).toEqual({ state: 'unknown' });
  });
});
