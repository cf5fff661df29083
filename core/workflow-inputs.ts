import type { LockTable } from './locks.ts';
import type { RepositoryRef, RunRef } from './run-ref.ts';
import type { Evidence } from './evidence.ts';
import type { Claims } from './globs.ts';
import type { RunHead } from './packed-run.ts';
import type { InputValue } from './person.ts';
import type { RunImage } from './run-image.ts';
import type { RunSettings, TaskView } from './run-state.ts';
import type { TrainHead } from './packed-train.ts';
import type { Usage } from './usage.ts';

/** Input of the `run` workflow. `state` is there when an earlier execution handed over; its tasks are further arguments. */
export interface RunInput {
  version: 1;
  run: RunRef;
  settings: RunSettings;
  /** The tip of the integration branch when the run was started. */
  baseCommit: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** What its steps run in, in Docker. */
  image?: RunImage;
  state?: RunHead;
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
  /** What it declared, and the globs that it may write besides. */
  claims: Claims;
  extra: string[];
  approval: TaskView['approval'];
  inputs: Record<string, InputValue>;
  /** What people said for this start, oldest first. */
  guidance: string[];
  /** How it failed before a person asked for it again; `null` if it did not. */
  failed: Evidence | null;
  /** The run was paused or stopped when it was started; it waits for `resume`. */
  held: boolean;
}

/** Input of the `repository` workflow, the lock table of one repository. */
export interface RepositoryInput {
  version: 1;
  repository: RepositoryRef;
  table?: LockTable;
}

/** Input of the `train` workflow. `queue` is there when an earlier execution handed over; its members are further arguments. */
export interface TrainInput {
  version: 1;
  repository: RepositoryRef;
  queue?: TrainHead;
}
