import { lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { canMeet, matchesGlob, newGlobCaches, type GlobCaches } from '../../core/globs.ts';
import { fileGlob } from '../../core/scope.ts';
import { readIndex } from '../git/index-file.ts';
import { shownPath } from '../git/paths.ts';

/**
 * The topmost files and directories of a work tree that one of the globs matches, sorted. Links are not followed, and
 * `.git` is left out.
 */
export function findOutputs(tree: string, globs: readonly string[]): string[] {
  const found: string[] = [];
  const cache = newGlobCaches().exact;
  const visit = (directory: string): void => {
    for (const entry of readdirSync(path.join(tree, directory), { withFileTypes: true })) {
      if (entry.name === '.git') continue;
      const name = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (globs.some((glob) => matchesGlob(glob, name, { cache }))) found.push(name);
      else if (entry.isDirectory() && globs.some((glob) => mayLieBelow(glob, name, cache))) visit(name);
    }
  };
  visit('');
  return found.sort();
}

/** The first of the globs that matches none of the outputs and could match nothing in them, or `null`. */
export function globWithoutOutput(globs: readonly string[], outputs: readonly string[]): string | null {
  const cache = newGlobCaches().exact;
  const given = (glob: string): boolean =>
    outputs.some((output) => matchesGlob(glob, output) || mayLieBelow(glob, output, cache));
  return globs.find((glob) => !given(glob)) ?? null;
}

/** The first path that git tracks and that is, or lies in, something that the globs match; `null` if there is none. */
export function trackedOutput(indexFile: string, globs: readonly string[]): string | null {
  const cache = newGlobCaches().exact;
  const index = readIndex(indexFile);
  const matched = (name: string): boolean => globs.some((glob) => matchesGlob(glob, shownPath(name), { cache }));
  const directories = [...index.directories].filter(matched);
  for (const name of index.entries.keys()) {
    if (matched(name) || directories.some((directory) => name.startsWith(`${directory}/`))) return shownPath(name);
  }
  return null;
}

/** Could the glob match something in the directory? */
function mayLieBelow(glob: string, directory: string, cache: GlobCaches['exact']): boolean {
  return canMeet(glob, `${fileGlob(directory)}/**`, { cache });
}

/** What something is, and the size of it and of all below it, links not followed. */
export function measure(file: string): { kind: 'directory' | 'file'; bytes: number; entries: number } {
  const stat = lstatSync(file);
  const total = { kind: stat.isDirectory() ? ('directory' as const) : ('file' as const), bytes: stat.size, entries: 1 };
  if (total.kind === 'file') return total;
  for (const entry of readdirSync(file, { withFileTypes: true })) {
    const { bytes, entries } = measure(path.join(file, entry.name));
    total.bytes += bytes;
    total.entries += entries;
  }
  return total;
}
