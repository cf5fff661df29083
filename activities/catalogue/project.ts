import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { type Config, configSchema } from '../../core/config.ts';
import { SignalboxError } from '../../core/failures.ts';
import { identifierProblem } from '../../core/ids.ts';
import { ConfigError } from '../../core/problems.ts';
import { interpolate } from './interpolate.ts';
import { checkLocated, parseLocated } from './located-yaml.ts';
import { readTextFile } from './read-text.ts';
import { reasonOf } from './reason.ts';

/** Where a project's configuration lies, relative to its root. */
export const CONFIG_FILE = '.signalbox/config.yaml';

/** A project: a directory with a `.signalbox/config.yaml`. Paths are absolute and free of symbolic links up to `root`. */
export interface Project {
  config: Config;
  /** The directory that holds `.signalbox`. */
  root: string;
  /** The user's repository. Whether it is one is not checked here. */
  repository: string;
  /** The directory of the task files. */
  tasks: string;
  /** SHA-256 of the configuration file's bytes, hexadecimal. */
  digest: string;
}

/** Options of {@link loadProject}. */
export interface LoadProjectOptions {
  /** Where `${NAME}` in the configuration gets its value; by default the process's environment. */
  env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Finds the configuration in a directory or the nearest one above it, and parses it.
 *
 * @throws SignalboxError `config` if there is none; ConfigError with everything that is wrong in it
 */
export function loadProject(directory: string, { env = process.env }: LoadProjectOptions = {}): Project {
  const root = findRoot(directory);
  const read = readConfig(path.join(root, CONFIG_FILE));
  const yaml = parseLocated(read.text, {
    file: CONFIG_FILE,
    text: (value, source) => interpolate(value, source, env),
  });
  const checked = checkLocated(yaml, configSchema, CONFIG_FILE);
  if ('problems' in checked) throw new ConfigError(checked.problems);
  const config = { ...checked.value, project: checked.value.project ?? projectIdOf(root) };
  return {
    config,
    root,
    repository: path.resolve(root, config.repository.path),
    tasks: path.resolve(root, config.tasks.path),
    digest: createHash('sha256').update(read.bytes).digest('hex'),
  };
}

/** An identifier made of a directory's name; `project` if nothing in the name can be part of one. */
export function projectIdOf(directory: string): string {
  const slug = path
    .basename(directory)
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .slice(0, 58)
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  if (slug === '') return 'project';
  return identifierProblem('project', slug) === null ? slug : slug.replaceAll('.', '-');
}

function findRoot(directory: string): string {
  const start = path.resolve(directory);
  for (let here = start; ; here = path.dirname(here)) {
    if (existsSync(path.join(here, CONFIG_FILE))) return realpathSync(here);
    if (path.dirname(here) === here) break;
  }
  throw new SignalboxError('config', `there is no ${CONFIG_FILE} in ${start} or above`, {
    hint: 'Write one with: signalbox init',
  });
}

function readConfig(file: string): { text: string; bytes: Buffer } {
  let read: ReturnType<typeof readTextFile>;
  try {
    read = readTextFile(file);
  } catch (error) {
    throw new SignalboxError('config', `${file} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if ('problem' in read) throw new ConfigError([{ file: CONFIG_FILE, line: 1, column: 1, message: read.problem }]);
  return read;
}
