import { waitingRequests, waitingTasks, type WaitingRequest, type WaitingTask } from '../../core/waiting.ts';
import type { Session } from '../session.ts';
import { listRuns, type RunListItem } from './run-list.ts';

/** A run that waits for a person. */
export interface WaitingRun extends RunListItem {
  reason: string | null;
  /** The tasks that wait; none where the run itself does, for its work to land. */
  waiting: WaitingTask[];
  /** Pull requests that only a person can move. */
  requests: WaitingRequest[];
}

/** The open runs of the project in which something waits for a person, the newest first. Needs no worker. */
export async function waitingRuns({ client, project, reader }: Session): Promise<WaitingRun[]> {
  const open = (await listRuns(client, project.id)).filter(({ ended_at }) => ended_at === null);
  const runs: WaitingRun[] = [];
  for (const item of open) {
    const run = await reader.read(project.id, item.run_id);
    const waiting = waitingTasks(run);
    const requests = waitingRequests(run);
    if (run.ended_at !== null || (waiting.length + requests.length === 0 && run.status !== 'waiting')) continue;
    runs.push({ ...item, status: run.status, reason: run.reason, waiting, requests });
  }
  return runs;
}
