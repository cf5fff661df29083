import type { RunDescription } from '../../core/description.ts';
import { SignalboxError } from '../../core/failures.ts';
import { reduceRun } from '../../core/reduce-run.ts';
import { canRetry, type RunState, type TaskViews } from '../../core/run-state.ts';
import type { Session } from '../session.ts';
import { describeFolded } from './run-history.ts';
import { startRunWorkflow } from './start-workflow.ts';
import { noSuchTask } from './unknown.ts';

/**
 * Starts the next execution of a run that has ended without success, under its id: what is merged stays merged.
 *
 * @param tasks whose tasks to try again; `null`: all that failed or were cancelled
 * @param guidance what their agents should know that they did not the last time
 * @throws SignalboxError `refused` if the run completed, or nothing in it can be tried again
 */
export async function restartRun(
  session: Session,
  run: string,
  tasks: readonly string[] | null,
  guidance: string | null = null,
): Promise<RunDescription> {
  const folded = await session.reader.fold(session.project.id, run);
  const known = Object.keys(folded.state.tasks);
  for (const task of tasks ?? []) if (!known.includes(task)) throw noSuchTask(run, task, known);
  const { status } = await session.reader.read(session.project.id, run);
  if (status === 'completed') {
    throw new SignalboxError('refused', `run ${run} is completed; nothing of it is left to do`);
  }
  const { state, retried } = stateToGoOnFrom(folded.state, folded.views, tasks, Date.now(), guidance);
  const [refused] = (tasks ?? []).filter((task) => !retried.includes(task));
  if (refused !== undefined) {
    const was = folded.state.tasks[refused]?.status ?? 'unknown';
    throw new SignalboxError('refused', `${refused} is ${was}; only a failed or cancelled task is retried`);
  }
  const { input } = folded;
  await startRunWorkflow(session, { input, state, tasks: known.length, details: null, next: true });
  return describeFolded({ ...folded, state }, null);
}

/**
 * The state of a closed run as its next execution takes it over: nothing is held, open, waited for or being
 * cancelled any more.
 *
 * @param tasks which to try again; `null`: all that failed, were cancelled or were cut off
 */
export function stateToGoOnFrom(
  closed: RunState,
  views: TaskViews,
  tasks: readonly string[] | null,
  at: number,
  guidance: string | null = null,
): { state: RunState; retried: string[] } {
  const idle = Object.entries(closed.tasks).map(([id, task]) => {
    const cutOff = !['merged', 'failed', 'cancelled', 'skipped', 'blocked'].includes(task.status);
    const status = cutOff ? ('pending' as const) : task.status;
    const nothing = { open: false, holds: false, cancelling: false, wait: null, growth: null, news: null };
    return [id, { ...task, ...nothing, status, reason: cutOff ? null : task.reason }] as const;
  });
  let state: RunState = { ...closed, tasks: Object.fromEntries(idle), paused: null, cancelling: false };
  const retried = Object.keys(state.tasks).filter((id) => {
    const task = state.tasks[id];
    return task !== undefined && canRetry(task) && (tasks === null || tasks.includes(id));
  });
  for (const task of retried) state = reduceRun(state, { type: 'retryTask', at, task, guidance }, views);
  return { state, retried };
}
