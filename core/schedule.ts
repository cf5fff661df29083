import type { Weight } from './critical-path.ts';
import type { Claims } from './globs.ts';
import { MOST_WANTS, type LockHold, type LockRequest, type LockWant, type SyncRequest } from './locks.ts';
import {
  isEnded,
  isSatisfied,
  mayTakeLocks,
  type RunState,
  type TaskProgress,
  type TaskView,
  type TaskViews,
} from './run-state.ts';

/** For each task, how much depends on it. */
export type Weights = Readonly<Record<string, Weight>>;

/**
 * What a run holds and wants of the lock table right now. First come tasks that work already: those that need more locks
 * than they hold, and those that gave theirs up while they waited for a person. Then those that may start: a task wants
 * its locks as soon as all that it depends on is merged; higher priority first, then the longer way to the end of the
 * run, then catalogue order.
 *
 * @returns the snapshot without its number; the workflow sends it when it differs from the one before
 */
export function lockSnapshot(
  state: RunState,
  views: TaskViews,
  run: string,
  weights: Weights = {},
): Omit<SyncRequest, 'seq'> {
  const { maxParallel, repositoryCap, ignoreCase } = state.settings;
  const holds: LockHold[] = [];
  const growing: LockWant[] = [];
  const returning: LockWant[] = [];
  const fresh: LockWant[] = [];
  const mayStart = mayStartTasks(state);
  for (const [id, task] of Object.entries(state.tasks)) {
    const view = views[id];
    if (view === undefined) continue;
    const request = (): LockRequest => requestOf(id, task, view, weights);
    if (task.holds) holds.push(task.status === 'waiting_for_person' ? { ...request(), idle: true } : request());
    if (state.paused !== null || state.cancelling) continue;
    if (task.holds && task.growth !== null) {
      const { claims, ...rest } = request();
      growing.push({ ...rest, claims: withWrites(claims, task.growth.globs), grows: true });
    } else if (task.open && task.news !== null && mayTakeLocks(state, task)) returning.push(request());
    else if (!task.open && mayStart && isReady(state, view, task)) fresh.push(request());
  }
  fresh.sort((a, b) => b.priority - a.priority || (b.weight ?? 0) - (a.weight ?? 0));
  return {
    run,
    holds,
    wants: [...growing, ...returning, ...fresh].slice(0, MOST_WANTS),
    slots: Math.max(0, maxParallel - holds.filter((hold) => hold.idle !== true).length),
    ...(repositoryCap === null ? {} : { cap: repositoryCap }),
    ...(ignoreCase ? { ignoreCase: true } : {}),
  };
}

/**
 * What of a snapshot the lock table acts on, to be compared with what it knows. Without a free place it can grant
 * nothing to those who hold nothing, whatever they want.
 */
export function lockNews(snapshot: Omit<SyncRequest, 'seq'>): string {
  const { wants, slots } = snapshot;
  return JSON.stringify(slots === 0 ? { ...snapshot, wants: wants.filter((want) => want.grows === true) } : snapshot);
}

/** The globs that a task may write and read: what it declared, and what it was granted besides. */
function requestOf(id: string, task: TaskProgress, view: TaskView, weights: Weights): LockRequest {
  return {
    task: id,
    claims: withWrites(view.claims, task.extra),
    priority: task.priority ?? view.priority,
    ...weights[id],
  };
}

function withWrites(claims: Claims, globs: readonly string[]): Claims {
  return globs.length === 0 ? claims : { ...claims, writes: [...new Set([...claims.writes, ...globs])] };
}

/** Is all merged, or counts as merged, that a waiting task depends on? */
function isReady(state: RunState, view: TaskView, task: TaskProgress): boolean {
  if (task.holds || (task.status !== 'pending' && task.status !== 'waiting_for_lock')) return false;
  return view.depends_on.every((dependency) => isSatisfied(state.tasks[dependency]));
}

/** May the run start anything now? Not while it is paused, cancelled, or stopped by a failure under `stop`. */
export function mayStartTasks(state: RunState): boolean {
  return state.loaded && state.paused === null && !state.cancelling && !isHalted(state);
}

/** Has a task failed in a run that stops at the first failure? */
export function isHalted(state: RunState): boolean {
  return state.settings.onTaskFailure === 'stop' && Object.values(state.tasks).some((task) => task.status === 'failed');
}

/** Tasks whose locks are granted and whose workflows are not started yet. */
export function tasksToStart(state: RunState): string[] {
  return Object.entries(state.tasks).flatMap(([id, task]) =>
    task.holds && !task.open && !isEnded(task) && !state.cancelling ? [id] : [],
  );
}

/** Open tasks whose workflows have to be told something: they hold their locks again, or do not need them to hear it. */
export function tasksToTell(state: RunState): string[] {
  return Object.entries(state.tasks).flatMap(([id, { open, holds, news }]) => {
    if (!open || news === null) return [];
    const rejected = news.kind === 'decision' && news.decision.outcome === 'reject';
    return holds || rejected ? [id] : [];
  });
}

/** Has every task ended or become impossible? Then the run is over, but for a landing that waits for a person. */
export function isExhausted(state: RunState): boolean {
  if (!state.loaded) return false;
  const tasks = Object.values(state.tasks);
  if (tasks.some((task) => task.holds || (task.open && !isEnded(task)))) return false;
  return isHalted(state) || tasks.every((task) => isEnded(task) || task.status === 'blocked');
}

/** Can nothing go on but by a person's word: to one of its tasks, or to the train that its tasks wait in? */
export function isWaitingForPeople(state: RunState, views: TaskViews): boolean {
  const tasks = Object.entries(state.tasks);
  // What could not be carried out is tried again without a person.
  const inTrain = state.halt === null || state.halt.kind === 'error' ? [] : state.halt.tasks;
  const waits = ([id, task]: (typeof tasks)[number]): boolean =>
    task.status === 'waiting_for_person' || (task.open && inTrain.includes(id));
  if (!tasks.some(waits)) return false;
  return tasks.every(([id, task]) => {
    if (isEnded(task) || task.status === 'blocked' || waits([id, task])) return true;
    const view = views[id];
    return !task.open && !task.holds && view !== undefined && !isReady(state, view, task);
  });
}
