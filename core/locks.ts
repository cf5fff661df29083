import { claimsMeet, type Claims, type GlobOptions } from './globs.ts';

/** A task's request for, or hold of, the paths that it claims. Granted whole or not at all, so there is no deadlock. */
export interface LockRequest {
  task: string;
  claims: Claims;
  /** Higher is served first. */
  priority: number;
}

/** A request in a snapshot. */
export interface LockWant extends LockRequest {
  /**
   * The task holds locks already and works; `claims` are those and what it needs besides. It takes no place, is served
   * before those that hold nothing, and is refused for good where its waiting could be a deadlock.
   */
  grows?: true;
}

/**
 * A run's whole view of its locks, sent to the lock table after each change. It replaces the one before, so a message
 * that is lost or doubled does no harm.
 */
export interface SyncRequest {
  /** Workflow id of the run. */
  run: string;
  /** Grows with each snapshot; an older one than the table has seen is ignored. */
  seq: number;
  holds: LockRequest[];
  /** What could start now, best first; at most {@link MOST_WANTS}. */
  wants: LockWant[];
  /** How many of the wants may be granted at most: free places under the run's `max_parallel`. */
  slots: number;
  /** How many tasks of all runs may work on the repository at once, as far as this run is concerned. */
  cap?: number;
}

/** The most wants in one snapshot; keeps the message small. */
export const MOST_WANTS = 32;

/** The table's answer to a snapshot, or its news when something was freed. Valid only for the run's newest `seq`. */
export interface LocksAnswer {
  seq: number;
  granted: string[];
  refused: LockRefusal[];
}

/** Why a want was not granted now. */
export interface LockRefusal {
  task: string;
  /** Who holds it, or waits for it longer: a task id, with its run where it is another. */
  by: string;
  /** The first pair of globs that meet: the waiter's and the other's; `null` if it is not for a clash that it waits. */
  clash?: [string, string] | null;
  /** It could be a deadlock to wait: the task has to give up what it holds. Only for a want that `grows`. */
  final?: true;
}

/** A waiter's priority grows by one for each of these milliseconds, so that no request waits for ever. */
const AGEING_MS = 5 * 60_000;

/** What the table knows of one run. */
export interface LockTableRun {
  seq: number;
  /** Tasks that the run's newest snapshot showed as held: it knows of those grants. */
  known: string[];
  holds: LockRequest[];
  wants: (LockRequest & { since: number })[];
  slots: number;
}

/** The lock table of one repository; plain JSON. Keys of `runs` are workflow ids. */
export interface LockTable {
  version: 1;
  runs: Record<string, LockTableRun>;
}

/** A table without runs. */
export function emptyLockTable(): LockTable {
  return { version: 1, runs: {} };
}

/**
 * Takes a run's snapshot into the table. A want that the table had granted already stays granted: the run had not heard
 * of it when it wrote the snapshot, and is told again.
 *
 * @param now milliseconds since the epoch; the arrival of new wants
 */
export function applySync(table: LockTable, sync: SyncRequest, now: number): LockTable {
  const before = table.runs[sync.run];
  if (before !== undefined && sync.seq < before.seq) return table;
  const wanted = new Set(sync.wants.map((want) => want.task));
  const held = new Set(sync.holds.map((hold) => hold.task));
  const unheard = (before?.holds ?? []).filter((hold) => wanted.has(hold.task) && !held.has(hold.task));
  const since = new Map(before?.wants.map((want) => [want.task, want.since]));
  const granted = new Set(unheard.map((hold) => hold.task));
  if (sync.holds.length + sync.wants.length === 0) return removeRun(table, sync.run);
  const run: LockTableRun = {
    seq: sync.seq,
    known: [...held],
    holds: [...sync.holds, ...unheard],
    wants: sync.wants
      .filter((want) => !granted.has(want.task))
      .map((want) => ({ ...want, since: since.get(want.task) ?? now })),
    slots: Math.max(0, sync.slots - unheard.length),
  };
  return { ...table, runs: { ...table.runs, [sync.run]: run } };
}

/** Takes a run out of the table with all that it holds. */
export function removeRun(table: LockTable, run: string): LockTable {
  return { ...table, runs: Object.fromEntries(Object.entries(table.runs).filter(([id]) => id !== run)) };
}

/** Grants by run, and for each waiter that stays why it waits. */
export interface Granting {
  table: LockTable;
  /** Newly granted tasks by run. */
  granted: Record<string, string[]>;
  /** By run: which tasks wait, and for whom (a task id, with its run where it is another). */
  refused: Record<string, { task: string; by: string }[]>;
}

/**
 * Grants what can be granted: a request that meets no holder and no earlier waiter. That second half is what keeps a
 * wide request from being starved by a stream of narrow ones. Order: priority with age, then arrival, then name.
 */
export function grant(table: LockTable, now: number): Granting {
  const granted: Record<string, string[]> = {};
  const refused: Record<string, { task: string; by: string }[]> = {};
  const runs = structuredCopy(table.runs);
  const taken = Object.entries(runs).flatMap(([run, { holds }]) => holds.map((hold) => ({ run, ...hold })));
  const globs: GlobOptions = { cache: new Map() };
  for (const waiter of waiters(table, now)) {
    const owner = runs[waiter.run];
    if (owner === undefined || owner.slots === 0) continue;
    const clash = taken.find((other) => claimsMeet(other.claims, waiter.claims, globs));
    taken.push(waiter);
    if (clash !== undefined) {
      const by = clash.run === waiter.run ? clash.task : `${clash.task} of ${clash.run}`;
      (refused[waiter.run] ??= []).push({ task: waiter.task, by });
      continue;
    }
    owner.slots -= 1;
    owner.holds.push({ task: waiter.task, claims: waiter.claims, priority: waiter.priority });
    owner.wants = owner.wants.filter((want) => want.task !== waiter.task);
    (granted[waiter.run] ??= []).push(waiter.task);
  }
  return { table: { ...table, runs }, granted, refused };
}

/** What a run has to be told: all grants that its snapshot does not show yet, told again, and who must wait for whom. */
export function answerTo(run: string, granting: Granting): LocksAnswer {
  const entry = granting.table.runs[run];
  const known = new Set(entry?.known);
  return {
    seq: entry?.seq ?? 0,
    granted: (entry?.holds ?? []).map((hold) => hold.task).filter((task) => !known.has(task)),
    refused: granting.refused[run] ?? [],
  };
}

interface Waiter extends LockRequest {
  run: string;
  since: number;
}

function waiters(table: LockTable, now: number): Waiter[] {
  const all = Object.entries(table.runs).flatMap(([run, { wants }]) => wants.map((want) => ({ run, ...want })));
  const rank = (waiter: Waiter): number => waiter.priority + Math.floor((now - waiter.since) / AGEING_MS);
  return all.sort((a, b) => rank(b) - rank(a) || a.since - b.since || compare(a.run, b.run) || compare(a.task, b.task));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function structuredCopy(runs: LockTable['runs']): LockTable['runs'] {
  return Object.fromEntries(
    Object.entries(runs).map(([id, run]) => [id, { ...run, holds: [...run.holds], wants: [...run.wants] }]),
  );
}
