import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { processStartTime } from '../../activities/process-identity.ts';
import { hostQueue } from '../../core/ids.ts';
import { sharedQueueOf } from '../server/namespace.ts';
import { toMilliseconds } from './timestamp.ts';

const { TaskQueueType } = proto.temporal.api.enums.v1;
type TaskQueueType = proto.temporal.api.enums.v1.TaskQueueType;

/** A poll waits on the server for up to a minute, so a living worker was seen within the last one. */
const RECENT_MS = 70_000;

/** Is a worker there to make the decisions of runs, on whatever host? */
export async function isWorkerPolling(client: Client): Promise<boolean> {
  return await isPolled(client, await sharedQueueOf(client), TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW);
}

/** Is a worker of this host there, which alone can work on the repositories that lie here? */
export async function isHostServed(client: Client, host: string): Promise<boolean> {
  return await isPolled(client, hostQueue(await sharedQueueOf(client), host), TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY);
}

/** The server remembers pollers for minutes after their death; one on this host whose process is gone is not counted. */
async function isPolled(client: Client, queue: string, type: TaskQueueType): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: queue },
    taskQueueType: type,
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
