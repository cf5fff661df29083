import type { Usage } from './usage.ts';

import type { WaitKind } from './person.ts';

/**
 * How an attempt ended, other than by a result that was merged. `locks`: it gave up its locks for others that it also
 * needs, or found its paths changed; `rejected`: a person said no; `guidance` and `answer` are what a person said,
 * passed on like a failure is: as evidence for the agent.
 */
export type AttemptFailure =
  | 'failed_check'
  | 'agent_error'
  | 'conflict'
  | 'failed_integration'
  | 'no_change'
  | 'out_of_scope'
  | 'limit'
  | 'locks'
  | 'lost'
  | 'interrupted'
  | 'rejected'
  | 'guidance'
  | 'answer';

/**
 * What a task tells its run: when an attempt failed and another follows, when it cannot go on without a person
 * (`waiting`) or without more locks (`needs_locks`), and at the end. `seq` grows within the task, so that a report that
 * arrives twice, or late, changes nothing.
 */
export interface TaskReport {
  task: string;
  attempt: number;
  seq: number;
  state: 'retrying' | 'waiting' | 'needs_locks' | 'merged' | 'failed' | 'cancelled';
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
  /** For `waiting`. */
  wait?: { kind: WaitKind; question: string };
  /** For `needs_locks`: globs of what it wrote outside of its claims. */
  claims?: string[];
  /** What a person should know of the work so far, one sentence each; at most some. */
  warnings?: string[];
  /** What a person should know of what the newest snapshot changes, one sentence each; absent where there is nothing. */
  findings?: string[];
}

/** Is this value, which came from outside, a report? */
export function isTaskReport(value: unknown): value is TaskReport {
  return typeof value === 'object' && value !== null && 'task' in value && 'seq' in value && 'state' in value;
}
