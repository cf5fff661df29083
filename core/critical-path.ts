import type { TaskViews } from './run-state.ts';

/** What a task takes where no task of the run has an estimate, milliseconds. */
const DEFAULT_ESTIMATE = 15 * 60_000;

/** What the order of a run's tasks follows, milliseconds. */
export interface Weight {
  /** How long the task may take: its estimate, or the median of the others'. */
  length: number;
  /** How long the longest chain takes of what waits for it, itself included. */
  weight: number;
}

/**
 * The weight of each task: the sooner those start on which much depends, the sooner the run ends. Dependencies that are
 * not among the tasks count for nothing, nor does what would close a cycle.
 */
export function criticalPaths(views: TaskViews): Record<string, Weight> {
  const fallback = median(Object.values(views).flatMap(({ estimate }) => (estimate === null ? [] : [estimate])));
  const dependents = new Map<string, string[]>();
  for (const { id, depends_on } of Object.values(views)) {
    for (const dependency of depends_on) {
      const known = dependents.get(dependency);
      if (known === undefined) dependents.set(dependency, [id]);
      else known.push(id);
    }
  }
  const weights = new Map<string, Weight>();
  const visiting = new Set<string>();
  for (const start of Object.keys(views)) {
    // Depth first, by hand: a chain may be longer than the stack is deep.
    const stack = [start];
    for (let id = stack.at(-1); id !== undefined; id = stack.at(-1)) {
      const after = dependents.get(id) ?? [];
      if (!visiting.has(id)) {
        visiting.add(id);
        stack.push(...after.filter((next) => !visiting.has(next)));
        continue;
      }
      stack.pop();
      const length = views[id]?.estimate ?? fallback;
      const rest = Math.max(0, ...after.map((next) => weights.get(next)?.weight ?? 0));
      if (!weights.has(id)) weights.set(id, { length, weight: length + rest });
    }
  }
  return Object.fromEntries(weights);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? DEFAULT_ESTIMATE;
}
