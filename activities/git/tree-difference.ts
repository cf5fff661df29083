import type { BareRepository } from './bare-repository.ts';
import { byName, knownTree, TREE_MODE, type TreeEntry } from './tree-objects.ts';

/** What makes one tree of another. Paths are byte strings (`latin1`). */
export interface TreeDifference {
  /** Files that are other ones then; `null`: gone. */
  files: { path: string; file: { mode: number; object: string } | null }[];
  /** Directories whose tree is another one then, the root (`''`) among them; `null`: gone. */
  directories: { path: string; tree: string | null }[];
}

/** How many files may differ. */
const MOST_FILES = 500;

const FILE_MODES = new Set(['100644', '100755']);

/** Names that mean nothing to git or to any file system. */
const PLAIN = /^(?!\.git)\.?[a-z0-9_][a-z0-9_.+@=,-]*$/i;

/**
 * What differs between two trees, where that are a few plain files: no links, no submodules, no files that git reads, no
 * names that some file system takes for others. No process.
 *
 * @returns `null` where it is more than that, or a tree is in a pack and not remembered
 */
export function treeDifference(bare: BareRepository, from: string, to: string): TreeDifference | null {
  const difference: TreeDifference = { files: [], directories: [] };
  return compare(bare, difference, '', from, to) ? difference : null;
}

function compare(
  bare: BareRepository,
  found: TreeDifference,
  path: string,
  from: string | null,
  to: string | null,
): boolean {
  found.directories.push({ path, tree: to });
  const [before, after] = [entriesOf(bare, from), entriesOf(bare, to)];
  if (before === null || after === null) return false;
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(name), after.get(name)];
    if (old?.mode === now?.mode && old?.object === now?.object) continue;
    const below = path === '' ? name : `${path}/${name}`;
    const [oldTree, newTree] = [treeOf(old), treeOf(now)];
    const [oldFile, newFile] = [fileOf(old), fileOf(now)];
    if (!PLAIN.test(name) || oldFile === 'other' || newFile === 'other') return false;
    if ((oldTree !== null || newTree !== null) && !compare(bare, found, below, oldTree, newTree)) return false;
    if (oldFile !== null || newFile !== null) found.files.push({ path: below, file: newFile });
    if (found.files.length > MOST_FILES) return false;
  }
  return true;
}

function entriesOf(bare: BareRepository, tree: string | null): Map<string, TreeEntry> | null {
  const entries = tree === null ? [] : knownTree(bare, tree);
  return entries === null ? null : byName(entries);
}

function treeOf(entry: TreeEntry | undefined): string | null {
  return entry?.mode === TREE_MODE ? entry.object : null;
}

function fileOf(entry: TreeEntry | undefined): { mode: number; object: string } | 'other' | null {
  if (entry === undefined || entry.mode === TREE_MODE) return null;
  return FILE_MODES.has(entry.mode) ? { mode: Number.parseInt(entry.mode, 8), object: entry.object } : 'other';
}
