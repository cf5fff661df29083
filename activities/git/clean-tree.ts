import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import type { BigIntStats } from 'node:fs';
import path from 'node:path';
import type { BareRepository } from './bare-repository.ts';
import { GITLINK, readIndex, restat } from './index-file.ts';
import { onDisk } from './paths.ts';

/** Who must own the files of a tree, where a sandbox runs under another user id. */
export interface Owner {
  uid: number;
  gid: number;
}

function asBytes(file: string | Buffer): Buffer {
  return typeof file === 'string' ? Buffer.from(file) : file;
}

/** Removes a file or a directory with all it holds, never through a symbolic link, whatever modes its directories have. */
export function removeAll(file: string | Buffer): void {
  const target = asBytes(file);
  const stat = lstatSync(target, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) {
    unlinkSync(target);
    return;
  }
  if ((stat.mode & 0o700) !== 0o700) chmodSync(target, 0o700);
  for (const entry of readdirSync(target, { withFileTypes: true, encoding: 'buffer' })) {
    const child = Buffer.concat([target, Buffer.from('/'), entry.name]);
    if (entry.isDirectory()) removeAll(child);
    else unlinkSync(child);
  }
  rmdirSync(target);
}

/**
 * Removes from a tree everything that its index does not name: untracked and ignored files, nested repositories, what
 * took the place of a tracked path, and files with a second hard link, which somebody may still write to elsewhere.
 */
function scrub(tree: string, indexFile: string): void {
  const { entries, directories } = readIndex(indexFile);
  const visit = (directory: string): void => {
    const here = onDisk(tree, directory);
    if ((statSync(here).mode & 0o777) !== 0o755) chmodSync(here, 0o755);
    for (const found of readdirSync(here, { withFileTypes: true, encoding: 'buffer' })) {
      const name = found.name.toString('latin1');
      const file = directory === '' ? name : `${directory}/${name}`;
      if (found.isDirectory() && directories.has(file)) visit(file);
      else if (found.isFile() && entries.has(file)) {
        if (lstatSync(onDisk(tree, file)).nlink > 1) unlinkSync(onDisk(tree, file));
      } else if (!(found.isSymbolicLink() && entries.has(file))) removeAll(onDisk(tree, file));
    }
  };
  visit('');
}

function takeOwnership(tree: string, indexFile: string, owner: Owner): void {
  const index = readIndex(indexFile);
  const changed = new Map<string, BigIntStats>();
  const own = (file: string): BigIntStats | null => {
    const bytes = onDisk(tree, file);
    const { uid, gid } = lstatSync(bytes);
    if (uid === owner.uid && gid === owner.gid) return null;
    lchownSync(bytes, owner.uid, owner.gid);
    return lstatSync(bytes, { bigint: true });
  };
  for (const directory of ['', ...index.directories]) own(directory);
  for (const { path: file, mode } of index.entries.values()) {
    const stat = own(file);
    if (stat !== null && mode !== GITLINK) changed.set(file, stat);
  }
  if (changed.size > 0) restat(indexFile, index, changed);
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
 * before takes a few milliseconds instead of a whole checkout. Nothing that lies in the tree is run or trusted. One process.
 */
export async function makeCleanTree({ bare, tree, indexFile, commit, owner, signal }: CleanTree): Promise<void> {
  // Left by a process that was killed; nobody else works on this index.
  rmSync(`${indexFile}.lock`, { force: true });
  const stat = lstatSync(tree, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) {
    if (stat !== undefined) unlinkSync(tree);
    mkdirSync(tree, { recursive: true, mode: 0o755 });
  }
  mkdirSync(path.dirname(indexFile), { recursive: true });
  try {
    scrub(tree, indexFile);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'EACCES') throw error;
    // Files of another user, left by a container, that we may not remove: out of the way, and a fresh tree.
    renameSync(tree, `${tree}.unusable-${randomUUID()}`);
    rmSync(indexFile, { force: true });
    mkdirSync(tree, { mode: 0o755 });
  }
  await bare.git(['read-tree', '--reset', '-u', commit], {
    workTree: tree,
    indexFile,
    ...(signal === undefined ? {} : { signal }),
  });
  if (owner !== undefined) takeOwnership(tree, indexFile, owner);
}
