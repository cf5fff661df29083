import type { Claims } from './globs.ts';

/** A task's request for, or hold of, the paths that it claims. Granted whole or not at all, so there is no deadlock. */
export interface LockRequest {
  task: string;
  claims: Claims;
  /** Higher is served first. */
  priority: number;
  /** Among equal priorities, the heavier is served first: the time that all that depends on it takes, milliseconds. */
  weight?: number;
  /** How long it may take itself, milliseconds. */
  length?: number;
}

/** What a task holds, in a snapshot. */
export interface LockHold extends LockRequest {
  /** It holds its locks but does nothing: it waits for a person. It takes no place. */
  idle?: true;
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
  holds: LockHold[];
  /** What could start now, best first; at most {@link MOST_WANTS}. */
  wants: LockWant[];
  /** How many of the wants may be granted at most: free places under the run's `max_parallel`. */
  slots: number;
  /** How many tasks of all runs may work on the repository at once, as far as this run is concerned. */
  cap?: number;
  /** Names that differ only in case mean one file. */
  ignoreCase?: true;
}

/** The most wants in one snapshot; keeps the message small. */
export const MOST_WANTS = 32;

/** The table's answer to a snapshot, or its news when something was freed. Valid only for the run's newest `seq`. */
export interface LocksAnswer {
  seq: number;
  /** Who held nothing and holds all that it wanted now. */
  granted: string[];
  /** Who grew, and all that it may write now: a run must not take it for the answer to what the task asks for since. */
  grown?: { task: string; writes: string[] }[];
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

/** What a task holds, as the table knows it. */
export interface TableHold extends LockHold {
  /** When it was granted, milliseconds since the epoch; a table that was told of it by a snapshot does not know. */
  since?: number;
  /** Its claims hold more than its run knows: a want that grew was granted, and the run has to be told. */
  grown?: true;
}

/** What a task waits for. */
export interface TableWant extends LockWant {
  /** When it arrived, milliseconds since the epoch. */
  since: number;
  /** How many requests that clash with it, and came later, were granted before it. */
  passed: number;
}

/** What the table knows of one run. */
export interface LockTableRun {
  seq: number;
  /** Tasks that the run's newest snapshot showed as held: it knows of those grants. */
  known: string[];
  holds: TableHold[];
  wants: TableWant[];
  slots: number;
  cap?: number;
  ignoreCase?: true;
}

/** Locks that were taken back, as their run cannot give them back any more. */
export interface TakeBack {
  run: string;
  tasks: string[];
  /** What became of the run, such as `the run was terminated`. */
  reason: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** The lock table of one repository; plain JSON. Keys of `runs` are workflow ids. */
export interface LockTable {
  version: 1;
  runs: Record<string, LockTableRun>;
  /** The newest at the end; at most {@link MOST_TAKE_BACKS}. */
  takenBack: TakeBack[];
}

/** How many take-backs the table remembers. */
export const MOST_TAKE_BACKS = 50;

/** A table without runs. */
export function emptyLockTable(): LockTable {
  return { version: 1, runs: {}, takenBack: [] };
}

/**
 * Takes a run's snapshot into the table. What the table had granted and the run had not heard of when it wrote the
 * snapshot stays granted, as long as the run still wants it, and is told again. What a run was known to hold and does
 * not hold any more, it gave up, even if it wants it anew.
 *
 * @param now milliseconds since the epoch; the arrival of new wants
 */
export function applySync(table: LockTable, sync: SyncRequest, now: number): LockTable {
  const before = table.runs[sync.run];
  if (before !== undefined && sync.seq < before.seq) return table;
  if (sync.holds.length + sync.wants.length === 0) return removeRun(table, sync.run);
  const held = new Set(sync.holds.map((hold) => hold.task));
  const wants = new Map(sync.wants.map((want) => [want.task, held.has(want.task) ? want : withoutGrowth(want)]));
  const unheard = new Map(
    (before?.holds ?? []).flatMap((hold) =>
      isUnheard(hold, before, held, wants.get(hold.task)) ? [[hold.task, hold]] : [],
    ),
  );
  const granted = new Map(before?.holds.map((hold) => [hold.task, hold.since]));
  const fresh = [...unheard.values()].filter((hold) => !held.has(hold.task));
  const run: LockTableRun = {
    seq: sync.seq,
    known: [...held],
    holds: [...sync.holds.map((hold) => unheard.get(hold.task) ?? withSince(hold, granted.get(hold.task))), ...fresh],
    wants: [...wants.values()].filter((want) => !unheard.has(want.task)).map((want) => arrived(want, before, now)),
    slots: Math.max(0, sync.slots - fresh.length),
    ...(sync.cap === undefined ? {} : { cap: sync.cap }),
    ...(sync.ignoreCase === undefined ? {} : { ignoreCase: sync.ignoreCase }),
  };
  return { ...table, runs: { ...table.runs, [sync.run]: run } };
}

/** Has the table granted this, and the run, which wants it, not heard of it? */
function isUnheard(
  hold: TableHold,
  before: LockTableRun | undefined,
  held: ReadonlySet<string>,
  want: LockWant | undefined,
): boolean {
  if (want === undefined) return false;
  if (!held.has(hold.task)) return want.grows !== true && before?.known.includes(hold.task) !== true;
  return want.grows === true && hold.grown === true && covers(hold.claims, want.claims);
}

function withSince(hold: LockHold, since: number | undefined): TableHold {
  return since === undefined ? hold : { ...hold, since };
}

/** Who holds nothing has nothing that could grow. */
function withoutGrowth({ grows: _grows, ...want }: LockWant): LockWant {
  return want;
}

/** A want with its place in the queue; one that has become another (it held nothing, and grows now) queues anew. */
function arrived(want: LockWant, before: LockTableRun | undefined, now: number): TableWant {
  const known = before?.wants.find((other) => other.task === want.task && other.grows === want.grows);
  return { ...want, since: known?.since ?? now, passed: known?.passed ?? 0 };
}

function covers(claims: Claims, others: Claims): boolean {
  const writes = new Set(claims.writes);
  const reads = new Set(claims.reads);
  return others.writes.every((glob) => writes.has(glob)) && others.reads.every((glob) => reads.has(glob));
}

/** Takes a run out of the table with all that it holds. */
export function removeRun(table: LockTable, run: string): LockTable {
  return { ...table, runs: Object.fromEntries(Object.entries(table.runs).filter(([id]) => id !== run)) };
}

/** Lets a run that is over wait for nothing more; what it holds it keeps until {@link takeBack}. */
export function silenceRun(table: LockTable, run: string): LockTable {
  const entry = table.runs[run];
  return entry === undefined ? table : { ...table, runs: { ...table.runs, [run]: { ...entry, wants: [], slots: 0 } } };
}

/**
 * Takes a run out of the table that will never give back what it holds, and remembers why.
 *
 * @param how how the run closed, such as `terminated`
 * @param at milliseconds since the epoch
 */
export function takeBack(table: LockTable, run: string, how: string, at: number): LockTable {
  const tasks = (table.runs[run]?.holds ?? []).map((hold) => hold.task);
  const next = removeRun(table, run);
  if (tasks.length === 0) return next;
  const reason = REASONS[how] ?? `the run is ${how}`;
  return { ...next, takenBack: [...next.takenBack, { run, tasks, reason, at }].slice(-MOST_TAKE_BACKS) };
}

const REASONS: Readonly<Record<string, string>> = {
  terminated: 'the run was terminated',
  cancelled: 'the run was cancelled',
  deleted: 'the run was deleted',
  'timed out': 'the run timed out',
  completed: 'the run completed without giving them back',
  failed: 'the run failed without giving them back',
};
