import { MOST_WANTS, type LockRequest, type SyncRequest } from './locks.ts';
import { isEnded, type RunState, type TaskProgress, type TaskViews } from './run-state.ts';

/**
 * What a run holds and wants of the lock table right now. A task wants its locks as soon as all that it depends on is
 * merged; higher priority first, then catalogue order.
 *
 * @returns the snapshot without its number; the workflow sends it when it differs from the one before
 */
export function lockSnapshot(state: RunState, views: TaskViews, run: string): Omit<SyncRequest, 'seq'> {
  const holds = requests(state, views, (task) => task.holds);
  const ready = mayStartTasks(state) ? requests(state, views, (task, id) => isReady(state, views, task, id)) : [];
  const wants = ready.sort((a, b) => b.priority - a.priority).slice(0, MOST_WANTS);
  return { run, holds, wants, slots: Math.max(0, state.settings.maxParallel - holds.length) };
}

/**
 * What of a snapshot the lock table acts on, to be compared with what it knows. Without a free place it can grant
 * nothing, whatever is wanted.
 */
export function lockNews(snapshot: Omit<SyncRequest, 'seq'>): string {
  return JSON.stringify(snapshot.slots === 0 ? { ...snapshot, wants: [] } : snapshot);
}

/** Are all dependencies of a waiting task merged, or skipped? */
function isReady(state: RunState, views: TaskViews, task: TaskProgress, id: string): boolean {
  if (task.holds || (task.status !== 'pending' && task.status !== 'waiting_for_lock')) return false;
  return (views[id]?.depends_on ?? []).every((dependency) => {
    const status = state.tasks[dependency]?.status;
    return status === 'merged' || status === 'skipped';
  });
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

/** Has every task ended or become impossible? Then the run is over, but for a landing that waits for a person. */
export function isExhausted(state: RunState): boolean {
  if (!state.loaded) return false;
  const tasks = Object.values(state.tasks);
  if (tasks.some((task) => task.holds || (task.open && !isEnded(task)))) return false;
  return isHalted(state) || tasks.every((task) => isEnded(task) || task.status === 'blocked');
}

function requests(
  state: RunState,
  views: TaskViews,
  include: (task: TaskProgress, id: string) => boolean,
): LockRequest[] {
  return Object.entries(state.tasks).flatMap(([id, task]) => {
    const view = views[id];
    return view !== undefined && include(task, id) ? [{ task: id, claims: view.claims, priority: view.priority }] : [];
  });
}
