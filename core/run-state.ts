import type { TaskStatus } from './description.ts';
import { ENDED_STATUSES } from './description.ts';
import type { Claims } from './globs.ts';
import type { LocksAnswer } from './locks.ts';
import type { TaskReport } from './task-report.ts';
import type { PeopleSettings } from './person.ts';
import type { LandingNews } from './train.ts';
import { addUsage, NO_USAGE, type Usage } from './usage.ts';

/** A task as the scheduler sees it: the manifest without the specification. */
export interface TaskView {
  id: string;
  name: string;
  depends_on: string[];
  priority: number;
  claims: Claims;
  /** Bounds of this task: the configuration's, or its own. */
  attempts: number;
  turns: number;
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
  /** Its locks are granted: it starts, works or merges. */
  holds: boolean;
  /** Its workflow was started, and has neither reported its end nor been seen to close. */
  open: boolean;
  /** The newest report taken in. */
  seq: number;
  /** A person asked to cancel it. */
  cancelling: boolean;
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
  people: PeopleSettings;
}

/** The state of a run; plain JSON. Everything that happened went through {@link reduceRun}. */
export interface RunState {
  version: 1;
  settings: RunSettings;
  tasks: Record<string, TaskProgress>;
  /** All tasks are known. */
  loaded: boolean;
  /** `interrupted`: stopped by the Ctrl+C of whoever watched it, until somebody works on it again. */
  paused: 'paused' | 'stopped' | 'interrupted' | null;
  cancelling: boolean;
  /** The number of the newest snapshot sent to the lock table. */
  seq: number;
  head: string;
  /** Why the user's branch does not follow the accepted tip; `null` while it does. */
  landing: LandingNews | null;
}

/** What can happen to a run. `at` is in milliseconds since the epoch. */
export type RunEvent =
  | { type: 'loaded'; at: number; tasks: TaskView[]; last: boolean }
  | { type: 'pause'; at: number }
  | { type: 'stop'; at: number }
  | { type: 'interrupt'; at: number }
  | { type: 'resume'; at: number }
  | { type: 'cancel'; at: number }
  | { type: 'synced'; at: number; seq: number }
  | { type: 'locks'; at: number; answer: LocksAnswer }
  | { type: 'started'; at: number; task: string }
  | { type: 'report'; at: number; report: TaskReport }
  | { type: 'closed'; at: number; task: string; how: string; report: TaskReport | null }
  | { type: 'landing'; at: number; news: LandingNews }
  | { type: 'retryTask'; at: number; task: string }
  | { type: 'cancelTask'; at: number; task: string };

/** A run before anything happened. */
export function initialRunState(settings: RunSettings, baseCommit: string): RunState {
  return {
    version: 1,
    settings,
    tasks: {},
    loaded: false,
    paused: null,
    cancelling: false,
    seq: 0,
    head: baseCommit,
    landing: null,
  };
}

/** The tasks' unchanging part, by id. Not part of the state: it is loaded again after a continue-as-new. */
export type TaskViews = Readonly<Record<string, TaskView>>;

/**
 * What a run becomes by an event. Pure and idempotent: reports, closes and answers may come late, twice and in any
 * order. The workflow and the reader of its history (`run describe` without a worker) share it.
 */
export function reduceRun(state: RunState, event: RunEvent, views: TaskViews): RunState {
  return settle(apply(state, event), views);
}

function apply(state: RunState, event: RunEvent): RunState {
  switch (event.type) {
    case 'loaded': {
      const fresh = event.tasks.filter((task) => state.tasks[task.id] === undefined);
      const tasks = { ...state.tasks, ...Object.fromEntries(fresh.map((task) => [task.id, newProgress()])) };
      return { ...state, tasks, loaded: state.loaded || event.last };
    }
    case 'pause':
      return { ...state, paused: state.paused === 'interrupted' ? 'stopped' : (state.paused ?? 'paused') };
    case 'stop':
      return { ...state, paused: 'stopped' };
    case 'interrupt':
      // A person's own pause or stop is not undone by what undoes a Ctrl+C.
      return { ...state, paused: (state.paused ?? 'interrupted') === 'interrupted' ? 'interrupted' : 'stopped' };
    case 'resume':
      return { ...state, paused: null };
    case 'cancel':
      return { ...state, cancelling: true };
    case 'synced':
      return { ...state, seq: Math.max(state.seq, event.seq) };
    case 'locks':
      return event.answer.seq === state.seq ? applyLocks(state, event.answer, event.at) : state;
    case 'started':
      return update(state, event.task, (task) =>
        // A quick task may have reported its end before its start was confirmed.
        isEnded(task) ? {} : { open: true, holds: true, status: 'working', reason: null },
      );
    case 'report':
      return applyReport(state, event.report, event.at);
    case 'closed':
      return applyClosed(state, event);
    case 'landing':
      return { ...state, head: event.news.tip, landing: event.news.landed ? null : event.news };
    case 'retryTask':
      return update(state, event.task, (task) =>
        canRetry(task) ? { status: 'pending', reason: null, endedAt: null, cancelling: false } : {},
      );
    case 'cancelTask':
      return update(state, event.task, (task) => {
        if (isEnded(task)) return {};
        if (task.open || task.holds) return { cancelling: true };
        return { status: 'cancelled', reason: 'cancelled by a person', endedAt: event.at };
      });
  }
}

