import type { TaskView } from './run-state.ts';

/** What counts for a task without an estimate where no task has one, milliseconds: only the number of tasks matters then. */
const UNIT = 1;

/**
 * For each task, the length of the longest chain of what waits for it, itself included, in milliseconds: how early it
 * has to start for the run to end early. A task without an estimate counts as the median of the given ones. Unknown
 * dependencies count for nothing; tasks that depend on each other in a circle are counted once.
 */
export function criticalPaths(views: Readonly<Record<string, TaskView>>): Record<string, number> {
  const all = Object.values(views);
  const dependents = new Map<string, string[]>(all.map(({ id }) => [id, []]));
  for (const { id, depends_on } of all) for (const other of depends_on) dependents.get(other)?.push(id);
  const usual = median(all.flatMap(({ estimate }) => estimate ?? []));
  const paths: Record<string, number> = {};
  const entered = new Set<string>();
  for (const { id: start } of all) {
    // A stack of its own instead of recursion: a chain may be thousands of tasks long.
    for (const stack = [start]; stack.length > 0;) {
      const id = stack.at(-1) ?? '';
      const after = dependents.get(id) ?? [];
      if (!entered.has(id)) {
        entered.add(id);
        stack.push(...after.filter((other) => !entered.has(other)));
        continue;
      }
      stack.pop();
      paths[id] ??= (views[id]?.estimate ?? usual) + Math.max(0, ...after.map((other) => paths[other] ?? 0));
    }
  }
  return paths;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? UNIT;
}
