import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { processStartTime } from '../../activities/process-identity.ts';
import { SHARED_QUEUE } from '../../core/ids.ts';
import { toMilliseconds } from './timestamp.ts';

/** A poll waits on the server for up to a minute, so a living worker was seen within the last one. */
const RECENT_MS = 70_000;

/**
 * Is a worker there to do what runs ask for? The server remembers pollers for minutes after their death; one on this
 * host whose process is gone is not counted.
 */
export async function isWorkerPolling(client: Client): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: SHARED_QUEUE },
    taskQueueType: proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  });
  return pollers.some(
    ({ identity, lastAccessTime }) =>
      Date.now() - toMilliseconds(lastAccessTime) < RECENT_MS && !isDead(identity ?? ''),
  );
}

/** Is it certain that the process of this identity (`pid@host`, the SDK's default) is gone? */
export function isDead(identity: string): boolean {
  const [, pid, host] = /^(\d+)@(.+)$/.exec(identity) ?? [];
  if (pid === undefined || host !== hostname()) return false;
  return processStartTime(Number(pid)) === null;
}
