import { runWords } from './ids.ts';
import type { Claims, GlobCaches } from './globs.ts';
import { union, type Decision, type Owner } from './lock-growth.ts';
import { decide } from './lock-rules.ts';
import type { LockRefusal, LocksAnswer, LockTable, LockTableRun, TableWant } from './locks.ts';

/** Grants by run, and for each waiter that stays why it waits. */
export interface Granting {
  table: LockTable;
  /** Newly granted tasks by run. */
  granted: Record<string, string[]>;
  /** By run. Who only waits for a place of its own run is not among them: the run knows. */
  refused: Record<string, LockRefusal[]>;
}

/**
 * Grants what can be granted now, see {@link decide}.
 *
 * @param now milliseconds since the epoch
 * @param caches keeps what globs are compiled to between calls; worth it where there are many
 */
export function grant(table: LockTable, now: number, caches?: GlobCaches): Granting {
  const granted: Record<string, string[]> = {};
  const refused: Record<string, LockRefusal[]> = {};
  const runs = Object.fromEntries(Object.entries(table.runs).map(([id, run]) => [id, { ...run }]));
  const { decisions, passed } = decide(table, caches);
  for (const decision of decisions) {
    const { waiter, verdict } = decision;
    const run = runs[waiter.run];
    if (run === undefined) continue;
    if (verdict.kind === 'granted') {
      (granted[waiter.run] ??= []).push(waiter.task);
      take(run, waiter.want, now);
      continue;
    }
    const count = passed.get(waiter) ?? waiter.want.passed;
    if (count > waiter.want.passed) {
      run.wants = run.wants.map((want) => (want.task === waiter.task ? { ...want, passed: count } : want));
    }
    if (verdict.kind !== 'no_place' || verdict.of !== 'run') (refused[waiter.run] ??= []).push(refusalOf(decision));
  }
  return { table: { ...table, runs }, granted, refused };
}

function take(run: LockTableRun, { since: _since, passed: _passed, grows, ...request }: TableWant, now: number): void {
  run.wants = run.wants.filter((want) => want.task !== request.task);
  if (grows === true) {
    run.holds = run.holds.map((hold) =>
      hold.task === request.task ? { ...hold, claims: union(hold.claims, request.claims), grown: true } : hold,
    );
    return;
  }
  run.holds = [...run.holds, { ...request, since: now }];
  run.slots -= 1;
}

/** What a run has to be told: all grants that its snapshot does not show yet, told again, and who must wait for whom. */
export function answerTo(run: string, { table, refused }: Granting): LocksAnswer {
  const { seq = 0, known = [], holds = [] } = table.runs[run] ?? {};
  const grown = holds.filter((hold) => hold.grown === true);
  return {
    seq,
    granted: holds.map(({ task }) => task).filter((task) => !known.includes(task)),
    ...(grown.length === 0 ? {} : { grown: grown.map(({ task, claims }) => ({ task, writes: claims.writes })) }),
    refused: refused[run] ?? [],
  };
}

/** Who holds and who waits. Times are milliseconds since the epoch. */
export interface LockList {
  /** `since`: when it was granted; `null` if the table only knows it from the run. Longest first. */
  holders: (Owner & { claims: Claims; since: number | null })[];
  /** Who comes next first; see {@link LockRefusal} for `by`, `clash` and `final`. */
  waiters: (Owner & LockRefusal & { since: number })[];
}

/** The table as people want to see it. */
export function lockList(table: LockTable): LockList {
  const holders = Object.entries(table.runs).flatMap(([run, { holds }]) =>
    holds.map(({ task, claims, since }) => ({ run, task, claims, since: since ?? null })),
  );
  const waiters = decide(table).decisions.map((decision) => {
    const { run, want } = decision.waiter;
    return { run, since: want.since, ...refusalOf(decision) };
  });
  return { holders: holders.sort((a, b) => (a.since ?? 0) - (b.since ?? 0)), waiters };
}

function refusalOf({ waiter: { run, task }, verdict }: Decision): LockRefusal {
  switch (verdict.kind) {
    case 'granted':
      return { task, by: 'its turn', clash: null };
    case 'no_place':
      return { task, by: `a free place ${verdict.of === 'run' ? 'in its run' : 'on the repository'}`, clash: null };
    case 'waits':
    case 'deadlock': {
      const { owner, clash } = verdict.obstacle;
      const by = owner.run === run ? owner.task : `${owner.task} of ${runWords(owner.run, run)}`;
      return verdict.kind === 'waits' ? { task, by, clash } : { task, by, clash, final: true };
    }
  }
}
