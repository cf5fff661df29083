import {
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  ParentClosePolicy,
  sleep,
  startChild,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowIdReusePolicy,
  workflowInfo,
  type ChildWorkflowHandle,
  type ChildWorkflowOptions,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { Evidence } from '../core/evidence.ts';
import { taskWorkflowId } from '../core/ids.ts';
import type { RunEvent } from '../core/run-events.ts';
import { currentRun } from '../core/run-ref.ts';
import { isEnded, type RunState, type TaskProgress, type TaskView } from '../core/run-state.ts';
import { attributeKey, STATUS_ATTRIBUTE } from '../core/search-attributes.ts';
import { isTaskReport, type TaskReport } from '../core/task-report.ts';
import type { RunInput, TaskInput } from '../core/workflow-inputs.ts';
import { watchActivities } from './activity-proxies.ts';
import type { task } from './task.ts';

/** How often a task's start is tried while another workflow of its id is open. */
const CLOSING_TRIES = 3;

/**
 * The tasks' workflows of a run: starts them, and notices how each closes, also those that an earlier execution of the
 * run started (a child's end is not told to a continued parent). They are abandoned on close: they outlive an execution.
 */
export class RunTasks {
  readonly #input: RunInput;
  readonly #views: Readonly<Record<string, TaskView>>;
  readonly #state: () => RunState;
  readonly #apply: (event: RunEvent) => void;
  readonly #starting = new Set<string>();
  readonly #inherited = new Set<string>();
  /** Started by this execution, and not seen to close. */
  readonly #children = new Set<string>();

  constructor(
    input: RunInput,
    views: Readonly<Record<string, TaskView>>,
    state: () => RunState,
    apply: (event: RunEvent) => void,
  ) {
    this.#input = input;
    this.#views = views;
    this.#state = state;
    this.#apply = apply;
  }

  /** Takes the right to start a task; false if that is under way. */
  claim(id: string): boolean {
    if (this.#starting.has(id)) return false;
    this.#starting.add(id);
    return true;
  }

  /** Is a start under way? */
  starting(): boolean {
    return this.#starting.size > 0;
  }

  /** Has a task that this execution started said its last word, and is just about to close? */
  closing(state: RunState): boolean {
    return [...this.#children].some((id) => state.tasks[id]?.open !== true);
  }

  /**
   * Starts a claimed task. Resolves when its start is confirmed; only then does it survive a continue-as-new.
   *
   * @returns whether it was adopted: it was open already
   */
  async start(id: string): Promise<boolean> {
    try {
      for (let tries = 1; ; tries += 1) {
        // What a former run's task of that id reports while it closes counts: it may have been merged meanwhile.
        const args = this.#argumentsOf(id);
        if (args === null) return false;
        if (await this.#startOnce(id, args)) return false;
        // A task that is tried again may still be closing. One that stays is a former run's: it reports to us now.
        if (tries < CLOSING_TRIES) await sleep('1s');
        else {
          this.#apply({ type: 'started', at: Date.now(), task: id });
          this.watchInherited([id]);
          return true;
        }
      }
    } catch (error) {
      const how = `not started: ${error instanceof Error ? error.message : String(error)}`;
      // Only what was started can close.
      this.#apply({ type: 'started', at: Date.now(), task: id });
      this.#apply({ type: 'closed', at: Date.now(), task: id, how, report: null });
    } finally {
      this.#starting.delete(id);
    }
    return false;
  }

  /** What a task is started with; `null` if it need not be started any more, or may not: it has lost its locks. */
  #argumentsOf(id: string): TaskInput | null {
    const state = this.#state();
    const progress = state.tasks[id];
    const view = this.#views[id];
    if (progress === undefined || view === undefined || isEnded(progress) || !progress.holds) return null;
    return {
      version: 1,
      run: currentRun(this.#input.run, state.manifest),
      task: id,
      name: view.name,
      attempts: view.attempts,
      turns: view.turns,
      attemptsBefore: progress.attempts,
      turnsBefore: progress.turns,
      usageBefore: progress.usage,
      seqBefore: progress.seq,
      claims: view.claims,
      extra: progress.extra,
      approval: view.approval,
      inputs: progress.inputs,
      guidance: progress.guidance,
      failed: earlierFailure(progress),
      held: state.paused !== null,
    };
  }

  /** @returns false if a workflow of that id is open */
  async #startOnce(id: string, input: TaskInput): Promise<boolean> {
    const { run } = this.#input;
    try {
      const handle = await startChild<typeof task>('task', {
        workflowId: this.#idOf(id),
        args: [input],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        staticSummary: `${id} ${input.name}`.slice(0, 200),
        staticDetails: `Task \`${id}\` of run \`${run.run}\` in project \`${run.project}\`, into \`${run.repository.branch}\`.`,
        ...this.#attributes(id),
      });
      this.#apply({ type: 'started', at: Date.now(), task: id });
      void this.#watchChild(id, handle);
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }

  /** Watches tasks whose handles an earlier execution had. */
  watchInherited(ids: readonly string[]): void {
    const idle = this.#inherited.size === 0;
    for (const id of ids) this.#inherited.add(id);
    if (idle && ids.length > 0) void this.#watchAll();
  }

  async #watchAll(): Promise<void> {
    while (this.#inherited.size > 0) {
      const byWorkflow = new Map([...this.#inherited].map((id) => [this.#idOf(id), id]));
      const closed = await watchActivities.watch({ workflowIds: [...byWorkflow.keys()] });
      for (const { workflowId, status, result } of closed) {
        const id = byWorkflow.get(workflowId);
        if (id === undefined) continue;
        this.#inherited.delete(id);
        this.#closed(id, status, isTaskReport(result) ? result : null);
      }
    }
  }

  async #watchChild(id: string, handle: ChildWorkflowHandle<typeof task>): Promise<void> {
    this.#children.add(id);
    try {
      const report = await handle.result();
      this.#children.delete(id);
      this.#closed(id, 'completed', report);
    } catch (error) {
      this.#children.delete(id);
      const cause = error instanceof ChildWorkflowFailure ? error.cause : error;
      this.#closed(id, howItClosed(cause), reportIn(cause));
    }
  }

  #closed(id: string, how: string, report: TaskReport | null): void {
    this.#apply({ type: 'closed', at: Date.now(), task: id, how, report });
  }

  #idOf(id: string): string {
    return taskWorkflowId(this.#input.run.project, this.#input.run.run, id);
  }

  /** Search attributes for a task, if the run itself has some: then the server knows them. */
  #attributes(id: string): Pick<ChildWorkflowOptions, 'typedSearchAttributes'> {
    const { run } = this.#input;
    if (workflowInfo().typedSearchAttributes.get(STATUS_ATTRIBUTE) === undefined) return {};
    return {
      typedSearchAttributes: [
        { key: attributeKey('SignalboxProject'), value: run.project },
        { key: attributeKey('SignalboxRepository'), value: run.repository.id },
        { key: attributeKey('SignalboxRun'), value: run.run },
        { key: attributeKey('SignalboxTask'), value: id },
      ],
    };
  }
}

function howItClosed(cause: unknown): string {
  if (cause instanceof TerminatedFailure) return 'terminated';
  if (cause instanceof TimeoutFailure) return 'timed out';
  if (cause instanceof CancelledFailure) return 'cancelled';
  return `failed: ${cause instanceof Error ? cause.message : String(cause)}`;
}

function reportIn(cause: unknown): TaskReport | null {
  const detail: unknown = cause instanceof ApplicationFailure ? cause.details?.[0] : undefined;
  return isTaskReport(detail) ? detail : null;
}

/** How a task failed before a person asked for it again, for its next agent. */
function earlierFailure({ failed, attempts, commit }: TaskProgress): Evidence | null {
  return failed === null ? null : { ...failed, detail: '', attempt: attempts, commit, tried: '', changes: '' };
}
