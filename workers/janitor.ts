import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { taskWorkflowId } from '../core/ids.ts';
import type { Sandbox } from '../activities/sandbox/sandbox.ts';

/** How often the steps are looked through, in milliseconds. */
const ROUND = 60_000;

/**
 * Ends steps whose task is over. A task that was terminated from outside can end nothing itself, and its agent would
 * go on and spend.
 */
export class Janitor {
  readonly #client: Client;
  readonly #sandboxes: () => readonly Sandbox[];
  readonly #onProblem: (text: string) => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: { client: Client; sandboxes: () => readonly Sandbox[]; onProblem: (text: string) => void }) {
    this.#client = options.client;
    this.#sandboxes = options.sandboxes;
    this.#onProblem = options.onProblem;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.round().catch((error: unknown) => this.#onProblem(`steps could not be looked through: ${String(error)}`));
    }, ROUND);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** One look through all steps of this host. Steps of the train (no task's execution) end by themselves. */
  async round(): Promise<void> {
    for (const sandbox of this.#sandboxes()) {
      for (const step of await sandbox.list()) {
        const { project, run, task } = step.owner;
        if (await this.#isOver(taskWorkflowId(project, run, task), step.execution)) await sandbox.end(step.name);
      }
    }
  }

  /** Is a workflow known to be over, or is another execution in its place? Not knowing is no reason to end anything. */
  async #isOver(workflowId: string, firstExecution: string): Promise<boolean> {
    try {
      const { status, raw } = await this.#client.workflow.getHandle(workflowId).describe();
      if (status.name !== 'RUNNING') return true;
      const first = raw.workflowExecutionInfo?.firstRunId ?? '';
      // A step of the train carries its candidate's commit instead of an execution.
      return first !== '' && first !== firstExecution && firstExecution.includes('-');
    } catch (error) {
      return error instanceof WorkflowNotFoundError;
    }
  }
}
