import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { taskWorkflowId } from '../core/ids.ts';
import type { Sandbox } from '../activities/sandbox/sandbox.ts';

/** How often the steps are looked through, in milliseconds. */
const ROUND = 60_000;

/** What a {@link Janitor} depends on. */
export interface JanitorOptions {
  client: Client;
  /** Where steps of this host may run, whether or not this worker started any. */
  sandboxes: () => Promise<readonly Sandbox[]>;
  onProblem: (text: string) => void;
}

/**
 * Ends steps whose task is over. A task that was terminated from outside can end nothing itself, and its agent would
 * go on and spend.
 */
export class Janitor {
  readonly #options: JanitorOptions;
  #timer: NodeJS.Timeout | null = null;
  #busy = false;
  #stopped = false;

  constructor(options: JanitorOptions) {
    this.#options = options;
  }

  /** Looks at once, since a task may have been terminated while no worker lived, and then now and then. */
  start(): void {
    const look = async (): Promise<void> => {
      if (this.#busy) return;
      this.#busy = true;
      try {
        await this.round();
      } catch (error) {
        // A round that its worker left in the middle has lost its connection.
        if (!this.#stopped) this.#options.onProblem(`steps could not be looked through: ${String(error)}`);
      } finally {
        this.#busy = false;
      }
    };
    void look();
    this.#timer = setInterval(() => void look(), ROUND);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#stopped = true;
  }

  /**
   * One look through all agents and checks of tasks. Steps of the train go on without a task: the user's own commits are
   * checked in the name of one that is over. Their own deadlines bound them.
   */
  async round(): Promise<void> {
    for (const sandbox of await this.#options.sandboxes()) {
      for (const step of await sandbox.list()) {
        const { project, run, task } = step.owner;
        if (!isExecution(step.execution)) continue;
        if (!(await this.#isOver(taskWorkflowId(project, run, task), step.execution))) continue;
        await sandbox.end(step.name);
        await sandbox.closeAttempt(step.owner);
      }
    }
  }

  /**
   * Is a workflow known to be over, or is another execution in its place? Not knowing is no reason to end anything: a
   * server that never heard of it may be another than the one that it runs on.
   */
  async #isOver(workflowId: string, firstExecution: string): Promise<boolean> {
    try {
      const { status, raw } = await this.#options.client.workflow.getHandle(workflowId).describe();
      if (status.name !== 'RUNNING') return true;
      const first = raw.workflowExecutionInfo?.firstRunId ?? '';
      return first !== '' && first !== firstExecution;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }
}

/** Is it the id of an execution, a UUID, and not the candidate's commit that a step of the train carries instead? */
function isExecution(text: string): boolean {
  return text.includes('-');
}
