import { describe, expect, test } from '@jest/globals';
import { answerTo, grant } from '../../core/lock-grants.ts';
import { applySync, emptyLockTable, type LockHold, type LockTable, type LockWant } from '../../core/locks.ts';

const request = (task: string, ...writes: string[]): LockHold => ({ task, claims: { reads: [], writes }, priority: 0 });
const grows = (task: string, ...writes: string[]): LockWant => ({ ...request(task, ...writes), grows: true });
const sync = (
  table: LockTable,
  seq: number,
  holds: LockHold[],
  wants: LockWant[],
  { run = 'r', now = seq, slots = 0 } = {},
): LockTable => applySync(table, { run, seq, holds, wants, slots }, now);
const holdsOf = (table: LockTable, run = 'r'): Record<string, string[]> =>
  Object.fromEntries((table.runs[run]?.holds ?? []).map(({ task, claims }) => [task, claims.writes]));

describe('a task that asks for more than it holds', () => {
  test('is granted without a free place, before those that hold nothing, and holds both', () => {
    const wants = [{ ...request('waits', 'b'), priority: 9 }, grows('works', 'a', 'b')];
    const table = sync(emptyLockTable(), 1, [request('works', 'a')], wants, { slots: 1 });
    const granting = grant(table, 2);
    expect(granting.granted).toEqual({ r: ['works'] });
    expect(granting.refused).toEqual({ r: [{ task: 'waits', by: 'works', clash: ['b', 'b'] }] });
    expect(holdsOf(granting.table)).toEqual({ works: ['a', 'b'] });
  });

  test('is told again until a snapshot shows what it got, however often the same snapshot comes', () => {
    const first = sync(emptyLockTable(), 1, [request('t', 'a')], [grows('t', 'a', 'b')]);
    let { table } = grant(first, 1);
    for (const seq of [1, 2, 3]) {
      const granting = grant(sync(table, seq, [request('t', 'a')], [grows('t', 'a', 'b')]), seq);
      expect(answerTo('r', granting)).toEqual({
        seq,
        granted: [],
        grown: [{ task: 't', writes: ['a', 'b'] }],
        refused: [],
      });
      expect(holdsOf(granting.table)).toEqual({ t: ['a', 'b'] });
      table = granting.table;
    }
    const heard = grant(sync(table, 4, [request('t', 'a', 'b')], []), 4);
    expect(answerTo('r', heard)).toEqual({ seq: 4, granted: [], refused: [] });
    expect(holdsOf(heard.table)).toEqual({ t: ['a', 'b'] });
  });

  test('gives back what it got when it no longer wants it', () => {
    const { table } = grant(sync(emptyLockTable(), 1, [request('t', 'a')], [grows('t', 'a', 'b')]), 1);
    expect(holdsOf(sync(table, 2, [request('t', 'a')], []))).toEqual({ t: ['a'] });
  });

  test('asking for something else than it was granted unheard, holds only what it knows of until that is granted', () => {
    let { table } = grant(sync(emptyLockTable(), 1, [request('t', 'a')], [grows('t', 'a', 'b')]), 1);
    table = sync(table, 2, [request('t', 'a')], [grows('t', 'a', 'c')]);
    expect(holdsOf(table)).toEqual({ t: ['a'] });
    expect(holdsOf(grant(table, 2).table)).toEqual({ t: ['a', 'c'] });
  });

  test('while it waits, keeps later ones from what it needs, and nobody from the rest', () => {
    const holds = [request('t', 'a'), request('other', 'b')];
    const wants = [grows('t', 'a', 'b', 'c'), request('x', 'c'), request('y', 'd')];
    const granting = grant(sync(emptyLockTable(), 1, holds, wants, { slots: 5 }), 1);
    expect(granting.granted).toEqual({ r: ['y'] });
    expect(granting.refused['r']).toEqual([
      { task: 't', by: 'other', clash: ['b', 'b'] },
      { task: 'x', by: 't', clash: ['c', 'c'] },
    ]);
  });

  test('is refused for good if who it waits for waits for it, over two runs; the first goes on waiting', () => {
    let table = sync(emptyLockTable(), 1, [request('t', 'a')], [grows('t', 'a', 'b')], { run: 'one', now: 5 });
    table = sync(table, 1, [request('u', 'b')], [grows('u', 'b', 'a')], { run: 'two', now: 9 });
    const granting = grant(table, 10);
    expect(granting.refused).toEqual({
      one: [{ task: 't', by: 'u of run two', clash: ['b', 'b'] }],
      two: [{ task: 'u', by: 't of run one', clash: ['a', 'a'], final: true }],
    });
    // It gives up what it holds, and waits for all of it: not an unheard grant.
    const given = grant(sync(granting.table, 2, [], [request('u', 'b', 'a')], { run: 'two', slots: 1, now: 11 }), 11);
    expect(given.granted).toEqual({ one: ['t'] });
    expect(given.refused).toEqual({ two: [{ task: 'u', by: 't of run one', clash: ['b', 'b'] }] });
    expect(holdsOf(given.table, 'two')).toEqual({});
  });

  test('in a circle of three, only the last to ask gives way', () => {
    const holds = [request('t', 'a'), request('u', 'b'), request('v', 'c')];
    let table = sync(emptyLockTable(), 1, holds, [grows('t', 'a', 'b')]);
    table = sync(table, 2, holds, [grows('t', 'a', 'b'), grows('v', 'c', 'a')]);
    table = sync(table, 3, holds, [grows('t', 'a', 'b'), grows('v', 'c', 'a'), grows('u', 'b', 'c')]);
    const { refused } = grant(table, 3);
    expect(refused['r']?.filter(({ final }) => final === true).map(({ task }) => task)).toEqual(['u']);
    expect(refused['r']?.length).toBe(3);
  });

  test('asking for the same as an earlier one, waits for it, unless that waits for it', () => {
    const holds = [request('t', 'a'), request('u', 'b'), request('h', 'x')];
    let table = sync(emptyLockTable(), 1, holds, [grows('t', 'a', 'x', 'y')]);
    table = sync(table, 2, holds, [grows('t', 'a', 'x', 'y'), grows('u', 'b', 'y')]);
    expect(grant(table, 2).refused['r']).toContainEqual({ task: 'u', by: 't', clash: ['y', 'y'] });
    table = sync(emptyLockTable(), 1, holds, [grows('t', 'a', 'b', 'y')]);
    table = sync(table, 2, holds, [grows('t', 'a', 'b', 'y'), grows('u', 'b', 'y')]);
    expect(grant(table, 2).granted).toEqual({ r: ['u'] });
  });

  test('that holds nothing after all is one that waits like the others', () => {
    const table = sync(emptyLockTable(), 1, [], [grows('t', 'a')]);
    expect(grant(table, 1).granted).toEqual({});
    expect(grant(sync(table, 2, [], [grows('t', 'a')], { slots: 1 }), 2).granted).toEqual({ r: ['t'] });
  });
});
