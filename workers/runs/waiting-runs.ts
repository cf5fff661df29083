import { waitingTasks, type WaitingTask } from '../../core/waiting.ts';
import type { Session } from '../session.ts';
import { listRuns, type RunListItem } from './run-list.ts';

/** A run that waits for a person. */
export interface WaitingRun extends RunListItem {
  reason: string | null;
  /** The tasks that wait; none where the run itself does, for its work to land. */
  waiting: WaitingTask[];
}

/** The open runs of the project in which something waits for a person, the newest first. Needs no worker. */
export async function waitingRuns({ client, project, reader }: Session): Promise<WaitingRun[]> {
  const open = (await listRuns(client, project.id)).filter(({ ended_at }) => ended_at === null);
  const runs: WaitingRun[] = [];
  for (const item of open) {
    const run = await reader.read(project.id, item.run_id);
    const waiting = waitingTasks(run);
    if (run.ended_at !== null || (waiting.length === 0 && run.status !== 'waiting')) continue;
    runs.push({ ...item, status: run.status, reason: run.reason, waiting });
  }
  return runs;
}
