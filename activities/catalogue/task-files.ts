import { createHash } from 'node:crypto';
import { type Dirent, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { type CatalogueConfig, catalogueProblems, type PlacedTask } from '../../core/catalogue.ts';
import type { Config } from '../../core/config.ts';
import { SignalboxError } from '../../core/failures.ts';
import { identifierProblem } from '../../core/ids.ts';
import { type Problem, TaskFilesError } from '../../core/problems.ts';
import { manifestSchema, type Task } from '../../core/task-file.ts';
import { splitFrontMatter } from './front-matter.ts';
import { checkLocated, parseLocated } from './located-yaml.ts';
import { readTextFile } from './read-text.ts';
import { reasonOf } from './reason.ts';

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
  const read = names.map((name) => readTask(directory, `${shownDirectory(config.tasks.path)}/${name}`));
  const placed = read.flatMap((result) => ('task' in result ? [result] : []));
  const problems = [
    ...read.flatMap((result) => ('problems' in result ? result.problems : [])),
    ...catalogueProblems(
      placed,
      config,
      read.flatMap((result) => ('problems' in result ? [result.id] : [])),
    ),
  ];
  if (problems.length > 0) throw new TaskFilesError(problems.toSorted(byPlace));
  return placed.map(({ task }) => task).sort((a, b) => compare(a.manifest.id, b.manifest.id));
}

/** The id and name that a task file's name carries: `003-add-login.md` is task `003`, `add-login`. */
export function idAndNameOf(file: string): { id: string; name: string } {
  const stem = path.posix.basename(file, '.md');
  const dash = stem.indexOf('-');
  return dash === -1 ? { id: stem, name: stem } : { id: stem.slice(0, dash), name: stem.slice(dash + 1) };
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

/** A task file that is wrong, with the id that it has, or by its name should have. */
interface Unreadable {
  id: string;
  problems: Problem[];
}

function readTask(directory: string, file: string): PlacedTask | Unreadable {
  const own = idAndNameOf(file).id;
  const at = (message: string, line = 1): Unreadable => ({ id: own, problems: [{ file, line, column: 1, message }] });
  const absolute = path.join(directory, path.posix.basename(file));
  let content: ReturnType<typeof readTextFile>;
  try {
    if (!isBelow(directory, realpathSync(absolute))) return at('is a symbolic link out of the task directory');
    content = readTextFile(absolute);
  } catch (error) {
    return at(`cannot be read: ${reasonOf(error)}`);
  }
  if ('problem' in content) return at(content.problem);
  const parts = splitFrontMatter(content.text);
  if (parts === null) return at('the front matter has no closing "---" line');

  const yaml = parseLocated(parts.yaml, { file, linesBefore: parts.linesBefore });
  const checked = checkLocated(yaml, manifestSchema, file);
  const problems = 'problems' in checked ? [...checked.problems] : [];
  const manifest = 'problems' in checked ? null : checked.value;
  if (manifest?.id === undefined && manifest !== null) {
    const problem = identifierProblem('task', own);
    if (problem !== null) problems.push(...at(`${problem} (taken from the file's name)`).problems);
  }
  if (parts.body === '') problems.push(...at('has no text that says what to do', parts.bodyLine).problems);
  if (manifest === null || problems.length > 0) return { id: writtenId(yaml.value) ?? own, problems };
  const { id, name } = fromName(file, manifest.id, manifest.name);
  const digest = createHash('sha256').update(content.bytes).digest('hex');
  return {
    task: { manifest: { ...manifest, id, name }, body: parts.body, file, digest },
    place: (where) => yaml.place(where),
  };
}

function writtenId(value: unknown): string | null {
  const id: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'id') : null;
  return typeof id === 'string' ? id : null;
}

/** What the front matter leaves out comes from the file's name; a name that is no identifier falls back to the id. */
function fromName(file: string, id: string | undefined, name: string | undefined): { id: string; name: string } {
  const stem = path.posix.basename(file, '.md');
  const own = idAndNameOf(file);
  const rest = id !== undefined && stem.startsWith(`${id}-`) ? stem.slice(id.length + 1) : own.name;
  const chosen = id ?? own.id;
  return { id: chosen, name: name ?? (identifierProblem('task', rest) === null ? rest : chosen) };
}

function shownDirectory(relative: string): string {
  return path.posix.normalize(relative.replaceAll('\\', '/')).replace(/\/$/, '');
}

function isBelow(parent: string, child: string): boolean {
  const relative = path.relative(parent, child);
  return relative === '' || (!relative.startsWith(`..${path.sep}`) && relative !== '..' && !path.isAbsolute(relative));
}

/** By code units: the same on every machine, whatever its locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byPlace(a: Problem, b: Problem): number {
  return compare(a.file, b.file) || a.line - b.line || a.column - b.column;
}
