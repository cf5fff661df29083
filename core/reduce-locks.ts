import type { LocksAnswer } from './locks.ts';
import { mayTakeLocks, updateTask, type Growth, type RunState, type TaskProgress } from './run-state.ts';
import type { TaskReport } from './task-report.ts';

/** The lock table's answer: who begins, or goes on, and who waits for whom. */
export function applyLocks(state: RunState, answer: LocksAnswer, at: number): RunState {
  let next = state;
  for (const id of answer.granted) {
    next = updateTask(next, id, (task) => {
      if (!mayTakeLocks(state, task)) return {};
      return { holds: true, status: 'working', reason: null, startedAt: task.startedAt ?? at };
    });
  }
  for (const { task: id, writes } of answer.grown ?? []) {
    next = updateTask(next, id, (task) => {
      const { growth } = task;
      // An answer that is told again may be about what it asked for before.
      const asked = task.holds && growth !== null && growth.globs.every((glob) => writes.includes(glob));
      return asked ? grown(task, growth) : {};
    });
  }
  const refused = new Map(answer.refused.map((refusal) => [refusal.task, refusal]));
  for (const [id, task] of Object.entries(next.tasks)) {
    const refusal = refused.get(id);
    if (refusal !== undefined && task.holds && task.growth !== null) {
      const { growth } = task;
      const reason = `waits for the locks of ${refusal.by} to go on`;
      next = updateTask(next, id, () =>
        refusal.final === true ? releaseLocks(task, growth, `${refusal.by} waits for its locks, too`) : { reason },
      );
    } else if (refusal !== undefined && mayTakeLocks(next, task)) {
      const reason = refusal.clash === null ? `waits for ${refusal.by}` : `waits for the locks of ${refusal.by}`;
      next = updateTask(next, id, () => ({ status: 'waiting_for_lock', reason }));
    } else if (refusal === undefined && task.status === 'waiting_for_lock' && !task.open) {
      next = updateTask(next, id, () => ({ status: 'pending', reason: null }));
    }
  }
  return next;
}

/** A task that wrote outside of its claims, and asks for what it lacks. */
export function applyGrowth(report: TaskReport, at: number): Partial<TaskProgress> {
  const globs = report.claims ?? [];
  const growth = { globs, since: at, report: report.seq };
  return { status: 'waiting_for_lock', reason: `wrote outside of its claims: ${globs.slice(0, 3).join(', ')}`, growth };
}

function grown(task: TaskProgress, growth: Growth): Partial<TaskProgress> {
  const news = { kind: 'growth', report: growth.report, released: false } as const;
  return { status: 'working', reason: null, growth: null, extra: [...task.extra, ...growth.globs], news };
}

/** A task that gives up all its locks, and waits for those and what it lacks as one request. */
export function releaseLocks(task: TaskProgress, growth: Growth, why: string): Partial<TaskProgress> {
  return {
    status: 'waiting_for_lock',
    reason: `gave up its locks: ${why}`,
    holds: false,
    growth: null,
    extra: [...task.extra, ...growth.globs],
    news: { kind: 'growth', report: growth.report, released: true },
  };
}
