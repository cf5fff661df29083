import { WorkflowFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { Worker, type NativeConnection, type WorkflowBundleOption } from '@temporalio/worker';
import type { RunDescription } from '../../core/description.ts';
import { agentsQueue, hostQueue, runWorkflowId } from '../../core/ids.ts';
import { packRun } from '../../core/packed-run.ts';
import type { RunState } from '../../core/run-state.ts';
import type { RunInput } from '../../core/workflow-inputs.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import type { run as runWorkflow } from '../../workflows/run.ts';
import { settings } from './run-rules.ts';
import type { FakeWorld } from './fake-activities.ts';
import { TEST_QUEUE } from './test-queue.ts';

/** A server to run workflows on. */
export interface WorkflowServer {
  client: Client;
  nativeConnection: NativeConnection;
  namespace?: string | undefined;
  /** Does it list workflows? */
  lists?: boolean;
}

let bundle: Promise<WorkflowBundleOption> | null = null;

/** Does `work` while workers serve a fake world. */
export async function withWorkers<T>(server: WorkflowServer, world: FakeWorld, work: () => Promise<T>): Promise<T> {
  bundle ??= workflowBundle(process.env);
  world.lists = server.lists ?? false;
  const shared = {
    connection: server.nativeConnection,
    namespace: server.namespace ?? 'default',
    activities: world.activities(server.client),
    maxHeartbeatThrottleInterval: '100ms',
  };
  const workers = [
    await Worker.create({ ...shared, taskQueue: TEST_QUEUE, workflowBundle: await bundle }),
    await Worker.create({ ...shared, taskQueue: hostQueue(TEST_QUEUE, world.host) }),
    await Worker.create({
      ...shared,
      taskQueue: agentsQueue(TEST_QUEUE, world.host),
      maxConcurrentActivityTaskExecutions: world.mostAgents,
    }),
  ] as const;
  return await workers[0].runUntil(workers[1].runUntil(workers[2].runUntil(work())));
}

let runs = 0;

/** The input of a new run in a fake world; each has an id, a project and a repository of its own. */
export function runInput(world: FakeWorld, given: Partial<RunInput['settings']> = {}): RunInput {
  runs += 1;
  const unique = `${process.pid}-${Date.now().toString(36)}-${runs}`;
  const repository = { id: `repo-${unique}`, path: '/nowhere', branch: 'main', host: world.host };
  return {
    version: 1,
    run: { project: 'fake', run: `r-${unique}`, repository, manifest: { sha256: '0', bytes: 1 } },
    settings: settings(given),
    baseCommit: 'base',
    startedAt: 0,
  };
}

/**
 * Starts a run.
 *
 * @param state what an earlier execution left
 * @param memo more than what every run has
 */
export async function startRun(
  server: WorkflowServer,
  input: RunInput,
  state: RunState | null = null,
  memo: Readonly<Record<string, unknown>> = {},
): Promise<WorkflowHandle<typeof runWorkflow>> {
  return await server.client.workflow.start<typeof runWorkflow>('run', {
    workflowId: runWorkflowId(input.run.project, input.run.run),
    taskQueue: TEST_QUEUE,
    args: state === null ? [input] : packRun(input, state),
    memo: { ...memo, repository: input.run.repository.id },
  });
}

/** Waits until a run's status satisfies a condition, by its query. */
export async function untilStatus(
  handle: WorkflowHandle<typeof runWorkflow>,
  condition: (run: RunDescription) => boolean,
): Promise<RunDescription> {
  for (;;) {
    const status = await handle.query<RunDescription>('status');
    if (condition(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The description in a failed run's details. */
export async function failureOf(handle: Pick<WorkflowHandle, 'result'>): Promise<RunDescription> {
  const error: unknown = await handle.result().then(
    () => null,
    (reason: unknown) => reason,
  );
  const cause = error instanceof WorkflowFailedError ? error.cause : null;
  if (!(cause instanceof ApplicationFailure) || cause.type !== 'RunFailed') throw error;
  return cause.details?.[0] as RunDescription;
}
