import type { Client } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';

/** Workflows for which a worker is needed; the others only wait for these. */
const NEEDS_WORKER =
  "ExecutionStatus = 'Running' AND (WorkflowType = 'run' OR WorkflowType = 'task' OR WorkflowType = 'plan')";

/**
 * Resolves when nothing has needed a worker for some time, or the signal is aborted. While the server does not tell, all may
 * need one.
 *
 * @param idleMs how long nothing must need one, milliseconds
 */
export async function untilIdle(client: Client, idleMs: number, signal: AbortSignal): Promise<void> {
  const every = Math.max(100, Math.min(10_000, idleMs / 4));
  let neededAt = Date.now();
  while (!signal.aborted) {
    try {
      const { count } = await client.workflow.count(NEEDS_WORKER);
      if (count > 0) neededAt = Date.now();
      else if (Date.now() - neededAt >= idleMs) return;
    } catch {
      neededAt = Date.now();
    }
    await sleep(every, undefined, { signal }).catch(() => undefined);
  }
}
