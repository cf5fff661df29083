import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { claimsMeet } from '../../core/globs.ts';
import { answerTo, grant, lockList } from '../../core/lock-grants.ts';
import { MOST_PASSES } from '../../core/lock-rules.ts';
import {
  applySync,
  emptyLockTable,
  MOST_TAKE_BACKS,
  removeRun,
  silenceRun,
  takeBack,
  type LockHold,
  type LockTable,
  type LockWant,
} from '../../core/locks.ts';

const request = (task: string, ...writes: string[]): LockWant => ({ task, claims: { reads: [], writes }, priority: 0 });
const holders = (table: LockTable): string[] =>
  Object.values(table.runs).flatMap((run) => run.holds.map((hold) => hold.task));

/** A run's snapshot, in a table of its own if none is given; sequence and arrival are the same number. */
function synced(
  wants: LockWant[],
  options: { table?: LockTable; run?: string; seq?: number; holds?: LockHold[]; slots?: number; cap?: number } = {},
): LockTable {
  const { table = emptyLockTable(), run = 'r', seq = 1, holds = [], slots = 9, cap } = options;
  return applySync(table, { run, seq, holds, wants, slots, ...(cap === undefined ? {} : { cap }) }, seq);
}

describe('the order of grants', () => {
  test('is by priority, then by what depends on it and who else wants the same, then arrival, then the run', () => {
    const one = (task: string, more: Partial<LockWant>): LockWant => ({ ...request(task, 'a'), ...more });
    const served = (...wants: LockWant[]): string[] => {
      const order: string[] = [];
      let [table, left] = [synced(wants), wants];
      for (let seq = 2; left.length > 0; seq += 1) {
        order.push(...(grant(table, seq).granted['r'] ?? []));
        left = left.filter(({ task }) => !order.includes(task));
        table = synced(left, { table, seq });
      }
      return order;
    };
    expect(served(one('x', {}), one('y', { priority: 1 }), one('z', {}))).toEqual(['y', 'x', 'z']);
    expect(served(one('x', { weight: 5 }), one('y', { weight: 7 }))).toEqual(['y', 'x']);
    expect(served(one('x', { priority: 1 }), one('y', { weight: 7 }))).toEqual(['x', 'y']);
    // What two others wait for goes first.
    const wanted = { ...request('both', 'b', 'c'), weight: 5, length: 5 };
    const rivals = [request('b', 'b'), request('c', 'c')].map((want) => ({ ...want, weight: 6, length: 6 }));
    expect(served(...rivals, wanted)).toEqual(['both', 'b', 'c']);
  });

  test("is nobody's whose run has no place, and more than the places never", () => {
    const wants = [request('a', 'a'), request('b', 'b')];
    expect(grant(synced(wants, { slots: 0 }), 1)).toMatchObject({ granted: {}, refused: {} });
    expect(grant(synced(wants, { slots: 1 }), 1)).toMatchObject({ granted: { r: ['a'] }, refused: {} });
  });

  test('lets pass those that clash only with one who cannot be served yet', () => {
    const holds = [request('h', 'a')];
    const granting = grant(synced([request('wide', 'a', 'b'), request('narrow', 'b')], { holds }), 1);
    expect(granting.granted).toEqual({ r: ['narrow'] });
    expect(granting.refused).toEqual({ r: [{ task: 'wide', by: 'h', clash: ['a', 'a'] }] });
  });

  test('a wide request is passed by at most so many that came later, however many come, whatever their priority', () => {
    const stream = fc.array(
      fc.record({
        glob: fc.constantFrom('a', 'b', 'c', 'd'),
        priority: fc.nat(3),
        length: fc.integer({ min: 1, max: 9 }),
      }),
      { minLength: 60, maxLength: 120 },
    );
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 8 }), fc.boolean(), (narrow, slots, other) => {
        const wide = { task: 'wide', claims: { reads: [], writes: ['**'] }, priority: 0 };
        const run = other ? 'other' : 'r';
        let table = synced([wide], { run, slots: 1, holds: [], seq: 10 });
        // Something that it waits for is there from the start.
        const ends = new Map([['first', 2]]);
        const waiting: LockWant[] = [];
        const known = new Map<string, LockHold>([['first', request('first', 'a')]]);
        let passed = 0;
        for (let step = 0; step < 1000 && !holders(table).includes('wide'); step += 1) {
          const next = narrow[step % narrow.length]!;
          waiting.push({ ...request(`n${step}`, next.glob), priority: next.priority });
          for (const [task, end] of ends) if (end <= step) ends.delete(task);
          const holds = [...ends.keys()].map((task) => known.get(task)!);
          const wants = waiting.filter(({ task }) => !known.has(task)).slice(0, 31);
          const seq = 11 + step;
          table = synced(other ? wants : [wide, ...wants], { table, seq, holds, slots: slots - holds.length });
          if (other) table = synced([wide], { table, run, seq, slots: 1 });
          const granting = grant(table, seq);
          table = granting.table;
          for (const task of granting.granted['r'] ?? []) {
            if (task === 'wide') continue;
            passed += 1;
            known.set(
              task,
              waiting.find((want) => want.task === task)!,
            );
            ends.set(task, step + next.length);
          }
        }
        expect(holders(table)).toContain('wide');
        expect(passed).toBeLessThanOrEqual(MOST_PASSES);
      }),
      { numRuns: 100 },
    );
  });

  test('serves those who were passed too often by arrival', () => {
    const wants = ['x', 'y'].map((task) => request(task, 'a'));
    let table = synced([wants[1]!], { seq: 1 });
    table = synced(wants, { table, seq: 2 });
    const entry = table.runs['r']!;
    const often = entry.wants.map((want) => ({ ...want, passed: MOST_PASSES, priority: want.task === 'x' ? 5 : 0 }));
    const granting = grant({ ...table, runs: { r: { ...entry, wants: often } } }, 3);
    expect(granting.granted).toEqual({ r: ['y'] });
  });
});

