import type { TaskStatus } from './description.ts';

/** What a task's workflow is doing right now: the answer to its `phase` query. */
export interface TaskPhase {
  status: TaskStatus;
  attempt: number;
  turn: number;
  /** Paused or stopped by a person. */
  held: boolean;
}
