import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Every way in which a secret is looked for, without what stands at its ends: that may be cut off. */
export function needlesOf(secret: string): string[] {
  const core = secret.slice(3, -3);
  const bytes = Buffer.from(core);
  const encoded = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset, 'x'), bytes])
      .toString('base64')
      .replaceAll('=', '');
    return text.slice(Math.ceil((offset * 8) / 6), -1);
  });
  const all = [core, encodeURIComponent(core), JSON.stringify(core).slice(1, -1), bytes.toString('hex'), ...encoded];
  return [...new Set(all)];
}

/** All that is kept below a directory, by name: the contents of files, the objects of git repositories unpacked. */
export function* contentsBelow(directory: string, skip: readonly string[] = []): Generator<[string, Buffer]> {
  for (const name of readdirSync(directory)) {
    const file = path.join(directory, name);
    if (skip.includes(file)) continue;
    const stat = lstatSync(file);
    if (stat.isDirectory()) {
      if (name === 'objects') yield [file, gitObjects(directory)];
      else yield* contentsBelow(file, skip);
    } else if (stat.isFile()) yield [file, Buffer.concat([Buffer.from(`${name}\n`), readFileSync(file)])];
    else yield [file, Buffer.from(name)];
  }
}

/** Whose contents are files of a repository, with modes that git gives them. */
const REPOSITORIES = ['repositories', 'checkouts', 'workspaces'];

/**
 * What is not private in a home: a directory that is not 0700, a file that is not 0600. Below the directories of
 * repositories nobody else gets to; a prompt (`stdin`) is for the user of a container to read, in a directory that nobody else
 * gets to.
 */
export function openToOthers(home: string): string[] {
  const open: string[] = [];
  const look = (file: string): void => {
    const stat = lstatSync(file);
    if ((stat.mode & 0o077) !== 0 && path.basename(file) !== 'stdin')
      open.push(`${(stat.mode & 0o777).toString(8)} ${path.relative(home, file)}`);
    const enters = stat.isDirectory() && !REPOSITORIES.includes(path.relative(home, file));
    if (enters) for (const name of readdirSync(file)) look(path.join(file, name));
  };
  look(home);
  return open;
}

/** Where one of the texts is found, with the text. */
export function found(texts: readonly string[], contents: Iterable<[string, Buffer]>): string[] {
  const hits: string[] = [];
  for (const [name, bytes] of contents)
    for (const text of texts) if (bytes.includes(text)) hits.push(`${name}: ${text}`);
  return hits;
}

/** A value as text, its bytes as the text that they are. */
export function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, field]) => `${key}: ${textOf(field)}`)
    .join('\n');
}

function gitObjects(gitDir: string): Buffer {
  return execFileSync('git', ['cat-file', '--batch-all-objects', '--batch'], {
    env: { ...process.env, GIT_DIR: gitDir },
    maxBuffer: 1 << 30,
  });
}
