import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { PlacedTask } from '../../core/catalogue.ts';
import { identifierProblem } from '../../core/ids.ts';
import type { Problem } from '../../core/problems.ts';
import { manifestSchema } from '../../core/task-file.ts';
import { isBelow } from '../is-below.ts';
import { splitFrontMatter } from './front-matter.ts';
import { checkLocated, parseLocated } from './located-yaml.ts';
import { readTextFile } from './read-text.ts';
import { reasonOf } from './reason.ts';

/** A task file that is wrong, with the id that it has, or by its name should have. */
export interface Unreadable {
  id: string;
  problems: Problem[];
}

/**
 * Reads a task file.
 *
 * @param absolute where it is
 * @param file what it is called in errors, and in the task
 * @param within the directory that a symbolic link must not lead out of; `null`: it may lead anywhere
 */
export function readTask(absolute: string, file: string, within: string | null): PlacedTask | Unreadable {
  const own = idAndNameOf(file).id;
  const at = (message: string, line = 1): Unreadable => ({ id: own, problems: [{ file, line, column: 1, message }] });
  let content: ReturnType<typeof readTextFile>;
  try {
    if (within !== null && !isBelow(within, realpathSync(absolute)))
      return at('is a symbolic link out of the task directory');
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

/** The id and name that a task file's name carries: `003-add-login.md` is task `003`, `add-login`. */
export function idAndNameOf(file: string): { id: string; name: string } {
  const stem = path.posix.basename(file, '.md');
  const dash = stem.indexOf('-');
  return dash === -1 ? { id: stem, name: stem } : { id: stem.slice(0, dash), name: stem.slice(dash + 1) };
}