describe('the lock table', () => {
  test('readers share, and a writer waits for them', () => {
    const reads = (task: string) => ({ task, claims: { reads: ['src/**'], writes: [] }, priority: 0 });
    const writes = { task: 'w', claims: { reads: [], writes: ['src/a.ts'] }, priority: 0 };
    const table = applySync(
      emptyLockTable(),
      { run: 'r', seq: 1, holds: [], wants: [reads('a'), reads('b'), writes], slots: 9 },
      0,
    );
    const granting = grant(table, 0);
    expect(granting.granted).toEqual({ r: ['a', 'b'] });
    expect(granting.refused['r']).toEqual([{ task: 'w', by: 'a', clash: ['src/a.ts', 'src/**'] }]);
  });

  test('an older snapshot changes nothing, and a run that wants and holds nothing is forgotten', () => {
    const want = { task: 'a', claims: { reads: [], writes: ['a'] }, priority: 0 };
    const table = applySync(emptyLockTable(), { run: 'r', seq: 5, holds: [], wants: [want], slots: 1 }, 0);
    expect(applySync(table, { run: 'r', seq: 4, holds: [want], wants: [], slots: 1 }, 0)).toBe(table);
    expect(applySync(table, { run: 'r', seq: 6, holds: [], wants: [], slots: 1 }, 0).runs).toEqual({});
    expect(removeRun(table, 'r').runs).toEqual({});
  });

  test('a grant that the run did not hear of is told again, and given back when the run no longer wants it', () => {
    const want = { task: 'a', claims: { reads: [], writes: ['a'] }, priority: 0 };
    const first = grant(applySync(emptyLockTable(), { run: 'r', seq: 1, holds: [], wants: [want], slots: 1 }, 0), 0);
    const again = grant(applySync(first.table, { run: 'r', seq: 2, holds: [], wants: [want], slots: 1 }, 1), 1);
    expect(answerTo('r', again)).toEqual({ seq: 2, granted: ['a'], refused: [] });
    const paused = applySync(again.table, { run: 'r', seq: 3, holds: [], wants: [], slots: 0 }, 2);
    expect(holders(paused)).toEqual([]);
  });

  test('what a run was known to hold, and wants now, it gave up', () => {
    const want = request('a', 'a');
    const held = synced([], { holds: [want] });
    const again = synced([want], { table: held, seq: 2, slots: 0 });
    expect(holders(again)).toEqual([]);
    expect(holders(grant(synced([want], { table: again, seq: 3 }), 3).table)).toEqual(['a']);
  });

  test('grants no more than the smallest cap of all runs; who waits for a person does not count', () => {
    const idle = { ...request('idle', 'i'), idle: true } as const;
    let table = synced([request('a', 'a'), request('b', 'b')], {
      run: 'one',
      holds: [request('h', 'h'), idle],
      cap: 2,
    });
    table = synced([request('c', 'c')], { table, run: 'two', cap: 5 });
    const granting = grant(table, 1);
    expect(granting.granted).toEqual({ one: ['a'] });
    const reason = { by: 'a free place on the repository', clash: null };
    expect(granting.refused).toEqual({ one: [{ task: 'b', ...reason }], two: [{ task: 'c', ...reason }] });
    const capless = synced([request('c', 'c')], { table: removeRun(granting.table, 'one'), run: 'two', seq: 2 });
    expect(grant(capless, 2).granted).toEqual({ two: ['c'] });
  });

  test('ignores case if one of its runs does', () => {
    const upper = applySync(
      emptyLockTable(),
      { run: 'one', seq: 1, holds: [request('h', 'SRC/**')], wants: [], slots: 0, ignoreCase: true },
      1,
    );
    expect(grant(synced([request('t', 'src/a')], { table: upper, run: 'two' }), 1).refused).toEqual({
      two: [{ task: 't', by: 'h of run one', clash: ['src/a', 'SRC/**'] }],
    });
    expect(
      grant(synced([request('t', 'src/a')], { table: synced([], { holds: [request('h', 'SRC/**')] }), run: 'two' }), 1)
        .granted,
    ).toEqual({ two: ['t'] });
  });

  test('remembers the newest take-backs, and only of what was held', () => {
    let table = emptyLockTable();
    for (let index = 0; index < MOST_TAKE_BACKS + 5; index += 1) {
      const run = `run-${index}`;
      table = synced([], { table, run, holds: [request('a', `p${index}`), request('b', `q${index}`)] });
      table = takeBack(table, run, 'terminated', index);
    }
    expect(table.runs).toEqual({});
    expect(table.takenBack).toHaveLength(MOST_TAKE_BACKS);
    expect(table.takenBack.at(-1)).toEqual({
      run: `run-${MOST_TAKE_BACKS + 4}`,
      tasks: ['a', 'b'],
      reason: 'the run was terminated',
      at: MOST_TAKE_BACKS + 4,
    });
    expect(takeBack(synced([request('w', 'w')]), 'r', 'timed out', 1).takenBack).toEqual([]);
  });

  test('a run that is over keeps what it holds, and gets no more, until that is taken back', () => {
    const table = silenceRun(synced([request('w', 'w')], { holds: [request('h', 'h')] }), 'r');
    const granting = grant(synced([request('x', 'h')], { table, run: 'other' }), 1);
    expect(granting).toMatchObject({ granted: {}, refused: { other: [{ by: 'h of run r' }] } });
  });

  test('lists who holds since when, and for what each of the others waits', () => {
    const first = grant(synced([request('a', 'x/**')], { slots: 1 }), 5).table;
    const wants = [request('b', 'x/1'), request('c', 'c')];
    const table = synced(wants, { table: first, holds: [request('a', 'x/**')], slots: 0, seq: 7 });
    expect(lockList(table)).toEqual({
      holders: [{ run: 'r', task: 'a', claims: { reads: [], writes: ['x/**'] }, since: 5 }],
      waiters: [
        { run: 'r', task: 'b', since: 7, by: 'a', clash: ['x/1', 'x/**'] },
        { run: 'r', task: 'c', since: 7, by: 'a free place in its run', clash: null },
      ],
    });
    expect(lockList(synced([], { holds: [request('a', 'a')] })).holders).toMatchObject([{ since: null }]);
  });

  test('of many waiters and holders says for each the pair of globs that meet, or grants it', () => {
    const glob = fc.constantFrom('a/**', 'a/b', 'c/*', 'c/d', 'e');
    const wants = fc.array(glob, { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(wants, wants, (held, wanted) => {
        const holds: LockHold[] = [];
        for (const [index, path] of held.entries()) {
          const hold = request(`h${index}`, path);
          if (!holds.some((other) => claimsMeet(other.claims, hold.claims))) holds.push(hold);
        }
        const granting = grant(
          synced(
            wanted.map((path, index) => request(`w${index}`, path)),
            { holds, slots: 99 },
          ),
          1,
        );
        for (const { clash } of granting.refused['r'] ?? []) {
          const [one, other] = clash!;
          expect(claimsMeet({ reads: [], writes: [one] }, { reads: [], writes: [other] })).toBe(true);
        }
        const decided = [...(granting.granted['r'] ?? []), ...(granting.refused['r'] ?? []).map(({ task }) => task)];
        expect(decided.sort()).toEqual(wanted.map((_, index) => `w${index}`).sort());
      }),
    );
  });
});
