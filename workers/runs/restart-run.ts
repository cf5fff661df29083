import { ENDED_STATUSES, type RunDescription, type TaskStatus } from '../../core/description.ts';
import { SignalboxError } from '../../core/failures.ts';
import { reduceRun } from '../../core/reduce-run.ts';
import { canRetry, type RunState, type TaskViews } from '../../core/run-state.ts';
import { pinRunImage } from '../run-image-pins.ts';
import type { Session } from '../session.ts';
import { describeFolded } from './run-history.ts';
import { withImage } from './run-image.ts';
import { startRunWorkflow } from './start-workflow.ts';
import { noSuchTask } from './unknown.ts';

/**
 * Starts the next execution of a run that has ended without success, under its id: what is merged stays merged.
 *
 * @param tasks whose tasks to try again; `null`: all that failed or were cancelled
 * @param guidance what their agents should know that they did not the last time
 * @throws SignalboxError `refused` if the run completed, or a named task cannot be tried again
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
  for (const task of tasks ?? []) {
    const before = folded.state.tasks[task];
    if (retried.includes(task) || before === undefined) continue;
    throw new SignalboxError('refused', `${task} is ${before.status}; only a failed or cancelled task is retried`, {
      ...(before.status === 'blocked' && before.reason !== null
        ? { hint: `It ${before.reason}: retry that one.` }
        : {}),
    });
  }
  const next = await withImage(session, folded.input, state);
  await startRunWorkflow(session, { ...next, tasks: known.length, details: null, next: true });
  const { image, run: ref } = next.input;
  // Again: until it was started, a worker may have taken the pin of a run that is over.
  if (image !== undefined) await pinRunImage(session, ref, image);
  return describeFolded({ ...folded, ...next }, null);
}

/**
 * The state of a closed run as its next execution takes it over: nothing is held, open, waited for or being
 * cancelled any more. Tasks that were cut off by the run's end go on in any case.
 *
 * @param tasks which to try again besides; `null`: all that failed or were cancelled
 * @returns with the tasks that are tried again or go on
 */
export function stateToGoOnFrom(
  closed: RunState,
  views: TaskViews,
  tasks: readonly string[] | null,
  at: number,
  guidance: string | null = null,
): { state: RunState; retried: string[] } {
  const cutOff = Object.keys(closed.tasks).filter((id) => !isOver(closed.tasks[id]?.status));
  const idle = Object.entries(closed.tasks).map(([id, task]) => {
    const nothing = { open: false, holds: false, cancelling: false, wait: null, growth: null, news: null };
    if (!cutOff.includes(id)) return [id, { ...task, ...nothing }] as const;
    const told = guidance !== null && tasks?.includes(id) === true ? [guidance] : [];
    const again = { status: 'pending' as const, reason: null, guidance: [...task.guidance, ...told] };
    return [id, { ...task, ...nothing, ...again }] as const;
  });
  let state: RunState = { ...closed, tasks: Object.fromEntries(idle), paused: null, cancelling: false };
  const failed = Object.entries(state.tasks).flatMap(([id, task]) =>
    canRetry(task) && (tasks === null || tasks.includes(id)) ? [id] : [],
  );
  for (const task of failed) state = reduceRun(state, { type: 'retryTask', at, task, guidance }, views);
  return { state, retried: [...failed, ...cutOff] };
}

function isOver(status: TaskStatus | undefined): boolean {
  return status === 'blocked' || (status !== undefined && ENDED_STATUSES.includes(status));
}
