import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { claimsMeet, type Claims } from '../../core/globs.ts';
import { answerTo, grant, type Granting } from '../../core/lock-grants.ts';
import { applySync, emptyLockTable, takeBack, type LockTable, type LockWant } from '../../core/locks.ts';
import { union } from '../../core/lock-growth.ts';

const PATHS = ['a/**', 'a/x.ts', 'b/**', 'b/*.ts', 'c', '**'];
const claims = fc.record({ reads: fc.subarray(PATHS, { maxLength: 2 }), writes: fc.subarray(PATHS, { maxLength: 2 }) });

interface Task {
  id: string;
  claims: Claims;
  priority: number;
}

/** What a task of a run's does. */
type Work =
  { state: 'wants'; claims: Claims } | { state: 'holds'; claims: Claims; needs: Claims | null } | { state: 'done' };

/** A run that behaves as the run workflow does: it learns what it holds, and what grew, from valid answers only. */
class ModelRun {
  readonly id: string;
  readonly slots: number;
  readonly tasks: readonly Task[];
  readonly work = new Map<string, Work>();
  gaveWay = 0;
  #seq = 0;

  constructor(id: string, tasks: readonly Task[], slots: number) {
    this.id = id;
    this.tasks = tasks;
    this.slots = slots;
    for (const task of tasks) this.work.set(task.id, { state: 'wants', claims: task.claims });
  }

  sync(table: LockTable, now: number): LockTable {
    this.#seq += 1;
    const holds = [];
    const wants: LockWant[] = [];
    for (const { id: task, priority } of this.tasks) {
      const work = this.work.get(task)!;
      if (work.state === 'holds') holds.push({ task, claims: work.claims, priority });
      if (work.state === 'wants') wants.push({ task, claims: work.claims, priority });
      if (work.state === 'holds' && work.needs !== null) {
        wants.push({ task, claims: union(work.claims, work.needs), priority, grows: true });
      }
    }
    const slots = this.slots - holds.length;
    return applySync(table, { run: this.id, seq: this.#seq, holds, wants, slots }, now);
  }

  learn(granting: Granting): void {
    const { seq, granted, grown = [], refused } = answerTo(this.id, granting);
    if (seq !== this.#seq) return;
    for (const task of granted) {
      const work = this.work.get(task)!;
      if (work.state === 'wants') this.work.set(task, { state: 'holds', claims: work.claims, needs: null });
    }
    for (const { task, writes } of grown) {
      const work = this.work.get(task)!;
      if (work.state !== 'holds' || work.needs?.writes.every((glob) => writes.includes(glob)) !== true) continue;
      this.work.set(task, { state: 'holds', claims: union(work.claims, work.needs), needs: null });
    }
    for (const { task, final } of refused) {
      const work = this.work.get(task)!;
      if (final !== true || work.state !== 'holds' || work.needs === null) continue;
      this.gaveWay += 1;
      this.work.set(task, { state: 'wants', claims: union(work.claims, work.needs) });
    }
  }

  #held(): [string, Extract<Work, { state: 'holds' }>][] {
    return [...this.work].flatMap(([id, work]) => (work.state === 'holds' ? [[id, work]] : []));
  }

  believed(): Claims[] {
    return this.#held().map(([, work]) => work.claims);
  }

  /** The first task that does not wait for more ends. */
  finish(): void {
    const [first] = this.#held().filter(([, { needs }]) => needs === null);
    if (first !== undefined) this.work.set(first[0], { state: 'done' });
  }

  /** The n-th of the tasks that work finds that it needs more. */
  grow(nth: number, needs: Claims): void {
    const able = this.#held().filter(([, work]) => work.needs === null);
    const chosen = able[nth % Math.max(1, able.length)];
    if (chosen !== undefined) this.work.set(chosen[0], { ...chosen[1], needs });
  }

  get done(): boolean {
    return [...this.work.values()].every(({ state }) => state === 'done');
  }
}

interface Plan {
  tasks: Task[];
  slots: number;
}

const plans: fc.Arbitrary<Plan[]> = fc
  .array(
    fc.tuple(
      fc.array(fc.record({ claims, priority: fc.integer({ min: 0, max: 2 }) }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 3 }),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((runs) =>
    runs.map(([tasks, slots]) => ({ tasks: tasks.map((task, at) => ({ ...task, id: `t${at}` })), slots })),
  );

const moves = fc.array(
  fc.record({
    run: fc.nat(2),
    move: fc.constantFrom('sync', 'sync', 'grant', 'grant', 'lost answer', 'finish', 'grow', 'terminate'),
    nth: fc.nat(5),
    // What a task wrote without having said so.
    needs: fc.subarray(PATHS, { minLength: 1, maxLength: 2 }).map((writes): Claims => ({ reads: [], writes })),
  }),
  { maxLength: 60 },
);

function expectNoClash(all: readonly Claims[]): void {
  for (const [at, one] of all.entries()) {
    for (const other of all.slice(at + 1)) expect(claimsMeet(one, other)).toBe(false);
  }
}

/** Plays moves. @returns the table, the runs that are left, and the time */
function play(
  runs: readonly Plan[],
  list: readonly { run: number; move: string; nth: number; needs: Claims }[],
): { table: LockTable; left: ModelRun[]; now: number } {
  let table = emptyLockTable();
  let left = runs.map(({ tasks, slots }, index) => new ModelRun(`run-${index}`, tasks, slots));
  let now = 0;
  for (const { run: which, move, nth, needs } of list) {
    const run = left[which % Math.max(1, left.length)];
    if (run === undefined) break;
    now += 1000;
    if (move === 'sync') table = run.sync(table, now);
    if (move === 'finish') run.finish();
    if (move === 'grow') run.grow(nth, needs);
    if (move === 'grant' || move === 'lost answer') {
      const granting = grant(table, now);
      table = granting.table;
      if (move === 'grant') for (const other of left) other.learn(granting);
    }
    if (move === 'terminate' && nth === 0) {
      table = takeBack(table, run.id, 'terminated', now);
      left = left.filter((other) => other !== run);
    }
    expectNoClash(Object.values(table.runs).flatMap(({ holds }) => holds.map((hold) => hold.claims)));
    // What the runs believe to hold never clashes either, between runs or within one.
    expectNoClash(left.flatMap((other) => other.believed()));
  }
  return { table, left, now };
}

describe('a lock table whose runs grow, end, die and do not hear', () => {
  test('never lets two clashing tasks hold their locks at once', () => {
    fc.assert(
      fc.property(plans, moves, (runs, list) => {
        play(runs, list);
      }),
      { numRuns: 400 },
    );
  });

  test('grants everything in the end, whatever happened before: nobody waits in a circle', () => {
    fc.assert(
      fc.property(plans, moves, (runs, list) => {
        const played = play(runs, list);
        let { table, now } = played;
        const { left } = played;
        const total = left.reduce((sum, run) => sum + run.tasks.length, 0);
        // Each round ends a task, hears of a grant, or lets one give way, which it does once at most from here on.
        for (let round = 0; round <= 4 * total + 4; round += 1) {
          now += 1000;
          for (const run of left) table = run.sync(table, now);
          const granting = grant(table, now);
          table = granting.table;
          for (const run of left) {
            run.learn(granting);
            run.finish();
          }
          expectNoClash(left.flatMap((run) => run.believed()));
        }
        for (const run of left) expect(run.done).toBe(true);
      }),
      { numRuns: 400 },
    );
  });
});
