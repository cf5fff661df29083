import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { RunDescription, TaskStatus } from '../../core/description.ts';
import { taskWorkflowId } from '../../core/ids.ts';
import { phaseQuery } from '../../workflows/messages.ts';
import { toMilliseconds } from './timestamp.ts';

const { PendingActivityState } = proto.temporal.api.enums.v1;

/** What a task does while one of these activities runs, or was the last one asked for. */
const ACTIVITY_STATUS: Readonly<Record<string, TaskStatus>> = {
  prepare: 'working',
  turn: 'working',
  hints: 'checking',
  verify: 'checking',
};

/** More tasks than these are not asked at once. */
const MOST = 40;

/** A turn that was asked for so long ago, milliseconds, and has not begun: as many agents work as its host lets work. */
const SOON_MS = 1000;

const WAITS_FOR_PLACE = 'waits for a free place on its host';

/**
 * Says more exactly what each task does that its run only knows to be working: by asking the task's own workflow, or,
 * without a worker, by the activities that its execution waits for.
 */
export async function refineTasks(
  client: Client,
  project: string,
  run: RunDescription,
  mayAsk: boolean,
): Promise<RunDescription> {
  const working = Object.entries(run.tasks).filter(([, task]) => task.status === 'working');
  const refined = await Promise.all(
    working.slice(0, MOST).map(async ([id, task]) => {
      const workflowId = taskWorkflowId(project, run.run_id, id);
      const phase = mayAsk ? await askPhase(client, workflowId) : null;
      if (phase === null) return [id, { ...task, status: await statusByActivities(client, workflowId) }] as const;
      const attempts = Math.max(task.attempts, phase.attempt);
      // The run knows the turns of the attempts that it was told of; the current one's come on top.
      const turns = phase.attempt > task.attempts ? task.turns + phase.turn : Math.max(task.turns, phase.turn);
      const waits = phase.status === 'working' && !phase.held && (await waitsForPlace(client, workflowId));
      const reason = phase.held ? 'held until "signalbox run resume"' : waits ? WAITS_FOR_PLACE : task.reason;
      return [id, { ...task, status: phase.status, attempts, turns, reason }] as const;
    }),
  );
  return { ...run, tasks: { ...run.tasks, ...Object.fromEntries(refined) } };
}

async function askPhase(client: Client, workflowId: string) {
  try {
    return await client.withDeadline(Date.now() + 1000, () => client.workflow.getHandle(workflowId).query(phaseQuery));
  } catch {
    return null;
  }
}

/** Does its agent wait for others to end their turns? For a task of which a worker answered: there is one to begin it. */
async function waitsForPlace(client: Client, workflowId: string): Promise<boolean> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    return (raw.pendingActivities ?? []).some(
      ({ activityType, state, scheduledTime }) =>
        activityType?.name === 'turn' &&
        state === PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED &&
        Date.now() - toMilliseconds(scheduledTime) > SOON_MS,
    );
  } catch {
    // It is over already.
    return false;
  }
}

async function statusByActivities(client: Client, workflowId: string): Promise<TaskStatus> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    const pending = raw.pendingActivities?.map((activity) => activity.activityType?.name ?? '') ?? [];
    const last = pending[0] ?? (await lastActivity(client, workflowId));
    const status = ACTIVITY_STATUS[last];
    if (status === undefined) return 'working';
    return pending.length === 0 && last === 'verify' ? 'merging' : status;
  } catch {
    // It is not started yet, or over already.
    return 'working';
  }
}

/** The activity that was asked for last, of those that tell what a task does. */
async function lastActivity(client: Client, workflowId: string): Promise<string> {
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({
    namespace: client.options.namespace,
    execution: { workflowId },
    maximumPageSize: 30,
  });
  const types = (history?.events ?? []).map(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? '',
  );
  return types.find((type) => type in ACTIVITY_STATUS) ?? '';
}
