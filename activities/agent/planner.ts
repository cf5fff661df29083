import type { Usage } from '../../core/usage.ts';
import type { AgentTurnRequest, RunTurnOptions } from './agent.ts';
import type { PlannedFile } from './planned-task.ts';

/** A plan to be made into tasks, and where a planner that is an agent works. */
export interface PlanRequest {
  /** The implementation plan, Markdown. */
  plan: string;
  /** The turn in which an agent makes the tasks; its work tree is a clone that nobody keeps. */
  turn: Omit<AgentTurnRequest, 'prompt' | 'threadId' | 'access' | 'messageLimit'>;
}

/** The tasks that a plan comes to. */
export interface PlanResult {
  /** In the plan's order. Not yet checked against each other: that is the catalogue's business. */
  files: PlannedFile[];
  usage: Usage;
}

/** Makes tasks of a plan. */
export interface Planner {
  readonly provider: 'codex' | 'mock';
  /**
   * Called again for the same turn, it attaches to it and gives the same answer.
   *
   * @throws SignalboxError `refused` when nothing usable came out, with the reason
   */
  plan(request: PlanRequest, options?: RunTurnOptions): Promise<PlanResult>;
}
