import { applyDecision, applyTime, askForWhatIsMissing } from './reduce-waits.ts';
import { applyGrowth, applyLocks } from './reduce-locks.ts';
import type { RunEvent } from './run-events.ts';
import {
  canRetry,
  isEnded,
  isSatisfied,
  newProgress,
  updateTask,
  type RunState,
  type TaskProgress,
  type TaskView,
  type TaskViews,
} from './run-state.ts';
import type { TaskStatus } from './description.ts';
import type { TaskReport } from './task-report.ts';

/** Most warnings kept of a task. */
const MOST_WARNINGS = 5;

/**
 * What a run becomes by an event. Pure and idempotent: reports, closes and answers may come late, twice and in any
 * order. The workflow and the reader of its history (`run describe` without a worker) share it.
 */
export function reduceRun(state: RunState, event: RunEvent, views: TaskViews): RunState {
  return settle(apply(state, event), views, event.at);
}

function apply(state: RunState, event: RunEvent): RunState {
  switch (event.type) {
    case 'loaded': {
      const fresh = event.tasks.filter((task) => state.tasks[task.id] === undefined);
      const tasks = { ...state.tasks, ...Object.fromEntries(fresh.map((task) => [task.id, firstProgress(task)])) };
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
    case 'tick':
      return applyTime(state, event.at);
    case 'synced':
      return { ...state, seq: Math.max(state.seq, event.seq) };
    case 'locks':
      return event.answer.seq === state.seq ? applyLocks(state, event.answer, event.at) : state;
    case 'started':
      return updateTask(state, event.task, (task) =>
        // A quick task may have reported before its start was confirmed.
        isEnded(task) || task.open ? {} : { open: true, holds: true, status: 'working', reason: null, guidance: [] },
      );
    case 'told':
      return updateTask(state, event.task, (task) => (task.news?.report === event.report ? { news: null } : {}));
    case 'report':
      return applyReport(state, event.report, event.at);
    case 'closed':
      return applyClosed(state, event);
    case 'landing':
      return { ...state, head: event.news.tip, landing: event.news.landed ? null : event.news };
    case 'halted':
      return { ...state, halt: event.halt };
    case 'request':
      return updateTask(state, event.news.task, (task) =>
        isEnded(task) || event.news.attempt < task.attempts ? {} : { request: event.news },
      );
    case 'decideTask':
      return applyDecision(state, event.task, event.decision, event.at);
    case 'retryTask':
      return updateTask(state, event.task, (task) => (canRetry(task) ? again(task, event.guidance) : {}));
    case 'cancelTask':
      return updateTask(state, event.task, (task) => {
        if (isEnded(task)) return {};
        if (task.open || task.holds) return { cancelling: true };
        return { status: 'cancelled', reason: 'cancelled by a person', endedAt: event.at, wait: null };
      });
    case 'skipTask':
      return updateTask(state, event.task, (task) =>
        canSkip(task)
          ? {
              status: 'skipped',
              reason: event.satisfied ? 'skipped; what depends on it goes on' : null,
              satisfied: event.satisfied,
              endedAt: event.at,
              wait: null,
            }
          : {},
      );
    case 'setTask':
      return updateTask(state, event.task, () => ({ priority: event.priority }));
    case 'setRun':
      return { ...state, settings: { ...state.settings, maxParallel: event.maxParallel } };
    case 'addTasks':
      return { ...state, manifest: event.manifest };
  }
}

/** May a person take the task out of the run? Not while it works, nor when it is merged. */
export function canSkip(task: TaskProgress): boolean {
  return !task.open && !task.holds && task.status !== 'merged';
}

function firstProgress({ done }: TaskView): TaskProgress {
  const fresh = newProgress();
  if (done === null) return fresh;
  return { ...fresh, status: 'merged', mergedCommit: done.commit, reason: `merged by run ${done.run}` };
}

function again(task: TaskProgress, guidance: string | null): Partial<TaskProgress> {
  return {
    status: 'pending',
    reason: null,
    endedAt: null,
    cancelling: false,
    wait: null,
    growth: null,
    news: null,
    guidance: guidance === null ? task.guidance : [...task.guidance, guidance],
  };
}

function applyReport(state: RunState, report: TaskReport, at: number): RunState {
  const before = state.tasks[report.task];
  if (before === undefined || report.seq <= before.seq) return state;
  // Of an execution that was cut off, and is being ended: this one did not start it.
  const former = !before.open && !before.holds;
  const late = former && (!isFinal(report) || report.state === 'cancelled');
  const next = updateTask(state, report.task, (task) => ({
    seq: report.seq,
    attempts: Math.max(task.attempts, report.attempt),
    turns: report.turns,
    usage: report.usage,
    branch: report.branch ?? task.branch,
    commit: report.commit ?? task.commit,
    mergedCommit: report.mergedCommit,
    findings: report.findings ?? [],
    warnings: [...new Set([...task.warnings, ...(report.warnings ?? [])])].slice(-MOST_WARNINGS),
    // Whoever reports has been started.
    ...(before.open || former ? {} : { open: true, holds: true, guidance: [] }),
  }));
  if (late) return next;
  switch (report.state) {
    case 'retrying':
      return updateTask(next, report.task, ({ request }) => ({
        status: 'working',
        request: atRest(request),
        reason: `attempt ${report.attempt} failed: ${report.reason ?? ''}`,
      }));
    case 'waiting':
      return updateTask(next, report.task, (task) => ({
        status: 'waiting_for_person',
        reason: report.reason,
        waits: task.waits + 1,
        wait: {
          kind: report.wait?.kind ?? 'review',
          id: task.waits + 1,
          question: report.wait?.question ?? report.reason ?? '',
          since: at,
          deadline: deadlineOf(state, at),
          report: report.seq,
          inputs: [],
        },
      }));
    case 'needs_locks':
      return updateTask(next, report.task, () => applyGrowth(report, at));
    case 'merged':
      return { ...ended(next, report, at), head: report.mergedCommit ?? next.head };
    case 'failed':
    case 'cancelled':
      return ended(next, report, at);
  }
}

/** The report is the last thing that a task's workflow does. */
function ended(state: RunState, report: TaskReport, at: number): RunState {
  return updateTask(state, report.task, ({ request }) => ({
    request: atRest(request),
    // Only final reports come here.
    status: report.state === 'merged' || report.state === 'failed' ? report.state : 'cancelled',
    reason: report.reason,
    failed: report.state === 'failed' ? { kind: report.failure ?? 'lost', summary: report.reason ?? '' } : null,
    endedAt: at,
    holds: false,
    open: false,
    wait: null,
    growth: null,
    news: null,
  }));
}

/** A pull request for which nothing is waited any more; one that was never opened is forgotten. */
function atRest(request: TaskProgress['request']): TaskProgress['request'] {
  return request === null || request.number === null ? null : { ...request, waits: null, person: false };
}

function isFinal(report: TaskReport): boolean {
  return report.state === 'merged' || report.state === 'failed' || report.state === 'cancelled';
}

function deadlineOf(state: RunState, at: number): number | null {
  const { deadlineMs } = state.settings.people;
  return deadlineMs === null ? null : at + deadlineMs;
}

function applyClosed(state: RunState, event: Extract<RunEvent, { type: 'closed' }>): RunState {
  const before = state.tasks[event.task];
  // Its report was heard and a person has asked for the task again since: this is the end of what went before.
  const heard = event.report === null || event.report.seq <= (before?.seq ?? 0);
  if (before !== undefined && heard && !isEnded(before) && !before.open) return state;
  const reported = event.report === null ? state : applyReport(state, event.report, event.at);
  return updateTask(reported, event.task, (task) => {
    const idle = { open: false, holds: false, wait: null, growth: null, news: null };
    if (isEnded(task)) return idle;
    const status = task.cancelling || reported.cancelling ? 'cancelled' : 'failed';
    const reason = `its workflow was ${event.how}`;
    return { ...idle, status, reason, failed: { kind: 'lost', summary: reason }, endedAt: event.at };
  });
}

/** Derives what follows from the tasks' states: who is blocked, who no longer is, and who waits for a person to start. */
function settle(state: RunState, views: TaskViews, at: number): RunState {
  if (!state.loaded) return state;
  let tasks = state.tasks;
  // Ids come in catalogue order, not in order of dependency: repeat until nothing changes (a chain is rarely long).
  for (let changed = true; changed;) {
    changed = false;
    for (const [id, task] of Object.entries(tasks)) {
      const view = views[id];
      if (view === undefined || isEnded(task) || task.open || task.holds) continue;
      const next = settled(state, task, view, tasks, at);
      if (next === task) continue;
      tasks = { ...tasks, [id]: next };
      changed = true;
    }
  }
  return tasks === state.tasks ? state : { ...state, tasks };
}

function settled(
  state: RunState,
  task: TaskProgress,
  view: TaskView,
  tasks: RunState['tasks'],
  at: number,
): TaskProgress {
  const culprit = view.depends_on.find((dependency) => isObstacle(tasks[dependency]));
  if (culprit !== undefined) {
    const reason = blockedReason(culprit, tasks[culprit]);
    if (task.status === 'blocked' && task.reason === reason && task.wait === null) return task;
    return { ...task, status: 'blocked', reason, wait: null };
  }
  const ready = view.depends_on.every((dependency) => isSatisfied(tasks[dependency]));
  const asking = askForWhatIsMissing(task, view, ready, at, deadlineOf(state, at));
  if (asking !== null) return asking;
  if (task.status === 'pending' || task.status === 'waiting_for_lock') return task;
  return { ...task, status: 'pending', reason: null, wait: null };
}

function isObstacle(task: TaskProgress | undefined): boolean {
  if (task === undefined) return false;
  return (
    task.status === 'failed' ||
    task.status === 'cancelled' ||
    task.status === 'blocked' ||
    (task.status === 'skipped' && !task.satisfied)
  );
}

function blockedReason(id: string, task: TaskProgress | undefined): string {
  const word: Partial<Record<TaskStatus, string>> = { failed: 'failed', skipped: 'was skipped' };
  const status = task?.status ?? 'pending';
  return `depends on ${id}, which ${word[status] ?? `is ${status}`}`;
}
