import { SignalboxError } from './failures.ts';
import { didYouMean } from './nearest.ts';
import type { Task } from './task-file.ts';

/**
 * The tasks with the given ids, in the order of `tasks`.
 *
 * @throws SignalboxError `usage` that names every id that is no task, or every dependency that was left out
 */
export function selectTasks(tasks: readonly Task[], ids: readonly string[]): Task[] {
  const known = new Set(tasks.map(({ manifest }) => manifest.id));
  const unknown = ids.filter((id) => !known.has(id));
  if (unknown.length > 0) {
    const said = unknown.map((id) => {
      const hint = didYouMean(id, known);
      return `there is no task ${JSON.stringify(id)}${hint === undefined ? '' : `; ${hint}`}`;
    });
    throw new SignalboxError('usage', said.join('\n'), { hint: 'See the ids with: signalbox run start --dry-run' });
  }
  const wanted = new Set(ids);
  const selected = tasks.filter(({ manifest }) => wanted.has(manifest.id));
  const left = selected.flatMap(({ manifest }) =>
    manifest.depends_on.filter((id) => !wanted.has(id)).map((id) => ({ task: manifest.id, id })),
  );
  if (left.length > 0) {
    const closed = withDependencies(tasks, wanted);
    const all = tasks.map(({ manifest }) => manifest.id).filter((id) => closed.has(id));
    throw new SignalboxError(
      'usage',
      left.map(({ task, id }) => `task ${task} depends on ${id}, which is not selected`).join('\n'),
      { hint: `Select with dependencies: --tasks ${all.join(',')}` },
    );
  }
  return selected;
}

function withDependencies(tasks: readonly Task[], ids: ReadonlySet<string>): Set<string> {
  const byId = new Map(tasks.map(({ manifest }) => [manifest.id, manifest.depends_on]));
  const all = new Set(ids);
  // A set that grows while it is walked: each added id is visited, too.
  for (const id of all) for (const dependency of byId.get(id) ?? []) all.add(dependency);
  return all;
}
