import type { SimTask } from './graph.ts';

/** When a task worked, virtual milliseconds. */
export interface Span {
  run: string;
  task: SimTask;
  start: number;
  end: number;
}

/** How long all attempts of a task take. */
export function workOf(task: SimTask): number {
  return task.attempts.reduce((sum, attempt) => sum + attempt, 0);
}

/** When the last task ended. */
export function makespanOf(spans: readonly Span[]): number {
  return Math.max(0, ...spans.map(({ end }) => end));
}
