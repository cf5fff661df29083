import type { PersonWait } from './person.ts';
import type { RunImage } from './run-image.ts';
import type { Usage } from './usage.ts';

/** What a run is doing, or how it ended. `waiting`: only a person can move it. */
export type RunStatus = 'running' | 'paused' | 'waiting' | 'completed' | 'failed' | 'cancelled';

/** What a task is doing, or how it ended; the words of docs/cli.md. */
export type TaskStatus =
  | 'pending'
  | 'blocked'
  | 'waiting_for_lock'
  | 'working'
  | 'checking'
  | 'validating'
  | 'merging'
  | 'waiting_for_person'
  | 'merged'
  | 'failed'
  | 'cancelled'
  | 'skipped';

/** Statuses in which a task's workflow is over, or was never needed. */
export const ENDED_STATUSES: readonly TaskStatus[] = ['merged', 'failed', 'cancelled', 'skipped'];

/** One task of a {@link RunDescription}. Times are ISO 8601; commits are full object ids. */
export interface TaskDescription {
  name: string;
  status: TaskStatus;
  /** Why it is in this status, in one sentence; `null` where the status says it all. */
  reason: string | null;
  attempts: number;
  turns: number;
  /** The branch that holds the newest attempt's result in the project's bare repository. */
  branch: string | null;
  commit: string | null;
  merged_commit: string | null;
  started_at: string | null;
  ended_at: string | null;
  usage: Usage;
  /** What it asks a person for; `null` if nothing. Times are ISO 8601. */
  wait: WaitDescription | null;
  /** Its pull request, where the project merges through them and there is one, or none could be opened so far. */
  pull_request?: PullRequestDescription;
  /** What a person should know of its work, one sentence each. */
  warnings: string[];
  /** Its newest work changes what others are checked by: the configuration, what the checks run, CI, git; one sentence each. */
  findings: string[];
}

/** A task's pull request. */
export interface PullRequestDescription {
  /** `null`: it could not be opened so far. */
  number: number | null;
  url: string | null;
  /** What it waits for; `null` if nothing, or something is being done. */
  waits_for: string | null;
  /** Only a person can bring that about. */
  needs_person: boolean;
}

/** What a task asks a person for. */
export interface WaitDescription extends Pick<PersonWait, 'kind' | 'id' | 'question' | 'inputs'> {
  since: string;
  /** When nobody's word counts as one; `null`: never. */
  deadline: string | null;
}

/** Where the steps of a run run. */
export interface SandboxDescription {
  backend: 'docker' | 'local';
  /** What it lets through that the default sandbox does not, one line each. */
  loosened: string[];
}

/** The public shape of a run: `run describe -o json`, the status query and the result of its workflow. */
export interface RunDescription {
  run_id: string;
  workflow_id: string;
  status: RunStatus;
  reason: string | null;
  started_at: string;
  ended_at: string | null;
  integration_branch: string;
  base_commit: string;
  /** The accepted tip: what the last landed task made of the branch. */
  head_commit: string;
  /** What its steps run in; `null` on the host. */
  image: RunImage | null;
  usage: Usage;
  /** Where its steps run; `null` for a run that was started before this was told. */
  sandbox: SandboxDescription | null;
  tasks: Record<string, TaskDescription>;
}
