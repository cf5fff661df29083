import type { Client } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';

/** Workflows for which a worker is needed; the others only wait for these. */
const NEEDS_WORKER =
  "ExecutionStatus = 'Running' AND (WorkflowType = 'run' OR WorkflowType = 'task' OR WorkflowType = 'plan')";

/** A server that is away for so many idle times is not coming back. */
const AWAY_FACTOR = 10;

/**
 * Resolves when nothing has needed a worker for some time, or the server has been away for much longer, or the signal
 * is aborted.
 *
 * @param idleMs how long nothing must need one, milliseconds
 */
export async function untilIdle(client: Client, idleMs: number, signal: AbortSignal): Promise<void> {
  const every = Math.max(100, Math.min(10_000, idleMs / 4));
  let neededAt = Date.now();
  let answeredAt = Date.now();
  while (!signal.aborted) {
    try {
      const { count } = await client.workflow.count(NEEDS_WORKER);
      answeredAt = Date.now();
      if (count > 0) neededAt = answeredAt;
      else if (answeredAt - neededAt >= idleMs) return;
    } catch {
      neededAt = Date.now();
      if (neededAt - answeredAt >= AWAY_FACTOR * idleMs) return;
    }
    await sleep(every, undefined, { signal }).catch(() => undefined);
  }
}
