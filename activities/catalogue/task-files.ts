import { type Dirent, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { type CatalogueConfig, catalogueProblems, type PlacedTask } from '../../core/catalogue.ts';
import type { Config } from '../../core/config.ts';
import { SignalboxError } from '../../core/failures.ts';
import { type Problem, TaskFilesError } from '../../core/problems.ts';
import type { Task } from '../../core/task-file.ts';
import { isBelow } from '../is-below.ts';
import { readTask, type Unreadable } from './read-task.ts';

/**
 * Reads and checks every `*.md` of the project's task directory; hidden files are passed over.
 *
 * @param root the directory that holds `.signalbox`
 * @returns the tasks, sorted by id
 * @throws TaskFilesError with everything that is wrong in any of them; SignalboxError `task_files` if there are none
 */
export function loadTasks(root: string, config: CatalogueConfig & Pick<Config, 'tasks'>): Task[] {
  const directory = taskDirectory(root, config.tasks.path);
  const names = taskFileNames(directory, config.tasks.path);
  const read = names.map((name) =>
    readTask(path.join(directory, name), `${shownDirectory(config.tasks.path)}/${name}`, directory),
  );
  return checked(read, [], config).sort((a, b) => compare(a.manifest.id, b.manifest.id));
}

/**
 * Reads task files wherever they lie, to add them to tasks that are checked already.
 *
 * @param files absolute paths
 * @param known the tasks of before; what is new may depend on them, and not the other way round
 * @returns the new tasks, in the order of the files
 * @throws TaskFilesError with everything that is wrong in any of them, and between all
 */
export function loadMoreTasks(
  files: readonly string[],
  root: string,
  known: readonly Task[],
  config: CatalogueConfig,
): Task[] {
  const read = files.map((file) => {
    const relative = path.relative(root, file).split(path.sep).join('/');
    return readTask(file, isBelow(root, file) ? relative : file, null);
  });
  return checked(read, known, config);
}

/** The tasks that were read, if nothing is wrong with any, nor between them and the known ones. */
function checked(read: readonly (PlacedTask | Unreadable)[], known: readonly Task[], config: CatalogueConfig): Task[] {
  const placed = read.flatMap((result) => ('task' in result ? [result] : []));
  const before = known.map((task) => ({ task, place: () => ({ line: 1, column: 1 }) }));
  const problems = [
    ...read.flatMap((result) => ('problems' in result ? result.problems : [])),
    ...catalogueProblems(
      [...before, ...placed],
      config,
      read.flatMap((result) => ('problems' in result ? [result.id] : [])),
    ),
  ];
  if (problems.length > 0) throw new TaskFilesError(problems.toSorted(byPlace));
  return placed.map(({ task }) => task);
}

function taskDirectory(root: string, relative: string): string {
  const directory = path.resolve(root, relative);
  const missing = `there are no task files: ${relative} does not exist`;
  const hint = 'Write one with: signalbox init';
  let real: string;
  try {
    real = realpathSync(directory);
  } catch (cause) {
    throw new SignalboxError('task_files', missing, { hint, cause });
  }
  if (isBelow(realpathSync(root), real)) return real;
  throw new SignalboxError('task_files', `tasks.path ${relative} leads out of the project`);
}

function taskFileNames(directory: string, shown: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    throw new SignalboxError('task_files', `the task files in ${shown} cannot be listed`, { cause });
  }
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith('.md') && !name.startsWith('.'));
  if (names.length > 0) return names.sort(compare);
  throw new SignalboxError('task_files', `there are no task files in ${shown}`, {
    hint: 'Write one with: signalbox init',
  });
}

function shownDirectory(relative: string): string {
  return path.posix.normalize(relative.replaceAll('\\', '/')).replace(/\/$/, '');
}

/** By code units: the same on every machine, whatever its locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byPlace(a: Problem, b: Problem): number {
  return compare(a.file, b.file) || a.line - b.line || a.column - b.column;
}
