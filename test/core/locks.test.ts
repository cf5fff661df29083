import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { claimsMeet, type Claims } from '../../core/globs.ts';
import { answerTo, applySync, emptyLockTable, grant, removeRun, type LockTable } from '../../core/locks.ts';

const PATHS = ['a/**', 'a/x.ts', 'b/**', 'b/*.ts', 'c', '**'];
const claims = fc.record({ reads: fc.subarray(PATHS, { maxLength: 2 }), writes: fc.subarray(PATHS, { maxLength: 2 }) });

interface Task {
  id: string;
  claims: Claims;
  priority: number;
}

/** A run that behaves as the run workflow does: it wants all its tasks, and learns what it holds from valid answers. */
class ModelRun {
  readonly id: string;
  readonly slots: number;
  #seq = 0;
  readonly holds = new Set<string>();
  readonly done = new Set<string>();
  readonly tasks: Task[];

  constructor(id: string, tasks: Task[], slots: number) {
    this.id = id;
    this.tasks = tasks;
    this.slots = slots;
  }

  sync(table: LockTable, now: number): LockTable {
    this.#seq += 1;
    const request = ({ id, claims, priority }: Task) => ({ task: id, claims, priority });
    return applySync(
      table,
      {
        run: this.id,
        seq: this.#seq,
        holds: this.tasks.filter((task) => this.holds.has(task.id)).map(request),
        wants: this.tasks.filter((task) => !this.holds.has(task.id) && !this.done.has(task.id)).map(request),
        slots: this.slots - this.holds.size,
      },
      now,
    );
  }

  learn(seq: number, granted: readonly string[]): void {
    if (seq !== this.#seq) return;
    for (const task of granted) if (!this.done.has(task)) this.holds.add(task);
  }

  finish(): void {
    const [first] = this.holds;
    if (first === undefined) return;
    this.holds.delete(first);
    this.done.add(first);
  }
}

const models = fc
  .array(fc.array(fc.record({ claims, priority: fc.integer({ min: 0, max: 2 }) }), { minLength: 1, maxLength: 6 }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((runs) =>
    runs.map(
      (tasks, index) =>
        new ModelRun(
          `run-${index}`,
          tasks.map((task, at) => ({ ...task, id: `t${at}` })),
          2,
        ),
    ),
  );

function holders(table: LockTable): { claims: Claims }[] {
  return Object.values(table.runs).flatMap((run) => run.holds);
}

function expectNoClash(table: LockTable): void {
  const all = holders(table);
  for (const [at, one] of all.entries()) {
    for (const other of all.slice(at + 1)) expect(claimsMeet(one.claims, other.claims)).toBe(false);
  }
}

describe('the lock table', () => {
  test('never lets two clashing tasks hold their locks at once, whatever order, loss and doubling of messages', () => {
    fc.assert(
      fc.property(
        models,
        fc.array(fc.tuple(fc.nat(2), fc.constantFrom('sync', 'lose', 'finish', 'grant'))),
        (runs, moves) => {
          let table = emptyLockTable();
          let now = 0;
          for (const [which, move] of moves) {
            const run = runs[which % runs.length]!;
            now += 1000;
            if (move === 'sync' || move === 'lose') table = run.sync(table, now);
            if (move === 'finish') run.finish();
            if (move === 'grant') {
              const granting = grant(table, now);
              table = granting.table;
              for (const other of runs) {
                const answer = answerTo(other.id, granting);
                other.learn(answer.seq, answer.granted);
              }
            }
            expectNoClash(table);
            // What the runs believe to hold never clashes either, between runs or within one.
            const believed = runs.flatMap((other) => other.tasks.filter((task) => other.holds.has(task.id)));
            for (const [at, one] of believed.entries()) {
              for (const other of believed.slice(at + 1)) expect(claimsMeet(one.claims, other.claims)).toBe(false);
            }
          }
        },
      ),
    );
  });

  test('grants every request in the end, when holders finish', () => {
    fc.assert(
      fc.property(models, (runs) => {
        let table = emptyLockTable();
        const total = runs.reduce((sum, run) => sum + run.tasks.length, 0);
        for (let round = 0; round <= total; round += 1) {
          for (const run of runs) table = run.sync(table, round * 1000);
          const granting = grant(table, round * 1000);
          table = granting.table;
          for (const run of runs) {
            const answer = answerTo(run.id, granting);
            run.learn(answer.seq, answer.granted);
            run.finish();
          }
        }
        for (const run of runs) expect(run.done.size).toBe(run.tasks.length);
      }),
    );
  });

  test('a wide request is granted after at most the narrow ones that hold or waited before it', () => {
    const narrow = (task: string) => ({ task, claims: { reads: [], writes: [`${task}/**`] }, priority: 0 });
    const wide = { task: 'wide', claims: { reads: [], writes: ['**'] }, priority: 0 };
    const sync = (seq: number, holds: string[], wants: (typeof wide)[]) =>
      ({ run: 'r', seq, holds: holds.map(narrow), wants, slots: 4 }) as const;
    let table = applySync(emptyLockTable(), { ...sync(1, ['n0'], [wide]) }, 0);
    table = grant(table, 0).table;
    // A stream of newcomers, none of which the wide one has to let pass.
    table = applySync(table, { ...sync(2, ['n0'], [wide, narrow('n1'), narrow('n2')]) }, 1);
    const second = grant(table, 1);
    expect(second.granted).toEqual({});
    expect(second.refused['r']).toContainEqual({ task: 'wide', by: 'n0' });
    expect(second.refused['r']).toContainEqual({ task: 'n1', by: 'wide' });
    table = applySync(second.table, { ...sync(3, [], [wide, narrow('n1'), narrow('n2')]) }, 2);
    expect(grant(table, 2).granted).toEqual({ r: ['wide'] });
  });

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
    expect(granting.refused['r']).toEqual([{ task: 'w', by: 'a' }]);
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
});