function applyLocks(state: RunState, answer: LocksAnswer, at: number): RunState {
  let next = state;
  for (const id of answer.granted) {
    next = update(next, id, (task) =>
      mayStart(state, task) ? { holds: true, status: 'working', reason: null, startedAt: task.startedAt ?? at } : {},
    );
  }
  const refused = new Map(answer.refused.map(({ task, by }) => [task, by]));
  for (const [id, task] of Object.entries(next.tasks)) {
    const by = refused.get(id);
    if (by !== undefined && mayStart(next, task)) {
      next = update(next, id, () => ({ status: 'waiting_for_lock', reason: `waits for the locks of ${by}` }));
    } else if (by === undefined && task.status === 'waiting_for_lock') {
      next = update(next, id, () => ({ status: 'pending', reason: null }));
    }
  }
  return next;
}

function applyReport(state: RunState, report: TaskReport, at: number): RunState {
  const before = state.tasks[report.task];
  if (before === undefined || report.seq <= before.seq) return state;
  const merged = report.state === 'merged' && report.mergedCommit !== null;
  const next = update(state, report.task, (task) => ({
    seq: report.seq,
    attempts: Math.max(task.attempts, report.attempt),
    turns: report.turns,
    usage: report.usage,
    branch: report.branch ?? task.branch,
    commit: report.commit ?? task.commit,
    mergedCommit: report.mergedCommit,
    ...(report.state === 'retrying'
      ? { reason: `attempt ${report.attempt} failed: ${report.reason ?? ''}` }
      : // The report is the last thing that a task's workflow does.
        { status: report.state, reason: report.reason, endedAt: at, holds: false, open: false }),
  }));
  return merged ? { ...next, head: report.mergedCommit ?? next.head } : next;
}

function applyClosed(state: RunState, event: Extract<RunEvent, { type: 'closed' }>): RunState {
  const before = state.tasks[event.task];
  // Its report was heard and a person has asked for the task again since: this is the end of what went before.
  if (
    before !== undefined &&
    event.report !== null &&
    event.report.seq <= before.seq &&
    !isEnded(before) &&
    !before.open
  )
    return state;
  const reported = event.report === null ? state : applyReport(state, event.report, event.at);
  return update(reported, event.task, (task) => {
    if (isEnded(task)) return { open: false, holds: false };
    const status = task.cancelling || reported.cancelling ? 'cancelled' : 'failed';
    return { open: false, holds: false, status, reason: `its workflow was ${event.how}`, endedAt: event.at };
  });
}

/** Derives what follows from the tasks' states: who is blocked, and who no longer is. */
function settle(state: RunState, views: TaskViews): RunState {
  if (!state.loaded) return state;
  let tasks = state.tasks;
  // Ids come in catalogue order, not in order of dependency: repeat until nothing changes (a chain is rarely long).
  for (let changed = true; changed;) {
    changed = false;
    for (const [id, task] of Object.entries(tasks)) {
      if (task.status !== 'pending' && task.status !== 'blocked' && task.status !== 'waiting_for_lock') continue;
      const culprit = (views[id]?.depends_on ?? []).find((dependency) => isObstacle(tasks[dependency]));
      const status: TaskStatus =
        culprit !== undefined ? 'blocked' : task.status === 'blocked' ? 'pending' : task.status;
      const reason =
        culprit !== undefined ? blockedReason(culprit, tasks[culprit]) : status === task.status ? task.reason : null;
      if (status === task.status && reason === task.reason) continue;
      tasks = { ...tasks, [id]: { ...task, status, reason } };
      changed = true;
    }
  }
  return tasks === state.tasks ? state : { ...state, tasks };
}

function isObstacle(task: TaskProgress | undefined): boolean {
  return task !== undefined && (task.status === 'failed' || task.status === 'cancelled' || task.status === 'blocked');
}

function blockedReason(id: string, task: TaskProgress | undefined): string {
  return `depends on ${id}, which ${task?.status === 'failed' ? 'failed' : `is ${task?.status ?? 'unknown'}`}`;
}

/** Has the task reached a status that only a person's word changes? */
export function isEnded(task: TaskProgress): boolean {
  return ENDED_STATUSES.includes(task.status);
}

/** May a person ask for the task again? */
export function canRetry(task: TaskProgress): boolean {
  return (task.status === 'failed' || task.status === 'cancelled') && !task.open;
}

function mayStart(state: RunState, task: TaskProgress): boolean {
  const ready = task.status === 'pending' || task.status === 'waiting_for_lock';
  return ready && !task.holds && state.paused === null && !state.cancelling;
}

function newProgress(): TaskProgress {
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
  };
}

function update(state: RunState, id: string, change: (task: TaskProgress) => Partial<TaskProgress>): RunState {
  const task = state.tasks[id];
  if (task === undefined) return state;
  return { ...state, tasks: { ...state.tasks, [id]: { ...task, ...change(task) } } };
}

/** The usage of all tasks. */
export function runUsage(state: RunState): Usage {
  return addUsage(...Object.values(state.tasks).map((task) => task.usage));
}
