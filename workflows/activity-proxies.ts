import { proxyActivities, workflowInfo, type ActivityOptions } from '@temporalio/workflow';
import type { RunActivities, TaskActivities, TrainActivities } from '../core/activities.ts';
import { hostQueue } from '../core/ids.ts';
import type { RemoteActivities } from '../core/remote.ts';
import type { RepositoryRef } from '../core/run-ref.ts';

/**
 * Agents and checks may work for hours; a worker that dies is noticed within seconds by its missing heartbeat, and its
 * successor attaches to the step. So attempts are not counted here: the step's own record bounds it.
 */
const STEP: ActivityOptions = {
  startToCloseTimeout: '24h',
  scheduleToCloseTimeout: '48h',
  heartbeatTimeout: '5s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
};

const BOUNDED = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '20s', maximumAttempts: 12 };

/** Checks of one attempt, which run where its workspace lies. @param summary what the Web UI shows for the step */
export function stepActivities(queue: string, summary: string): Pick<TaskActivities, 'hints' | 'verify'> {
  return proxyActivities<TaskActivities>({ ...STEP, taskQueue: queue, summary });
}

/**
 * Agents' turns of one attempt, where its workspace lies. With many agents, one may wait for days for its place.
 *
 * @param queue the host's queue for agents
 */
export function agentActivities(queue: string, summary: string): Pick<TaskActivities, 'turn'> {
  return proxyActivities<TaskActivities>({ ...STEP, scheduleToCloseTimeout: '30d', taskQueue: queue, summary });
}

/**
 * Places an attempt: where the repository lies, as long as results do not travel between hosts. Never on the asking
 * worker just because it asked.
 */
export function placingActivities(
  repository: RepositoryRef,
  summary: string,
): Pick<TaskActivities, 'prepare' | 'changedSince'> {
  return proxyActivities<TaskActivities>({
    taskQueue: homeQueue(repository),
    startToCloseTimeout: '30m',
    heartbeatTimeout: '5s',
    allowEagerDispatch: false,
    summary,
    retry: BOUNDED,
  });
}

/** Clean-up after an attempt, on its host. */
export function closingActivities(queue: string, summary: string): Pick<TaskActivities, 'closeAttempt'> {
  return proxyActivities<TaskActivities>({
    taskQueue: queue,
    startToCloseTimeout: '10m',
    heartbeatTimeout: '5s',
    summary,
    retry: BOUNDED,
  });
}

/** The train's activities, where the repository lies. */
export function trainActivities(repository: RepositoryRef, summary: string): TrainActivities {
  return proxyActivities<TrainActivities>({ ...STEP, taskQueue: homeQueue(repository), summary, retry: BOUNDED });
}

/** Activities on the repository's remote, where the repository lies. What a remote says no to is an answer, not a failure. */
export function remoteActivities(repository: RepositoryRef, summary: string): Omit<RemoteActivities, 'watchRequests'> {
  return proxyActivities<RemoteActivities>({
    taskQueue: homeQueue(repository),
    startToCloseTimeout: '2h',
    heartbeatTimeout: '5s',
    summary,
    retry: BOUNDED,
  });
}

/** Watches pull requests for as long as people take; it is cancelled when others are to be watched. */
export function requestActivities(repository: RepositoryRef, summary: string): Pick<RemoteActivities, 'watchRequests'> {
  return proxyActivities<RemoteActivities>({
    taskQueue: homeQueue(repository),
    startToCloseTimeout: '24h',
    heartbeatTimeout: '5s',
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    summary,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
  });
}

/** Reads what a run is pinned to, where it was started. */
export function manifestActivities(repository: RepositoryRef): Pick<RunActivities, 'loadTasks'> {
  return proxyActivities<RunActivities>({
    taskQueue: homeQueue(repository),
    startToCloseTimeout: '2m',
    summary: 'read the tasks',
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '20s' },
  });
}

/** Short activities of runs and lock tables, on any host. */
export function runActivities(summary: string): Omit<RunActivities, 'watch' | 'loadTasks' | 'notify'> {
  return proxyActivities<RunActivities>({
    startToCloseTimeout: '2m',
    heartbeatTimeout: '10s',
    summary,
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '20s' },
  });
}

/** Calls the person's hook; it is given some minutes, and its failure harms nobody. */
export function hookActivities(summary: string): Pick<RunActivities, 'notify'> {
  return proxyActivities<RunActivities>({
    startToCloseTimeout: '1m',
    scheduleToCloseTimeout: '10m',
    summary,
    retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '2m', maximumAttempts: 6 },
  });
}

/** Watches workflows for as long as it takes. */
export const watchActivities = proxyActivities<Pick<RunActivities, 'watch'>>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: '20s',
  summary: 'watch the tasks of the execution before',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
});

/** The queue of the host where a repository lies. Workflows themselves are all on the queue that hosts share. */
function homeQueue({ host }: RepositoryRef): string {
  return hostQueue(workflowInfo().taskQueue, host);
}
