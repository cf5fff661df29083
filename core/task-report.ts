import type { Usage } from './usage.ts';

/** How an attempt ended, other than by a result that was merged. */
export type AttemptFailure =
  'failed_check' | 'agent_error' | 'conflict' | 'failed_integration' | 'no_change' | 'interrupted' | 'limit' | 'lost';

/**
 * What a task tells its run: once when an attempt failed and another follows, once at the end. `seq` grows within the
 * task, so that a report that arrives twice, or late, changes nothing.
 */
export interface TaskReport {
  task: string;
  attempt: number;
  seq: number;
  state: 'retrying' | 'merged' | 'failed' | 'cancelled';
  /** One sentence; `null` for `merged`. */
  reason: string | null;
  failure: AttemptFailure | null;
  /** Turns of all attempts so far. */
  turns: number;
  /** Usage of all attempts so far. */
  usage: Usage;
  branch: string | null;
  /** The newest snapshot. */
  commit: string | null;
  mergedCommit: string | null;
}

/** Is this value, which came from outside, a report? */
export function isTaskReport(value: unknown): value is TaskReport {
  return typeof value === 'object' && value !== null && 'task' in value && 'seq' in value && 'state' in value;
}
