import type { Decision } from './person.ts';
import type { ArtefactRef } from './run-ref.ts';

/** A person's word to a task that waits. */
export interface DecideTask {
  task: string;
  decision: Decision;
}

/** New attempts for a failed or cancelled task. */
export interface RetryTask {
  task: string;
  /** What the agent should know that it did not the last time; `null` for nothing. */
  guidance: string | null;
}

/** The end of one task. */
export interface CancelTask {
  task: string;
}

/** A task that is not to be done. */
export interface SkipTask {
  task: string;
  /** What depends on it may start, as if it were merged. */
  satisfied: boolean;
}

/** A task's changed priority. */
export interface SetTask {
  task: string;
  priority: number;
}

/** A run's changed limits. */
export interface SetRun {
  maxParallel: number;
}

/** More tasks for a run. */
export interface AddTasks {
  /** The run's manifest with the new tasks at its end. */
  manifest: ArtefactRef;
  /** The digest of the manifest that it was made from. */
  before: string;
  /** The ids of the new tasks. */
  tasks: string[];
}

/** What a run tells a task of a person's word. */
export interface ToldDecision {
  /** The number of the report that asked. */
  report: number;
  decision: Decision;
  /** The task's locks were given up while it waited, and are granted anew: its base may be old. */
  released: boolean;
}

/** What a run tells a task that asked for more locks, when it holds them. */
export interface ToldGrowth {
  /** The number of the report that asked. */
  report: number;
  /** It had to give up all its locks in between, so as not to block others for ever: its base may be old. */
  released: boolean;
}

/** What a task's workflow has to be told, as soon as it holds its locks. */
export type TaskNews = ({ kind: 'decision' } & ToldDecision) | ({ kind: 'growth' } & ToldGrowth);
