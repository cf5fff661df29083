import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError, ServiceError, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, type UpdateDefinition } from '@temporalio/common';
import type { TaskDescription } from '../../core/description.ts';
import { SignalboxError } from '../../core/failures.ts';
import { runWorkflowId } from '../../core/ids.ts';
import { ensureWorker } from '../background-worker.ts';
import { requireOpenRun, type Session } from '../session.ts';
import { noSuchTask } from './unknown.ts';

/** How long the run's worker is given to answer, milliseconds. */
const ANSWER_MS = 30_000;
/** gRPC's FAILED_PRECONDITION. */
const DROPPED = 9;
/** Milliseconds before what was lost is asked again. */
const ASK_AGAIN_MS = 100;

/**
 * Asks an open run for something, and waits for its answer. Starts a worker if none polls.
 *
 * @returns what the run says to it
 * @throws SignalboxError `refused` with the run's reason, `environment` without an answer
 */
export async function updateRun<Argument>(
  session: Session,
  run: string,
  update: UpdateDefinition<string, [Argument]>,
  argument: Argument,
): Promise<string> {
  await ensureWorker(session);
  const handle = session.client.workflow.getHandle(runWorkflowId(session.project.id, run));
  const until = Date.now() + ANSWER_MS;
  try {
    return await askUntilHeard(
      () => session.client.withDeadline(until, () => handle.executeUpdate(update, { args: [argument] })),
      async () => Date.now() < until && (await session.reader.isOpen(session.project.id, run)),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) {
      const said = error.cause instanceof ApplicationFailure ? error.cause.message : error.message;
      throw new SignalboxError('refused', said, { cause: error });
    }
    if (error instanceof WorkflowNotFoundError) {
      throw new SignalboxError('refused', `run ${run} has just ended`, {
        hint: `See "signalbox run describe ${run}".`,
        cause: error,
      });
    }
    throw new SignalboxError('environment', 'the run did not answer in time', {
      hint: 'See that a worker runs ("signalbox worker start"), then try again.',
      cause: error,
    });
  }
}

/**
 * Asks again where a question was lost: the run's execution closed before it was heard, though the run goes on. So it is
 * when the run continues as new at that moment. Nothing was done then; what was done after all is refused a second time.
 *
 * @param goesOn is the run still open, and is there time left?
 */
export async function askUntilHeard<T>(ask: () => Promise<T>, goesOn: () => Promise<boolean>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!wasLost(error) || !(await goesOn())) throw error;
      await sleep(ASK_AGAIN_MS);
    }
  }
}

function wasLost(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return true;
  // Something came while the run was about to continue as new: the server had it think again, and dropped the question.
  if (!(error instanceof ServiceError) || !isGrpcServiceError(error.cause)) return false;
  const code: number = error.cause.code;
  return code === DROPPED;
}

/**
 * A task of an open run.
 *
 * @param wish what cannot be done otherwise, to end a sentence with
 * @throws SignalboxError `refused` for a closed run, `not_found` with the nearest run or task
 */
export async function requireOpenTask(
  session: Session,
  run: string,
  task: string,
  wish: string,
): Promise<TaskDescription> {
  await requireOpenRun(session, run, wish);
  const { tasks } = await session.reader.read(session.project.id, run);
  const found = tasks[task];
  if (found === undefined) throw noSuchTask(run, task, Object.keys(tasks));
  return found;
}
