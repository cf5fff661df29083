import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import path from 'node:path';
import type { BareRepository } from './bare-repository.ts';
import { RecentMap } from '../recent-map.ts';
import { readLooseObject, writeLooseObject } from './objects.ts';

/** An entry of one tree object. */
export interface TreeEntry {
  /** As git writes it, such as `100644` or `40000`. */
  mode: string;
  /** Decoded as UTF-8, or byte by byte where the reader asked for `latin1`. */
  name: string;
  object: string;
}

/** The mode of an entry that is a tree itself. */
export const TREE_MODE = '40000';

/** The entries of a tree that is not packed, or `null`; no process. */
export function freshTree(bare: BareRepository, tree: string, names: 'utf8' | 'latin1' = 'utf8'): TreeEntry[] | null {
  const loose = readLooseObject(bare.gitDir, tree);
  return loose?.type === 'tree' ? parseTree(loose.content, names) : null;
}

/** The entries of a tree. @throws CommandFailedError when there is no such tree */
export async function readTree(
  bare: BareRepository,
  tree: string,
  names: 'utf8' | 'latin1' = 'utf8',
): Promise<TreeEntry[]> {
  const fresh = freshTree(bare, tree, names);
  return fresh ?? parseTree((await bare.git(['cat-file', 'tree', tree])).stdout, names);
}

/** How many directories are remembered for a repository: those of the last merges are those of the next. */
const REMEMBERED = 500;

const remembered = new WeakMap<BareRepository, RecentMap<string, TreeEntry[]>>();

/** As {@link readTree}, names as `latin1`; each tree is read once while it is remembered. */
export async function rememberedTree(bare: BareRepository, tree: string): Promise<TreeEntry[]> {
  return knownTree(bare, tree) ?? remember(bare, tree, await readTree(bare, tree, 'latin1'));
}

/** The same where it is remembered, or not packed; `null` else. No process. */
export function knownTree(bare: BareRepository, tree: string): TreeEntry[] | null {
  const entries = treesOf(bare).get(tree) ?? freshTree(bare, tree, 'latin1');
  return entries === null ? null : remember(bare, tree, entries);
}

function remember(bare: BareRepository, tree: string, entries: TreeEntry[]): TreeEntry[] {
  treesOf(bare).set(tree, entries);
  return entries;
}

/** Writes a tree, whose entries' names are `latin1`, and remembers it. @returns its id */
export function writeTree(bare: BareRepository, entries: TreeEntry[]): string {
  const tree = writeLooseObject(bare.gitDir, 'tree', serializeTree(entries));
  remember(bare, tree, entries);
  return tree;
}

function treesOf(bare: BareRepository): RecentMap<string, TreeEntry[]> {
  const trees = remembered.get(bare) ?? new RecentMap<string, TreeEntry[]>(REMEMBERED);
  remembered.set(bare, trees);
  return trees;
}

function parseTree(content: Buffer, names: 'utf8' | 'latin1'): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(32, at);
    const end = content.indexOf(0, space);
    const mode = content.toString('latin1', at, space);
    const name = content.toString(names, space + 1, end);
    at = end + 21;
    entries.push({ mode, name, object: content.toString('hex', end + 1, at) });
  }
  return entries;
}

/** The entries of a tree, by their names. */
export function byName(entries: readonly TreeEntry[]): Map<string, TreeEntry> {
  return new Map(entries.map((entry) => [entry.name, entry]));
}

/** The bytes of a tree object whose entries' names were read as `latin1`, in any order. */
export function serializeTree(entries: readonly TreeEntry[]): Buffer {
  // Git sorts a directory as if its name ended in a slash.
  const keyed = entries.map((entry) => ({ entry, key: entry.mode === TREE_MODE ? `${entry.name}/` : entry.name }));
  keyed.sort((one, other) => (one.key < other.key ? -1 : 1));
  return Buffer.concat(
    keyed.map(({ entry: { mode, name, object } }) =>
      Buffer.concat([Buffer.from(`${mode} ${name}\0`, 'latin1'), Buffer.from(object, 'hex')]),
    ),
  );
}

/** Puts other blobs in the place of files of a tree, and returns the new tree. Three processes; no work tree. */
export async function replaceFiles(
  bare: BareRepository,
  tree: string,
  files: readonly { path: string; mode: string; object: string }[],
): Promise<string> {
  const indexFile = path.join(bare.gitDir, `merge-index-${randomUUID()}`);
  try {
    await bare.git(['read-tree', tree], { indexFile });
    const input = files.map((file) => `${file.mode} ${file.object}\t${file.path}\0`).join('');
    await bare.git(['update-index', '-z', '--index-info'], { indexFile, input });
    return (await bare.git(['write-tree'], { indexFile })).stdout.toString().trim();
  } finally {
    rmSync(indexFile, { force: true });
  }
}
