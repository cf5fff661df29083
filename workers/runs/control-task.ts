import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { SignalboxError } from '../../core/failures.ts';
import { runWorkflowId } from '../../core/ids.ts';
import { cancelTaskUpdate, retryTaskUpdate } from '../../workflows/messages.ts';
import type { Session } from '../session.ts';
import { noSuchTask } from './unknown.ts';

/** How long the run's worker is given to answer, milliseconds. */
const ANSWER_MS = 30_000;

const UPDATES = { retryTask: retryTaskUpdate, cancelTask: cancelTaskUpdate };

/**
 * Asks an open run to retry or to cancel one of its tasks. Needs a worker that polls.
 *
 * @throws SignalboxError `not_found` for an unknown task, `refused` with the run's reason, `environment` without an answer
 */
export async function updateTask(
  session: Session,
  run: string,
  task: string,
  update: keyof typeof UPDATES,
): Promise<void> {
  const { tasks } = await session.reader.read(session.project.id, run);
  if (tasks[task] === undefined && Object.keys(tasks).length > 0) throw noSuchTask(run, task, Object.keys(tasks));
  const handle: WorkflowHandle = session.client.workflow.getHandle(runWorkflowId(session.project.id, run));
  try {
    await session.client.withDeadline(Date.now() + ANSWER_MS, () =>
      handle.executeUpdate(UPDATES[update], { args: [{ task }] }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) {
      const said = error.cause instanceof ApplicationFailure ? error.cause.message : error.message;
      throw new SignalboxError('refused', said, { cause: error });
    }
    throw new SignalboxError('environment', 'the run did not answer in time', {
      hint: 'See that a worker runs ("signalbox worker start"), then try again.',
      cause: error,
    });
  }
}
