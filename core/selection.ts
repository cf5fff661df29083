import { SignalboxError } from './failures.ts';
import { didYouMean } from './nearest.ts';
import type { Task } from './task-file.ts';

/** Where a task was merged: by which run, in which commit. */
export interface DoneTask {
  run: string;
  commit: string;
}

/** What of a catalogue a run is about. */
export interface SelectionRequest {
  /** Ids of the tasks that a person named; `undefined`: all. */
  only: readonly string[] | undefined;
  /** The tasks that are merged already, by id. */
  finished: Readonly<Record<string, DoneTask>>;
  /** Leave the finished tasks as they are; false: do them again. */
  reuse: boolean;
}

/** The tasks of a run. */
export interface Selection {
  /** In the catalogue's order, with finished tasks on which they depend. */
  tasks: Task[];
  /** Those of them that are not done again. */
  reused: Record<string, DoneTask>;
}

/**
 * Picks the tasks of a run. A finished task that others depend on is there also if nobody named it; it needs nothing
 * itself, whatever became of its own dependencies since.
 *
 * @throws SignalboxError `usage` that names every id that is no task, or every unfinished dependency that was left out
 */
export function selectTasks(tasks: readonly Task[], { only, finished, reuse }: SelectionRequest): Selection {
  const named = new Set(only ?? tasks.map(({ manifest }) => manifest.id));
  requireKnown(tasks, named);
  const isReused = (id: string): boolean => finished[id] !== undefined && (reuse || !named.has(id));
  const needs = ({ manifest }: Task): string[] =>
    isReused(manifest.id) ? [] : manifest.depends_on.filter((id) => !named.has(id));
  const selected = tasks.filter(({ manifest }) => named.has(manifest.id));
  const left = selected.flatMap((task) =>
    needs(task).flatMap((id) =>
      isReused(id) ? [] : [`task ${task.manifest.id} depends on ${id}, which is not selected`],
    ),
  );
  if (left.length > 0) {
    const closed = withDependencies(tasks, named, isReused);
    const all = tasks.map(({ manifest }) => manifest.id).filter((id) => closed.has(id));
    throw new SignalboxError('usage', left.join('\n'), { hint: `Select with dependencies: --tasks ${all.join(',')}` });
  }
  const ids = new Set([...named, ...selected.flatMap(needs)]);
  const chosen = tasks.filter(({ manifest }) => ids.has(manifest.id));
  const reused = chosen.flatMap(({ manifest: { id } }) => {
    const done = finished[id];
    return done !== undefined && isReused(id) ? [[id, done] as const] : [];
  });
  return { tasks: chosen, reused: Object.fromEntries(reused) };
}

function requireKnown(tasks: readonly Task[], ids: ReadonlySet<string>): void {
  const known = new Set(tasks.map(({ manifest }) => manifest.id));
  const said = [...ids].flatMap((id) => {
    const hint = didYouMean(id, known);
    return known.has(id) ? [] : [`there is no task ${JSON.stringify(id)}${hint === undefined ? '' : `; ${hint}`}`];
  });
  if (said.length === 0) return;
  throw new SignalboxError('usage', said.join('\n'), { hint: 'See the ids with: signalbox run start --dry-run' });
}

/** The tasks with all that they need, down to what is finished. */
function withDependencies(
  tasks: readonly Task[],
  ids: ReadonlySet<string>,
  isReused: (id: string) => boolean,
): Set<string> {
  const byId = new Map(tasks.map(({ manifest }) => [manifest.id, manifest.depends_on]));
  const all = new Set(ids);
  // A set that grows while it is walked: each added id is visited, too.
  for (const id of all) {
    if (isReused(id)) continue;
    for (const dependency of byId.get(id) ?? []) if (!isReused(dependency)) all.add(dependency);
  }
  return all;
}
