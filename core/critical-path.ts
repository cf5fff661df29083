import type { TaskViews } from './run-state.ts';

/** What a task takes where no task of the run has an estimate, milliseconds. */
const DEFAULT_ESTIMATE = 15 * 60_000;

/**
 * For each task, how long the longest chain takes of what waits for it, itself included, milliseconds: the sooner those
 * start on which much depends, the sooner the run ends. A task without an estimate counts as the median of the others.
 * Dependencies that are not among the tasks count for nothing, nor does what would close a cycle.
 */
export function criticalPaths(views: TaskViews): Record<string, number> {
  const fallback = median(Object.values(views).flatMap(({ estimate }) => (estimate === null ? [] : [estimate])));
  const dependents = new Map<string, string[]>();
  for (const { id, depends_on } of Object.values(views)) {
    for (const dependency of depends_on) {
      const known = dependents.get(dependency);
      if (known === undefined) dependents.set(dependency, [id]);
      else known.push(id);
    }
  }
  const lengths = new Map<string, number>();
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
      if (lengths.has(id)) continue;
      const rest = Math.max(0, ...after.map((next) => lengths.get(next) ?? 0));
      lengths.set(id, (views[id]?.estimate ?? fallback) + rest);
    }
  }
  return Object.fromEntries(lengths);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? DEFAULT_ESTIMATE;
}
