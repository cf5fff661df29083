import { setTimeout as sleep } from 'node:timers/promises';
import type { RunDescription } from '../../core/description.ts';
import { runWorkflowId, taskWorkflowId } from '../../core/ids.ts';
import type { SetRun } from '../../core/run-messages.ts';
import {
  interruptSignal,
  pauseSignal,
  phaseQuery,
  resumeSignal,
  setRunUpdate,
  stopSignal,
} from '../../workflows/messages.ts';
import { requireOpenRun, type Session } from '../session.ts';
import { isWorkerPolling } from './pollers.ts';
import { updateRun } from './update-run.ts';

/** How long a worker is given to show what it was told, milliseconds. */
const SHOWN_WITHIN_MS = 5000;

/** Pauses a run: nothing new starts, what runs ends by itself. @returns the run as it is then */
export async function pauseRun(session: Session, run: string): Promise<RunDescription> {
  await requireOpenRun(session, run, 'it cannot be paused');
  await handleOf(session, run).signal(pauseSignal);
  return await waitFor(session, run, (description) => description.status === 'paused');
}

/** Lets an open run go on. @returns the run as it is then */
export async function resumeRun(session: Session, run: string): Promise<RunDescription> {
  await requireOpenRun(session, run, 'it cannot be resumed');
  await handleOf(session, run).signal(resumeSignal);
  return await waitFor(session, run, (description) => description.status !== 'paused');
}

/** Asks a run to cancel itself and its tasks. @returns the run as it is then */
export async function cancelRun(session: Session, run: string): Promise<RunDescription> {
  await requireOpenRun(session, run, 'it cannot be cancelled');
  await handleOf(session, run).cancel();
  return await waitFor(session, run, (description) => description.status === 'cancelled');
}

/** Changes how many tasks of a run may be worked on at once; what works already goes on. */
export async function setRun(session: Session, run: string, settings: SetRun): Promise<void> {
  await requireOpenRun(session, run, 'it cannot be changed');
  await updateRun(session, run, setRunUpdate, settings);
}

/** How long running steps are given to end, milliseconds. */
const STEPS_END_WITHIN_MS = 30_000;

/**
 * Stops a run: like a pause, and its running steps end at once.
 *
 * @param how `interrupt`: only until somebody watches it or works on it again
 * @returns false if some had not ended in time
 */
export async function stopRun(session: Session, run: string, how: 'stop' | 'interrupt' = 'stop'): Promise<boolean> {
  await requireOpenRun(session, run, 'it cannot be stopped');
  await handleOf(session, run).signal(how === 'stop' ? stopSignal : interruptSignal);
  for (const deadline = Date.now() + STEPS_END_WITHIN_MS; Date.now() < deadline;) {
    await sleep(200);
    const description = await session.reader.read(session.project.id, run);
    if (description.ended_at !== null) return true;
    const steps = await Promise.all(
      Object.entries(description.tasks)
        .filter(([, task]) => ['working', 'checking', 'validating'].includes(task.status))
        .map(([id]) => hasRunningStep(session, run, id)),
    );
    if (description.status === 'paused' && !steps.includes(true)) return true;
  }
  return false;
}

async function hasRunningStep(session: Session, run: string, task: string): Promise<boolean> {
  const handle = session.client.workflow.getHandle(taskWorkflowId(session.project.id, run, task));
  try {
    const { raw } = await handle.describe();
    if ((raw.pendingActivities ?? []).length > 0) return true;
    const { held } = await session.client.withDeadline(Date.now() + 1000, () => handle.query(phaseQuery));
    return !held;
  } catch {
    // Not started yet, or over: then no step of it runs.
    return false;
  }
}

function handleOf(session: Session, run: string) {
  return session.client.workflow.getHandle(runWorkflowId(session.project.id, run));
}

async function waitFor(
  session: Session,
  run: string,
  shown: (description: RunDescription) => boolean,
): Promise<RunDescription> {
  const deadline = Date.now() + SHOWN_WITHIN_MS;
  for (;;) {
    const description = await session.reader.read(session.project.id, run);
    if (shown(description) || Date.now() > deadline || !(await isWorkerPolling(session.client))) return description;
    await sleep(100);
  }
}
