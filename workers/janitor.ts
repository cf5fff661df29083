import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { taskWorkflowId } from '../core/ids.ts';
import type { Remnant, Sandbox } from '../activities/sandbox/sandbox.ts';

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
 * Ends steps whose task is over, and removes what is left of them. A task that was terminated from outside can end nothing
 * itself, and its agent would go on and spend; a worker that died may have left anything.
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
   * One look through all that agents and checks of tasks have on this host. Steps of the train go on without a task: the
   * user's own commits are checked in the name of one that is over. Their own deadlines bound them.
   */
  async round(): Promise<void> {
    const known = new Map<string, Promise<boolean>>();
    for (const sandbox of await this.#options.sandboxes()) {
      for (const remnant of await sandbox.remnants()) {
        if (!remnant.forgotten && !(await this.#isLeft(remnant, known))) continue;
        try {
          await remnant.remove();
        } catch (error) {
          // Others can still be removed; this one is tried again in the next round.
          this.#options.onProblem(`${remnant.what} could not be removed: ${String(error)}`);
        }
      }
    }
  }

  /** Was something left behind by a task that is over? */
  async #isLeft({ owner, execution }: Remnant, known: Map<string, Promise<boolean>>): Promise<boolean> {
    if (!isExecution(execution)) return false;
    const workflowId = taskWorkflowId(owner.project, owner.run, owner.task);
    const key = `${workflowId} ${execution}`;
    const asked = known.get(key) ?? this.#isOver(workflowId, execution);
    known.set(key, asked);
    return await asked;
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
