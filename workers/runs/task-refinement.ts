import type { Client } from '@temporalio/client';
import type { RunDescription, TaskStatus } from '../../core/description.ts';
import { taskWorkflowId } from '../../core/ids.ts';
import { phaseQuery } from '../../workflows/messages.ts';

/** What a task does while one of these activities runs, or was the last one asked for. */
const ACTIVITY_STATUS: Readonly<Record<string, TaskStatus>> = {
  prepare: 'working',
  turn: 'working',
  hints: 'checking',
  verify: 'checking',
};

/** More tasks than these are not asked at once. */
const MOST = 40;

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
      const reason = phase.held ? 'held until "signalbox run resume"' : task.reason;
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
