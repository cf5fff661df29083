import type { SandboxDescription, TaskStatus } from './description.ts';
import { ENDED_STATUSES } from './description.ts';
import type { Evidence } from './evidence.ts';
import type { Claims } from './globs.ts';
import type { InputRequest, InputValue, PeopleSettings, PersonWait } from './person.ts';
import type { RequestNews } from './pull-request.ts';
import type { TaskNews } from './run-messages.ts';
import type { ArtefactRef } from './run-ref.ts';
import type { LandingNews, TrainHalt } from './train.ts';
import { addUsage, NO_USAGE, type Usage } from './usage.ts';

/** A task as the scheduler sees it: the manifest without the specification. */
export interface TaskView {
  id: string;
  name: string;
  depends_on: string[];
  priority: number;
  claims: Claims;
  /** How long it may take, milliseconds; `null` if nobody said. */
  estimate: number | null;
  /** Bounds of this task: the configuration's, or its own. */
  attempts: number;
  turns: number;
  approval: 'none' | 'start' | 'merge';
  inputs: InputRequest[];
  /** It was merged by an earlier run, in this commit. */
  done: { run: string; commit: string } | null;
}

/** More locks that a working task asked for: globs of what it wrote outside of its claims. */
export interface Growth {
  globs: string[];
  /** Milliseconds since the epoch. */
  since: number;
  /** The number of the report that asked. */
  report: number;
}

/** What a run knows of one task's progress. Plain and small: it is carried over continue-as-new. */
export interface TaskProgress {
  status: TaskStatus;
  reason: string | null;
  attempts: number;
  turns: number;
  usage: Usage;
  branch: string | null;
  commit: string | null;
  mergedCommit: string | null;
  /** Milliseconds since the epoch. */
  startedAt: number | null;
  endedAt: number | null;
  /** Its locks are granted: it starts, works, waits or merges. */
  holds: boolean;
  /** Its workflow was started, and has neither reported its end nor been seen to close. */
  open: boolean;
  /** The newest report taken in. */
  seq: number;
  /** A person asked to cancel it. */
  cancelling: boolean;
  /** What it asks a person for. */
  wait: PersonWait | null;
  /** How often it has waited for a person: the id of the newest wait. */
  waits: number;
  /** A person let it start. */
  approved: boolean;
  /** What a person gave for its inputs. */
  inputs: Record<string, InputValue>;
  /** What a person said for its next start, oldest first. */
  guidance: string[];
  /** How it failed the last time; `null` if it did not. */
  failed: Pick<Evidence, 'kind' | 'summary'> | null;
  /** Globs that it may write besides those it declared. */
  extra: string[];
  growth: Growth | null;
  /** Told to its workflow as soon as it holds its locks. */
  news: TaskNews | null;
  /** For a skipped task: what depends on it may start. */
  satisfied: boolean;
  /** What a person made of its priority. */
  priority: number | null;
  /** Its pull request, as the train told it last. */
  request: RequestNews | null;
  warnings: string[];
  /** What a person should know of what its newest work changes: see `sensitiveChanges`. */
  findings: string[];
}

/** The limits and policies of a run. */
export interface RunSettings {
  maxParallel: number;
  onTaskFailure: 'continue' | 'stop';
  /** How many tasks of all runs may work on the repository at once; `null`: no bound. */
  repositoryCap: number | null;
  /** Do names that differ only in case mean one file? */
  ignoreCase: boolean;
  /** How long a task that holds locks waits for more, milliseconds. */
  growthWaitMs: number;
  /** After how long a task that waits for a person gives up its locks, milliseconds: others need them. */
  idleLocksMs: number;
  people: PeopleSettings;
  /** For descriptions only. Absent in runs that were started before it was told. */
  sandbox?: SandboxDescription;
}

/** The state of a run; plain JSON. Everything that happened went through `reduceRun`. */
export interface RunState {
  version: 1;
  settings: RunSettings;
  tasks: Record<string, TaskProgress>;
  /** All tasks are known. */
  loaded: boolean;
  /** What the run is pinned to since tasks were added; `null`: what it was started with. */
  manifest: ArtefactRef | null;
  /** `interrupted`: stopped by the Ctrl+C of whoever watched it, until somebody works on it again. */
  paused: 'paused' | 'stopped' | 'interrupted' | null;
  cancelling: boolean;
  /** The number of the newest snapshot sent to the lock table. */
  seq: number;
  head: string;
  /** Why the user's branch does not follow the accepted tip; `null` while it does. */
  landing: LandingNews | null;
  /** Why the train stands that the run's finished tasks wait in; `null` while it goes. */
  halt: TrainHalt | null;
}

/** The tasks' unchanging part, by id. Not part of the state: it is loaded again after a continue-as-new. */
export type TaskViews = Readonly<Record<string, TaskView>>;

/** A run before anything happened. */
export function initialRunState(settings: RunSettings, baseCommit: string): RunState {
  return {
    version: 1,
    settings,
    tasks: {},
    loaded: false,
    manifest: null,
    paused: null,
    cancelling: false,
    seq: 0,
    head: baseCommit,
    landing: null,
    halt: null,
  };
}

/** A task before anything happened to it. */
export function newProgress(): TaskProgress {
  return {
    status: 'pending',
    reason: null,
    attempts: 0,
    turns: 0,
    usage: { ...NO_USAGE },
    branch: null,
    commit: null,
    mergedCommit: null,
    startedAt: null,
    endedAt: null,
    holds: false,
    open: false,
    seq: 0,
    cancelling: false,
    wait: null,
    waits: 0,
    approved: false,
    inputs: {},
    guidance: [],
    failed: null,
    extra: [],
    growth: null,
    news: null,
    satisfied: false,
    priority: null,
    request: null,
    warnings: [],
    findings: [],
  };
}

/** Has the task reached a status that only a person's word changes? */
export function isEnded(task: TaskProgress): boolean {
  return ENDED_STATUSES.includes(task.status);
}

/** May a person ask for the task again? */
export function canRetry(task: TaskProgress): boolean {
  return (task.status === 'failed' || task.status === 'cancelled') && !task.open;
}

/** May what depends on the task start? */
export function isSatisfied(task: TaskProgress | undefined): boolean {
  return task?.status === 'merged' || (task?.status === 'skipped' && task.satisfied);
}

/** Could the task begin, or go on, if its locks were granted? */
export function mayTakeLocks(state: RunState, task: TaskProgress): boolean {
  const waits = task.status === 'pending' || task.status === 'waiting_for_lock';
  return waits && !task.holds && state.paused === null && !state.cancelling;
}

/** Changes one task of a run; an unknown one changes nothing. */
export function updateTask(
  state: RunState,
  id: string,
  change: (task: TaskProgress) => Partial<TaskProgress>,
): RunState {
  const task = state.tasks[id];
  if (task === undefined) return state;
  return { ...state, tasks: { ...state.tasks, [id]: { ...task, ...change(task) } } };
}

/** The usage of all tasks. */
export function runUsage(state: RunState): Usage {
  return addUsage(...Object.values(state.tasks).map((task) => task.usage));
}
