import type { LockTable } from './locks.ts';
import type { RepositoryRef, RunRef } from './run-ref.ts';
import type { RunSettings, RunState } from './run-state.ts';
import type { TrainQueue } from './train.ts';
import type { Usage } from './usage.ts';

/** Input of the `run` workflow. `state` is there when an earlier execution handed over. */
export interface RunInput {
  version: 1;
  run: RunRef;
  settings: RunSettings;
  /** The tip of the integration branch when the run was started. */
  baseCommit: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  state?: RunState;
}

/** Input of the `task` workflow. The counts are of earlier executions, which a person's `retry` goes on from. */
export interface TaskInput {
  version: 1;
  run: RunRef;
  task: string;
  name: string;
  /** How many attempts it may make now, and how many turns each. */
  attempts: number;
  turns: number;
  attemptsBefore: number;
  turnsBefore: number;
  usageBefore: Usage;
  seqBefore: number;
  /** The run was paused or stopped when it was started; it waits for `resume`. */
  held: boolean;
}

/** Input of the `repository` workflow, the lock table of one repository. */
export interface RepositoryInput {
  version: 1;
  repository: RepositoryRef;
  table?: LockTable;
}

/** Input of the `train` workflow. */
export interface TrainInput {
  version: 1;
  repository: RepositoryRef;
  queue?: TrainQueue;
}
