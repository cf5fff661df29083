import { Context } from '@temporalio/activity';
import { WorkflowFailedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure, TypedSearchAttributes } from '@temporalio/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunActivities, ServiceStart } from '../../core/activities.ts';
import { repositoryWorkflowId, runWorkflowId, trainWorkflowId } from '../../core/ids.ts';
import { attributeKey } from '../../core/search-attributes.ts';
import { taskViews } from '../../core/task-views.ts';
import { hookMessage, type Hook } from '../hook/hook.ts';
import type { ManifestReader } from '../records/manifest-reader.ts';

/** Tasks in one answer of `loadTasks`; some 30 KB with ordinary claims. */
const CHUNK = 100;
const WATCH_EVERY = 15_000;
const REAP_EVERY = 250;
const HEARTBEAT_EVERY = 2000;

/** What a workflow cannot ask the server itself, and the run's tasks. */
export function createRunActivities(deps: {
  client: Client;
  /** The task queue that hosts share. */
  queue: string;
  manifests: ManifestReader;
  /** Does the server know our search attributes? */
  searchable: boolean;
  /** Told of tasks that wait for a person; `null`: nobody is. */
  hook: Hook | null;
  /** The address of a workflow in the Web UI, where that is known. */
  webUi: (workflowId: string) => string | null;
}): RunActivities {
  const { client, queue, manifests, searchable, hook, webUi } = deps;
  return {
    async loadTasks({ run, from }) {
      const { config, tasks, reused } = await manifests.manifest(run);
      const chunk = tasks.slice(from, from + CHUNK);
      const next = from + chunk.length < tasks.length ? from + chunk.length : null;
      return { tasks: taskViews({ tasks: chunk, config, reused }), next };
    },

    async notify(asked) {
      if (hook === null) return;
      const { run } = asked;
      const message = hookMessage(asked, webUi(runWorkflowId(run.project, run.run)));
      await heartbeating((signal) => hook.call(message, signal));
    },

    async signalWithStart({ start, signal, payload }) {
      const { repository } = start;
      await client.workflow.signalWithStart(start.workflow, {
        workflowId: serviceId(start),
        taskQueue: queue,
        args: [{ version: 1, repository }],
        signal,
        signalArgs: [payload],
        memo: { repository: repository.id, repository_path: repository.path },
        staticSummary:
          start.workflow === 'train'
            ? `train into ${repository.branch} of ${repository.path}`
            : `locks of ${repository.path}`,
        ...(searchable
          ? {
              typedSearchAttributes: new TypedSearchAttributes([
                { key: attributeKey('SignalboxRepository'), value: repository.id },
              ]),
            }
          : {}),
      });
    },

    async watch({ workflowIds }) {
      for (;;) {
        const closed = [];
        for (const workflowId of workflowIds) {
          Context.current().heartbeat();
          const status = await statusOf(client, workflowId);
          if (status === 'RUNNING') continue;
          closed.push({ workflowId, status: wordFor(status), result: await resultOf(client, workflowId) });
        }
        if (closed.length > 0) return closed;
        await heartbeatingSleep(WATCH_EVERY);
      }
    },

    async openRuns({ repository }) {
      const open: string[] = [];
      for await (const { workflowId, memo } of client.workflow.list({
        query: "WorkflowType = 'run' AND ExecutionStatus = 'Running'",
      })) {
        if (memo?.['repository'] === repository) open.push(workflowId);
      }
      return open;
    },

    async closedRuns({ runs }) {
      const statuses = await Promise.all(runs.map(async (run) => ({ run, status: await statusOf(client, run) })));
      return statuses.flatMap(({ run, status }) => (status === 'RUNNING' ? [] : [{ run, how: wordFor(status) }]));
    },

    async endTasks({ run }) {
      if ((await statusOf(client, run)) === 'RUNNING') return false;
      await cancelTasksOf(client, run);
      return true;
    },

    async endFormerTasks({ run }) {
      await cancelTasksOf(client, run);
    },
  };
}

function serviceId({ workflow, repository }: ServiceStart): string {
  return workflow === 'train' ? trainWorkflowId(repository.id, repository.branch) : repositoryWorkflowId(repository.id);
}

async function statusOf(client: Client, workflowId: string): Promise<string> {
  try {
    return (await client.workflow.getHandle(workflowId).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'DELETED';
    throw error;
  }
}

async function resultOf(client: Client, workflowId: string): Promise<unknown> {
  try {
    return await client.workflow.getHandle(workflowId).result();
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : null;
    return cause instanceof ApplicationFailure ? (cause.details?.[0] ?? null) : null;
  }
}

/** Cancels the tasks that a closed run left, and waits until they have cleaned up. */
async function cancelTasksOf(client: Client, run: string): Promise<void> {
  const query = `ParentWorkflowId = ${JSON.stringify(run)} AND ExecutionStatus = 'Running'`;
  const orphans: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) orphans.push(workflowId);
  for (const workflowId of orphans) {
    await client.workflow
      .getHandle(workflowId)
      .cancel()
      .catch(() => undefined);
  }
  for (const workflowId of orphans) {
    while ((await statusOf(client, workflowId)) === 'RUNNING') await heartbeatingSleep(REAP_EVERY);
  }
}

/** Heartbeats while something goes on, which ends when the activity is cancelled. */
async function heartbeating(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), HEARTBEAT_EVERY);
  try {
    await work(context.cancellationSignal);
  } finally {
    clearInterval(beat);
  }
}

async function heartbeatingSleep(milliseconds: number): Promise<void> {
  const context = Context.current();
  const until = Date.now() + milliseconds;
  while (Date.now() < until) {
    context.heartbeat();
    context.cancellationSignal.throwIfAborted();
    await sleep(Math.min(HEARTBEAT_EVERY, until - Date.now()), undefined, { signal: context.cancellationSignal });
  }
}

function wordFor(status: string): string {
  return status.toLowerCase().replaceAll('_', ' ');
}
