import { getExternalWorkflowHandle, workflowInfo, type SignalDefinition } from '@temporalio/workflow';
import type { ServiceStart } from '../core/activities.ts';
import { repositoryWorkflowId, trainWorkflowId } from '../core/ids.ts';
import { runActivities } from './activity-proxies.ts';

/**
 * Events after which a workflow continues as new, before the server suggests it. A worker that does not know the workflow
 * reads all of them again, which takes seconds by then; and so it must when a message arrives at the very moment.
 */
const MOST_EVENTS = 2000;

/** Has the history grown so long that it is time to continue as new? */
export function isLong(): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength > MOST_EVENTS;
}

/** Signals the lock table or the train, starting it if it has gone home. */
export async function signalService<T>(start: ServiceStart, signal: SignalDefinition<[T]>, payload: T): Promise<void> {
  const { id, branch } = start.repository;
  const workflowId = start.workflow === 'repository' ? repositoryWorkflowId(id) : trainWorkflowId(id, branch);
  if (await signalIfOpen(workflowId, signal, payload)) return;
  const name = start.workflow === 'repository' ? 'lock table' : 'train';
  await runActivities(`start the ${name}`).signalWithStart({ start, signal: signal.name, payload });
}

/** Signals a workflow by its id. @returns false if no such workflow is open */
export async function signalIfOpen<Args extends unknown[]>(
  workflowId: string,
  signal: SignalDefinition<Args>,
  ...args: Args
): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(signal, ...args);
    return true;
  } catch {
    // The server knows one reason for refusing a signal of the same namespace: nobody is there.
    return false;
  }
}

/** Asks a workflow to cancel itself; one that is over stays over. */
export async function cancelIfOpen(workflowId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId).cancel();
  } catch {
    // It is over already.
  }
}
