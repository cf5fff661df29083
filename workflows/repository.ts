import { allHandlersFinished, condition, continueAsNew, setHandler } from '@temporalio/workflow';
import { answerTo, grant } from '../core/lock-grants.ts';
import { newGlobCaches } from '../core/globs.ts';
import { applySync, emptyLockTable, silenceRun, takeBack, type LockTable } from '../core/locks.ts';
import type { RepositoryInput } from '../core/workflow-inputs.ts';
import { runActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { isLong, signalIfOpen } from './services.ts';

/** Without a run for so long, the table goes home; the next snapshot starts it again. */
const IDLE = '10m';

/** How often the runs in the table are looked for, milliseconds: one that was terminated cannot say so. */
const ROLL_CALL = 30_000;

/** How long a new table waits for the runs it found, before it looks whether they still live. */
const PATIENCE = '5s';

/**
 * The lock table of one repository, for all its runs. Its state is what the runs' snapshots say: a new table asks them
 * all, and grants nothing before each has answered or is closed.
 */
export async function repository(input: RepositoryInput): Promise<void> {
  let table: LockTable = { ...emptyLockTable(), ...input.table };
  const caches = newGlobCaches();
  const silent = new Set<string>();
  const heard = new Set<string>();
  /** Runs that are new here: as they may wait for others, it is looked whether those still live. */
  const newcomers = new Set<string>();
  /** Runs that are over, and whose tasks are being ended. */
  const ending = new Set<string>();
  // Who it had called just before is called again: the answer would have come too late.
  let called = input.table === undefined ? Date.now() : 0;
  // Others write these between awaits, which the compiler's flow analysis does not see.
  let changed = false as boolean;
  let calling = false as boolean;

  setHandler(messages.lockTableQuery, () => table);
  setHandler(messages.syncSignal, (sync) => {
    if (table.runs[sync.run] === undefined) newcomers.add(sync.run);
    table = applySync(table, sync, Date.now());
    silent.delete(sync.run);
    heard.add(sync.run);
    changed = true;
  });

  /** Takes back what a closed run held, but only when its tasks have ended: until then they may write. */
  const reap = async (run: string, how: string, seq: number | undefined): Promise<void> => {
    // One that was started again meanwhile has sent a snapshot, and waits for its answer.
    if (ending.has(run) || table.runs[run]?.seq !== seq) return;
    ending.add(run);
    table = silenceRun(table, run);
    try {
      if (!(await runActivities('end the tasks of a run that is over').endTasks({ run }))) return;
    } finally {
      ending.delete(run);
    }
    silent.delete(run);
    if (table.runs[run]?.seq !== seq) return;
    table = takeBack(table, run, how, Date.now());
    changed = true;
  };
  /** Finds out which runs are over. @returns what goes on for each of those */
  const rollCall = async (runs: readonly string[]): Promise<Promise<void>[]> => {
    called = Date.now();
    const seqs = new Map(runs.map((run) => [run, table.runs[run]?.seq]));
    const closed = await runActivities('which runs are over').closedRuns({ runs: [...runs] });
    return closed.map(({ run, how }) => reap(run, how, seqs.get(run)));
  };
  /** Looks for runs while others are served. What fails is done by the next call. */
  const rollCallAside = async (runs: readonly string[]): Promise<void> => {
    calling = true;
    try {
      for (const reaping of await rollCall(runs)) reaping.catch(() => undefined);
    } catch {
      // The next call finds them.
    } finally {
      calling = false;
    }
  };
  const serve = async (): Promise<void> => {
    changed = false;
    const granting = grant(table, Date.now(), caches);
    table = granting.table;
    const answer = new Set([...heard, ...Object.keys(granting.granted)].filter((run) => table.runs[run] !== undefined));
    heard.clear();
    await Promise.all([...answer].map((run) => signalIfOpen(run, messages.locksSignal, answerTo(run, granting))));
  };

  if (input.table === undefined) {
    for (const run of await runActivities('which runs are open').openRuns({ repository: input.repository.id })) {
      if (table.runs[run] !== undefined || heard.has(run)) continue;
      silent.add(run);
      if (!(await signalIfOpen(run, messages.resyncSignal))) silent.delete(run);
    }
    while (silent.size > 0 && !(await condition(() => silent.size === 0, PATIENCE))) {
      await Promise.all(await rollCall([...silent]));
      if (isLong()) await continueAsNew<typeof repository>(input);
    }
  }
  for (;;) {
    if (changed) await serve();
    // A roll call under way is lost, and made again.
    if (isLong() && !changed) await continueAsNew<typeof repository>({ ...input, table });
    const runs = Object.keys(table.runs);
    if (!calling && (newcomers.size > 0 || Date.now() - called >= ROLL_CALL)) {
      const asked = newcomers.size > 0 ? runs.filter((run) => !newcomers.has(run)) : runs;
      newcomers.clear();
      called = Date.now();
      if (asked.length > 0) void rollCallAside(asked);
    }
    const patience = calling ? ROLL_CALL : Math.max(1, called + ROLL_CALL - Date.now());
    const woken = await condition(() => changed || (newcomers.size > 0 && !calling), runs.length > 0 ? patience : IDLE);
    if (!woken && runs.length === 0) {
      await condition(allHandlersFinished);
      if (Object.keys(table.runs).length === 0) return;
    }
  }
}
