import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import type { BigIntStats } from 'node:fs';
import path from 'node:path';
import type { BareRepository } from './bare-repository.ts';
import { GITLINK, matches, modifiedSeconds, readIndex, restat } from './index-file.ts';
import { onDisk } from './paths.ts';
import { removeTrees } from './remove-tree.ts';

/** Who must own the files of a tree, where a sandbox runs under another user id. */
export interface Owner {
  uid: number;
  gid: number;
}

/**
 * Removes from a tree everything that is not surely what its index says: untracked and ignored files, nested
 * repositories, what took the place of a tracked path, changed files (git itself compares times by the second only), and
 * files with a second hard link, which somebody may still write to elsewhere.
 *
 * @returns the tree that the directory now surely holds, if every entry of the index is there and git noted their tree
 */
async function scrub(tree: string, indexFile: string): Promise<string | null> {
  const index = readIndex(indexFile);
  let missing = index.entries.size;
  const written = lstatSync(indexFile, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const doomed: (string | Buffer)[] = [];
  const visit = (directory: string): void => {
    const here = onDisk(tree, directory);
    if ((statSync(here).mode & 0o777) !== 0o755) chmodSync(here, 0o755);
    for (const found of readdirSync(here, { withFileTypes: true, encoding: 'buffer' })) {
      const name = found.name.toString('latin1');
      const file = directory === '' ? name : `${directory}/${name}`;
      if (found.isDirectory()) {
        if (index.directories.has(file)) visit(file);
        else doomed.push(onDisk(tree, file));
        continue;
      }
      const entry = index.entries.get(file);
      const stat = entry === undefined ? undefined : lstatSync(onDisk(tree, file));
      const kept = entry !== undefined && stat?.nlink === 1 && matches(index, entry, stat, written);
      if (kept) missing -= 1;
      else doomed.push(onDisk(tree, file));
    }
  };
  visit('');
  await removeTrees(doomed);
  return missing === 0 ? index.tree : null;
}

const SETTLED_SECONDS = 3;

/**
 * Gives what was just written its owner and a modification time in the past, and the index the new facts. Git's index
 * knows whole seconds, so it would read every file that is as young as the index again, each time it writes it.
 */
async function settle(tree: string, indexFile: string, owner: Owner | undefined): Promise<string | null> {
  const index = readIndex(indexFile);
  const past = Math.floor(Date.now() / 1000) - SETTLED_SECONDS;
  const own = (file: string | Buffer): boolean => {
    if (owner === undefined) return false;
    const { uid, gid } = lstatSync(file);
    if (uid === owner.uid && gid === owner.gid) return false;
    lchownSync(file, owner.uid, owner.gid);
    return true;
  };
  for (const directory of ['', ...index.directories]) own(onDisk(tree, directory));
  const changed = new Map<string, BigIntStats>();
  for (const entry of index.entries.values()) {
    if (entry.mode === GITLINK) continue;
    const file = onDisk(tree, entry.path);
    const young = modifiedSeconds(index, entry) > past;
    if (young) lutimesSync(file, past, past);
    if (own(file) || young) changed.set(entry.path, lstatSync(file, { bigint: true }));
  }
  if (changed.size > 0) await restat(indexFile, index, changed);
  return index.tree;
}

/** Where a tree and its index are, and what they shall become. */
export interface CleanTree {
  bare: BareRepository;
  /** The work tree; made if missing. A symbolic link in its place is removed. */
  tree: string;
  /** The host's own index of that tree, outside of it. */
  indexFile: string;
  commit: string;
  owner?: Owner;
  signal?: AbortSignal;
}

/**
 * Makes a directory hold exactly the tree of a commit. What is there already and matches is kept: a tree that was used
 * before takes a few milliseconds instead of a whole checkout. Nothing that lies in the tree is run or trusted. One
 * process, or none where nothing is missing. Returns the id of the tree, where git noted it in the index.
 */
export async function makeCleanTree({
  bare,
  tree,
  indexFile,
  commit,
  owner,
  signal,
}: CleanTree): Promise<string | null> {
  // Left by a process that was killed; nobody else works on this index.
  rmSync(`${indexFile}.lock`, { force: true });
  const stat = lstatSync(tree, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) {
    if (stat !== undefined) unlinkSync(tree);
    mkdirSync(tree, { recursive: true, mode: 0o755 });
  }
  mkdirSync(path.dirname(indexFile), { recursive: true });
  let held: string | null = null;
  try {
    held = await scrub(tree, indexFile);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'EACCES') throw error;
    // Files of another user, left by a container, that we may not remove: out of the way, and a fresh tree.
    renameSync(tree, `${tree}.unusable-${randomUUID()}`);
    rmSync(indexFile, { force: true });
    mkdirSync(tree, { mode: 0o755 });
  }
  if (held === null || held !== bare.freshCommit(commit)?.tree) {
    await bare.git(['read-tree', '--reset', '-u', commit], {
      workTree: tree,
      indexFile,
      ...(signal === undefined ? {} : { signal }),
    });
  }
  return settle(tree, indexFile, owner);
}
