import { waitingTasks } from '../../core/waiting.ts';
import { cancelTaskUpdate, retryTaskUpdate, setTaskUpdate, skipTaskUpdate } from '../../workflows/messages.ts';
import { ensureWorker } from '../background-worker.ts';
import type { Session } from '../session.ts';
import { decideTask, requirePossible, requireShort } from './decide-task.ts';
import { restartRun } from './restart-run.ts';
import { noSuchTask } from './unknown.ts';
import { requireOpenTask, updateRun } from './update-run.ts';

/** Ends one task of a run. @throws SignalboxError as {@link updateRun} and {@link requireOpenTask} */
export async function cancelTask(session: Session, run: string, task: string): Promise<void> {
  await requireOpenTask(session, run, task, `${task} cannot be cancelled`);
  await updateRun(session, run, cancelTaskUpdate, { task });
}

/**
 * Takes a task out of a run.
 *
 * @param satisfied what depends on it may start, as if it were merged
 * @throws SignalboxError as {@link updateRun} and {@link requireOpenTask}
 */
export async function skipTask(session: Session, run: string, task: string, satisfied: boolean): Promise<void> {
  await requireOpenTask(session, run, task, `${task} cannot be skipped`);
  await updateRun(session, run, skipTaskUpdate, { task, satisfied });
}

/** Changes a task's priority. @throws SignalboxError as {@link updateRun} and {@link requireOpenTask} */
export async function setTask(session: Session, run: string, task: string, priority: number): Promise<void> {
  await requireOpenTask(session, run, task, `${task} cannot be changed`);
  await updateRun(session, run, setTaskUpdate, { task, priority });
}

/**
 * Gives a task new attempts: one that waits for a person, or one that failed or was cancelled, also of a run that has
 * ended.
 *
 * @param guidance what the agent should know that it did not the last time
 * @throws SignalboxError `refused` with the reason, `not_found` with the nearest task, `usage` for too long a text
 */
export async function retryTask(session: Session, run: string, task: string, guidance: string | null): Promise<void> {
  requireShort(guidance);
  const description = await session.reader.read(session.project.id, run);
  const { tasks, ended_at } = description;
  if (tasks[task] === undefined) throw noSuchTask(run, task, Object.keys(tasks));
  if (ended_at !== null) {
    await restartRun(session, run, [task], guidance);
    await ensureWorker(session);
    return;
  }
  const waiting = waitingTasks(description).find((candidate) => candidate.task_id === task);
  if (waiting === undefined) await updateRun(session, run, retryTaskUpdate, { task, guidance });
  else
    await decideTask(session, run, requirePossible(waiting, 'retry'), { outcome: 'retry', text: guidance, inputs: {} });
}
