import { WorkflowNotFoundError } from '@temporalio/client';
import { inspectUserRepository } from '../../activities/git/inspect-user-repository.ts';
import { repositoryWorkflowId, runWorkflowId } from '../../core/ids.ts';
import { lockList } from '../../core/lock-grants.ts';
import { applySync, emptyLockTable, type LockTable } from '../../core/locks.ts';
import { lockSnapshot } from '../../core/schedule.ts';
import { lockTableQuery } from '../../workflows/messages.ts';
import type { Session } from '../session.ts';
import { isWorkerPolling } from './pollers.ts';
import { repositoryRef } from './repository-ref.ts';

/** How long a worker may take to answer before the histories are read instead, milliseconds. */
const QUERY_MS = 5000;

/** A task with locks, or without. Times are ISO 8601; `null`: nobody knows. */
interface LockParty {
  project: string;
  run_id: string;
  task_id: string;
  since: string | null;
}

/** The locks of a repository, over all runs on it. */
export interface LockReport {
  /** `histories`: no worker could be asked, so this is what the open runs know, without times and take-backs. */
  source: 'table' | 'histories';
  /** Longest first. */
  holders: (LockParty & { reads: string[]; writes: string[] })[];
  /** Who comes next first. */
  waiters: (LockParty & {
    /** Who is in the way, or what else is missing. */
    waits_for: string;
    /** The first pair of globs that meet; `null` if it waits for something else. */
    clash: { own: string; other: string } | null;
  })[];
  /** The newest first. */
  taken_back: { project: string; run_id: string; task_ids: string[]; reason: string; at: string }[];
}

/**
 * The locks of the project's repository: from the lock table where a worker can be asked, else from the histories of
 * the open runs. Changes nothing, and starts no worker.
 */
export async function readLocks(session: Session): Promise<LockReport> {
  const user = await inspectUserRepository(session.project.repository);
  const { id } = repositoryRef(session.home, session.project, user);
  const asked = await askTable(session, id);
  const table = asked ?? (await foldedTable(session, id));
  const { holders, waiters } = lockList(table);
  return {
    source: asked === null ? 'histories' : 'table',
    holders: holders.map(({ run, task, claims, since }) => ({
      ...partyOf(run, task),
      since: since === null ? null : iso(since),
      reads: claims.reads,
      writes: claims.writes,
    })),
    waiters: waiters.map(({ run, task, since, by, clash }) => ({
      ...partyOf(run, task),
      since: asked === null ? null : iso(since),
      waits_for: by,
      clash: clash ? { own: clash[0], other: clash[1] } : null,
    })),
    taken_back: table.takenBack
      .map(({ run, tasks, reason, at }) => {
        const { project, run_id } = partyOf(run, '');
        return { project, run_id, task_ids: tasks, reason, at: iso(at) };
      })
      .reverse(),
  };
}

/** The table, as its workflow knows it; `null` if nobody can be asked. */
async function askTable({ client }: Session, repository: string): Promise<LockTable | null> {
  const handle = client.workflow.getHandle(repositoryWorkflowId(repository));
  try {
    // A table that has gone home knows what it took back, as long as the server keeps it.
    await handle.describe();
    if (!(await isWorkerPolling(client))) return null;
    return await client.withDeadline(Date.now() + QUERY_MS, () => handle.query(lockTableQuery));
  } catch (error) {
    return error instanceof WorkflowNotFoundError ? emptyLockTable() : null;
  }
}

/** The table that the open runs' own views add up to. */
async function foldedTable({ client, reader }: Session, repository: string): Promise<LockTable> {
  let table = emptyLockTable();
  const query = "WorkflowType = 'run' AND ExecutionStatus = 'Running'";
  for await (const { memo } of client.workflow.list({ query })) {
    const { project, run } = memo ?? {};
    if (memo?.['repository'] !== repository || typeof project !== 'string' || typeof run !== 'string') continue;
    const { state, views } = await reader.fold(project, run);
    table = applySync(
      table,
      { ...lockSnapshot(state, views, runWorkflowId(project, run)), seq: state.seq },
      Date.now(),
    );
  }
  return table;
}

/** @param run a workflow id, see {@link runWorkflowId} */
function partyOf(run: string, task_id: string): Omit<LockParty, 'since'> {
  const [, project = '', , run_id = ''] = run.split('/');
  return { project, run_id, task_id };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
