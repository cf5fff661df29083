import {
  WorkflowFailedError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { RunDescription } from '../../core/description.ts';
import { runWorkflowId } from '../../core/ids.ts';
import type { RunRef } from '../../core/run-ref.ts';
import { reduceRun } from '../../core/reduce-run.ts';
import type { TaskView } from '../../core/run-state.ts';
import type { run as runWorkflow } from '../../workflows/index.ts';
import { statusQuery } from '../../workflows/messages.ts';
import { isWorkerPolling } from './pollers.ts';
import { readHistory } from './decoded-history.ts';
import { describeFolded, foldRun, type FoldedRun } from './run-history.ts';
import { listRuns } from './run-list.ts';
import { refineTasks } from './task-refinement.ts';
import { noSuchRun } from './unknown.ts';

/** How long a worker may take to answer a query before the history is read instead, milliseconds. */
const QUERY_MS = 2000;

/** Reads runs, with a worker or without. Never writes. */
export class RunReader {
  readonly #client: Client;
  readonly #viewsOf: (run: RunRef) => Promise<TaskView[]>;
  readonly #keptIn: (run: string) => string | null;
  /** Set when a query was not answered: the worker is gone or busy, and is not asked again for a while. */
  #foldUntil = 0;

  /**
   * @param viewsOf the tasks that a run is pinned to, where this host has them; a history may not tell them yet
   * @param keptIn the repository on this host that holds the work of a run, or `null`
   */
  constructor(client: Client, viewsOf: (run: RunRef) => Promise<TaskView[]>, keptIn: (run: string) => string | null) {
    this.#client = client;
    this.#viewsOf = viewsOf;
    this.#keptIn = keptIn;
  }

  /**
   * A run as it is now: a closed one from its result or failure, an open one from its workflow where a worker answers,
   * else from its history.
   *
   * @throws SignalboxError `not_found` with the nearest run
   */
  async read(project: string, run: string): Promise<RunDescription> {
    const workflowId = runWorkflowId(project, run);
    const execution = await this.#describe(project, run);
    if (execution.status.name === 'RUNNING') {
      const asked = await this.#ask(workflowId);
      // In its first moments a run does not know its tasks yet.
      const description = asked !== null && isComplete(asked, execution) ? asked : await this.#fold(workflowId, null);
      return await refineTasks(this.#client, project, description, this.#mayAsk());
    }
    const known = await this.#outcome(workflowId, execution);
    if (known !== null && isComplete(known, execution)) return known;
    return closedAs(execution, await this.#fold(workflowId, execution.closeTime ?? null));
  }

  /** The folded history of the current execution, for a next one to go on from. @throws SignalboxError `not_found` */
  async fold(project: string, run: string): Promise<FoldedRun> {
    await this.#describe(project, run);
    return await this.#completed(await this.#history(runWorkflowId(project, run)));
  }

  /** Is the run's workflow open? @throws SignalboxError `not_found` */
  async isOpen(project: string, run: string): Promise<boolean> {
    return (await this.#describe(project, run)).status.name === 'RUNNING';
  }

  async #describe(project: string, run: string): Promise<WorkflowExecutionDescription> {
    try {
      return await this.#client.workflow.getHandle(runWorkflowId(project, run)).describe();
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      throw noSuchRun(project, run, await listRuns(this.#client, project), this.#keptIn(run));
    }
  }

  #mayAsk(): boolean {
    return Date.now() >= this.#foldUntil;
  }

  async #ask(workflowId: string): Promise<RunDescription | null> {
    if (!this.#mayAsk()) return null;
    try {
      if (await isWorkerPolling(this.#client)) {
        const query = () => this.#client.workflow.getHandle(workflowId).query(statusQuery);
        return await this.#client.withDeadline(Date.now() + QUERY_MS, query);
      }
    } catch {
      // No answer in time, or none that makes sense: the history knows as well.
    }
    this.#foldUntil = Date.now() + 10_000;
    return null;
  }

  async #fold(workflowId: string, closed: Date | null): Promise<RunDescription> {
    return describeFolded(await this.#completed(await this.#history(workflowId)), closed?.getTime() ?? null);
  }

  /** With the tasks that the run is pinned to, so that it can be described before any worker looked at it. */
  async #completed(folded: FoldedRun): Promise<FoldedRun> {
    const { run } = folded.input;
    const { tasks: known, loaded: isLoaded, manifest } = folded.state;
    if (isLoaded && Object.keys(known).every((id) => folded.views[id] !== undefined)) return folded;
    try {
      const tasks = await this.#viewsOf({ ...run, manifest: manifest ?? run.manifest });
      const views = Object.fromEntries(tasks.map((view) => [view.id, view]));
      const loaded = { type: 'loaded', at: folded.input.startedAt, tasks, last: true } as const;
      return { ...folded, views, state: reduceRun(folded.state, loaded, views) };
    } catch {
      // The run was started on another host: what the history tells has to do.
      return folded;
    }
  }

  async #history(workflowId: string): Promise<FoldedRun> {
    const folded = foldRun(await readHistory(this.#client, workflowId));
    if (folded === null) throw noSuchRun(workflowId, workflowId, [], null);
    return folded;
  }

  async #outcome(workflowId: string, execution: WorkflowExecutionDescription): Promise<RunDescription | null> {
    if (execution.status.name !== 'COMPLETED' && execution.status.name !== 'FAILED') return null;
    try {
      return await this.#client.workflow.getHandle<typeof runWorkflow>(workflowId, execution.runId).result();
    } catch (error) {
      const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
      const detail: unknown =
        cause instanceof ApplicationFailure && cause.type === 'RunFailed' ? cause.details?.[0] : null;
      return isRunDescription(detail) ? detail : null;
    }
  }
}

/** Are all tasks described that the run was started with? The result of one with many leaves them to its history. */
function isComplete({ tasks }: RunDescription, { memo }: WorkflowExecutionDescription): boolean {
  const started = memo?.['tasks'];
  return Object.keys(tasks).length >= (typeof started === 'number' ? started : 1);
}

function isRunDescription(value: unknown): value is RunDescription {
  return typeof value === 'object' && value !== null && 'run_id' in value && 'tasks' in value && 'status' in value;
}

/** What was folded, of a run that was closed from outside, or by its cancellation. */
function closedAs(execution: WorkflowExecutionDescription, folded: RunDescription): RunDescription {
  switch (execution.status.name) {
    case 'COMPLETED':
      return folded;
    case 'CANCELLED':
      return { ...folded, status: 'cancelled', reason: folded.reason ?? 'cancelled by a person' };
    case 'TERMINATED':
      return { ...folded, status: 'cancelled', reason: 'its workflow was terminated' };
    case 'TIMED_OUT':
      return { ...folded, status: 'failed', reason: 'its workflow timed out' };
    default:
      return { ...folded, status: 'failed', reason: folded.reason ?? 'its workflow failed' };
  }
}
