import { allHandlersFinished, condition, continueAsNew, setHandler, workflowInfo } from '@temporalio/workflow';
import { answerTo, grant } from '../core/lock-grants.ts';
import { applySync, emptyLockTable, removeRun, type LockTable } from '../core/locks.ts';
import type { RepositoryInput } from '../core/workflow-inputs.ts';
import { runActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { signalIfOpen } from './services.ts';

/** Without a run for so long, the table goes home; the next snapshot starts it again. */
const IDLE = '10m';

/** How often the runs in the table are looked for: one that was terminated cannot say so. */
const ROLL_CALL = '30s';

/** With so many events in its history, a table continues as new between two answers, and waits for no quiet time. */
const MOST_EVENTS = 8000;

/** How long a new table waits for the runs it found, before it looks whether they still live. */
const PATIENCE = '5s';

/**
 * The lock table of one repository, for all its runs. Its state is what the runs' snapshots say: a new table asks them
 * all, and grants nothing before each has answered or is closed.
 */
export async function repository(input: RepositoryInput): Promise<void> {
  let table: LockTable = input.table ?? emptyLockTable();
  const silent = new Set<string>();
  const heard = new Set<string>();
  /** Runs that are new here: before they wait for others, it is looked whether those still live. */
  const newcomers = new Set<string>();
  // Its handlers write it between awaits, which the compiler's flow analysis does not see.
  let changed = false as boolean;

  setHandler(messages.lockTableQuery, () => table);
  setHandler(messages.syncSignal, (sync) => {
    if (table.runs[sync.run] === undefined) newcomers.add(sync.run);
    table = applySync(table, sync, Date.now());
    silent.delete(sync.run);
    heard.add(sync.run);
    changed = true;
  });

  const rollCall = async (runs: readonly string[]): Promise<void> => {
    const asked = table;
    for (const run of await runActivities('which runs are over').reapRuns({ runs: [...runs] })) {
      silent.delete(run);
      // One that was started again meanwhile has sent a snapshot, and waits for its answer.
      if (table.runs[run] === asked.runs[run]) table = removeRun(table, run);
      changed = true;
    }
  };
  const serve = async (): Promise<void> => {
    changed = false;
    const granting = grant(table, Date.now());
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
      await rollCall([...silent]);
      if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof repository>(input);
    }
  }
  for (;;) {
    if (changed) await serve();
    // Runs that are busy leave no quiet time for the other one, and the history would grow to its limit.
    if (workflowInfo().historyLength > MOST_EVENTS && !changed && newcomers.size === 0) {
      await continueAsNew<typeof repository>({ ...input, table });
    }
    const others = Object.keys(table.runs).filter((run) => !newcomers.has(run));
    if (newcomers.size > 0) {
      newcomers.clear();
      if (others.length > 0) await rollCall(others);
      continue;
    }
    const runs = Object.keys(table.runs);
    const woken = await condition(() => changed, runs.length > 0 ? ROLL_CALL : IDLE);
    if (!woken && runs.length > 0) await rollCall(runs);
    if (!woken && runs.length === 0) {
      await condition(allHandlersFinished);
      if (Object.keys(table.runs).length === 0) return;
    }
    if (workflowInfo().continueAsNewSuggested && !changed) {
      await continueAsNew<typeof repository>({ ...input, table });
    }
  }
}
