import type { Config } from './config.ts';
import type { Claims } from './globs.ts';
import { didYouMean } from './nearest.ts';
import type { Place, Problem } from './problems.ts';
import type { Task } from './task-file.ts';

/** A task with the places of its front matter's values. */
export interface PlacedTask {
  task: Task;
  /** Where the value at a path of the manifest stands, such as `['depends_on', 0]`; else where its nearest parent does. */
  place: (path: readonly (string | number)[]) => Place;
}

/** The part of the configuration that scopes refer to. */
type Resources = Pick<Config, 'resources'>;

/** The part of the configuration that task files refer to. */
export type CatalogueConfig = Pick<Config, 'resources' | 'agent'>;

/**
 * Everything that is wrong between tasks: ids that differ only in case, dependencies that do not exist, cycles,
 * resources that the configuration does not name, and agents for which it names no command. What one file alone can have wrong is its schema's business.
 *
 * @param unreadable ids of tasks whose files are themselves wrong; depending on them is no second problem
 */
export function catalogueProblems(
  tasks: readonly PlacedTask[],
  config: CatalogueConfig,
  unreadable: readonly string[] = [],
): Problem[] {
  const ids = new Set([...tasks.map(({ task }) => task.manifest.id), ...unreadable]);
  return [
    ...duplicates(tasks),
    ...tasks.flatMap((placed) => missingDependencies(placed, ids)),
    ...cycles(tasks),
    ...tasks.flatMap((placed) => unknownResources(placed, config)),
    ...tasks.flatMap((placed) => missingCommand(placed, config)),
  ];
}

/**
 * The paths that a task relies on and changes, as sorted globs: its `files` and those of the resources in its `locks`.
 * A task that declares neither, or a resource that nobody knows, writes everything.
 */
export function claimsOf(task: Pick<Task, 'manifest'>, config: Resources): Claims {
  const { files, locks } = task.manifest;
  const known = new Map(config.resources.map(({ name, paths }) => [name, paths]));
  const globs = (paths: readonly string[], names: readonly string[]): string[] =>
    [...new Set([...paths, ...names.flatMap((name) => known.get(name) ?? ['**'])])].sort();
  const claims = { reads: globs(files.reads, locks.reads), writes: globs(files.writes, locks.writes) };
  return claims.reads.length + claims.writes.length === 0 ? { reads: [], writes: ['**'] } : claims;
}

/** Does the task say what it reads and writes? One that does not locks everything, which users want to be told. */
export function declaresScope({ manifest: { files, locks } }: Pick<Task, 'manifest'>): boolean {
  return [files.reads, files.writes, locks.reads, locks.writes].some((list) => list.length > 0);
}

function problem(
  { task, place }: PlacedTask,
  path: readonly (string | number)[],
  message: string,
  hint?: string,
): Problem {
  return { file: task.file, ...place(path), message, ...(hint === undefined ? {} : { hint }) };
}

function duplicates(tasks: readonly PlacedTask[]): Problem[] {
  const first = new Map<string, Task>();
  return tasks.flatMap((placed) => {
    const { id } = placed.task.manifest;
    const other = first.get(id.toLowerCase());
    if (other === undefined) {
      first.set(id.toLowerCase(), placed.task);
      return [];
    }
    const same = other.manifest.id === id ? '' : ' (upper and lower case count as the same)';
    return [problem(placed, ['id'], `id ${JSON.stringify(id)} is already taken by ${other.file}${same}`)];
  });
}

function missingDependencies(placed: PlacedTask, ids: ReadonlySet<string>): Problem[] {
  return placed.task.manifest.depends_on.flatMap((id, index) => {
    if (ids.has(id)) return [];
    const message = `depends on ${JSON.stringify(id)}, which is no task`;
    return [problem(placed, ['depends_on', index], message, didYouMean(id, ids))];
  });
}

function unknownResources(placed: PlacedTask, { resources }: Resources): Problem[] {
  const names = resources.map(({ name }) => name);
  return (['reads', 'writes'] as const).flatMap((mode) =>
    placed.task.manifest.locks[mode].flatMap((name, index) => {
      if (names.includes(name)) return [];
      const message = `locks ${JSON.stringify(name)}, which is no resource of the configuration`;
      const known = names.length === 0 ? 'the configuration names none' : `there are ${names.join(', ')}`;
      return [problem(placed, ['locks', mode, index], message, didYouMean(name, names) ?? known)];
    }),
  );
}

function missingCommand(placed: PlacedTask, config: CatalogueConfig): Problem[] {
  const { provider, command } = placed.task.manifest.agent;
  if (provider !== 'command' || command !== undefined || config.agent.command !== undefined) return [];
  return [problem(placed, ['agent', 'provider'], 'agent.command must be set, here or in the configuration')];
}

/** One problem for each cycle that a walk along the dependencies meets, told at the dependency that closes it. */
function cycles(tasks: readonly PlacedTask[]): Problem[] {
  const byId = new Map<string, PlacedTask>();
  for (const placed of tasks) if (!byId.has(placed.task.manifest.id)) byId.set(placed.task.manifest.id, placed);
  const done = new Set<string>();
  const problems: Problem[] = [];
  for (const start of byId.keys()) {
    // A stack of its own instead of recursion: a chain may be thousands of tasks long.
    const path: { id: string; next: number }[] = done.has(start) ? [] : [{ id: start, next: 0 }];
    const onPath = new Set(path.map(({ id }) => id));
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const placed = byId.get(top.id);
      const index = top.next;
      const dependency = placed?.task.manifest.depends_on[index];
      top.next += 1;
      if (placed === undefined || dependency === undefined) {
        done.add(top.id);
        onPath.delete(top.id);
        path.pop();
      } else if (onPath.has(dependency)) {
        const ids = path.map(({ id }) => id);
        const cycle = [...ids.slice(ids.indexOf(dependency)), dependency].join(' → ');
        problems.push(problem(placed, ['depends_on', index], `the dependencies go in a circle: ${cycle}`));
      } else if (byId.has(dependency) && !done.has(dependency)) {
        path.push({ id: dependency, next: 0 });
        onPath.add(dependency);
      }
    }
  }
  return problems;
}
