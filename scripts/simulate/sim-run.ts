import { criticalPaths } from '../../core/critical-path.ts';
import { applySync, type LockTable } from '../../core/locks.ts';
import { reduceRun } from '../../core/reduce-run.ts';
import { isOver } from '../../core/run-description.ts';
import type { RunEvent } from '../../core/run-events.ts';
import { initialRunState, type RunState, type TaskView } from '../../core/run-state.ts';
import { lockNews, lockSnapshot, tasksToStart, type Weights } from '../../core/schedule.ts';
import type { TaskReport } from '../../core/task-report.ts';
import { NO_USAGE } from '../../core/usage.ts';
import type { SimRunInput, SimTask } from './graph.ts';
import type { Span } from './span.ts';

/** Something that happens to a run later. */
export interface Due {
  at: number;
  run: SimRun;
  event: RunEvent;
}

/** A run in virtual time: the rules of `core`, called as `workflows/run.ts` calls them. */
export class SimRun {
  readonly id: string;
  readonly #tasks: ReadonlyMap<string, SimTask>;
  readonly #views: Readonly<Record<string, TaskView>>;
  readonly #weights: Weights;
  #state: RunState;
  #told = '';

  constructor({ id, maxParallel, tasks }: SimRunInput) {
    this.id = id;
    this.#tasks = new Map(tasks.map((task) => [task.view.id, task]));
    this.#views = Object.fromEntries(tasks.map(({ view }) => [view.id, view]));
    this.#weights = criticalPaths(this.#views);
    const settings = {
      maxParallel,
      onTaskFailure: 'continue',
      repositoryCap: null,
      ignoreCase: false,
      growthWaitMs: 0,
      idleLocksMs: 0,
      people: { deadlineMs: null, outcome: 'reject' },
    } as const;
    this.#state = initialRunState(settings, 'base');
    this.apply({ type: 'loaded', at: 0, tasks: Object.values(this.#views), last: true });
  }

  apply(event: RunEvent): void {
    this.#state = reduceRun(this.#state, event, this.#views);
  }

  isOver(): boolean {
    return isOver(this.#state, this.#views);
  }

  /** Starts what is granted. */
  start(now: number): { span: Span; due: Due[] }[] {
    return tasksToStart(this.#state).flatMap((id) => {
      const task = this.#tasks.get(id);
      if (task === undefined) return [];
      this.apply({ type: 'started', at: now, task: id });
      let at = now;
      const due = task.attempts.map((duration, index): Due => {
        at += duration;
        return { at, run: this, event: { type: 'report', at, report: reportOf(task, index) } };
      });
      return [{ span: { run: this.id, task, start: now, end: at }, due }];
    });
  }

  /** The lock table with this run's snapshot; `null` if it says nothing new. */
  sync(table: LockTable, now: number): LockTable | null {
    const snapshot = lockSnapshot(this.#state, this.#views, this.id, this.#weights);
    const text = lockNews(snapshot);
    if (text === this.#told) return null;
    this.#told = text;
    const seq = this.#state.seq + 1;
    this.apply({ type: 'synced', at: now, seq });
    return applySync(table, { ...snapshot, seq }, now);
  }
}

function reportOf(task: SimTask, index: number): TaskReport {
  const last = index === task.attempts.length - 1;
  return {
    task: task.view.id,
    attempt: index + 1,
    seq: index + 1,
    state: last ? (task.fails ? 'failed' : 'merged') : 'retrying',
    reason: last && !task.fails ? null : 'a check failed',
    failure: last && !task.fails ? null : 'failed_check',
    turns: index + 1,
    usage: NO_USAGE,
    branch: null,
    commit: null,
    mergedCommit: last && !task.fails ? `merge-${task.view.id}` : null,
  };
}
