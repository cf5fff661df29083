import { chmodSync, lchownSync, lstatSync, lutimesSync, readdirSync, statSync, type BigIntStats } from 'node:fs';
import { GITLINK, matches, modifiedSeconds, readIndex, restat } from './index-file.ts';
import { onDisk } from './paths.ts';
import { removeTrees } from './remove-tree.ts';

// What looks at every file of a tree, and so is run in a thread of its own: see `clean-tree.ts`.

/** Who must own the files of a tree, where a sandbox runs under another user id. */
export interface Owner {
  uid: number;
  gid: number;
}

/** A work tree and the host's own index of it, outside of it. */
export interface ScannedTree {
  tree: string;
  indexFile: string;
  owner?: Owner | undefined;
}

/**
 * Removes from a tree everything that is not surely what its index says: untracked and ignored files, nested
 * repositories, what took the place of a tracked path, changed files (git itself compares times by the second only), and
 * files with a second hard link, which somebody may still write to elsewhere.
 *
 * @returns `held`: the tree that the directory now surely holds, if every entry of the index is there and git noted their
 *   tree; not `usable` where files of another user, left by a container, cannot be removed
 */
export async function scrub({ tree, indexFile }: ScannedTree): Promise<{ held: string | null; usable: boolean }> {
  try {
    return { held: await removeOthers(tree, indexFile), usable: true };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPERM' || code === 'EACCES') return { held: null, usable: false };
    throw error;
  }
}

async function removeOthers(tree: string, indexFile: string): Promise<string | null> {
  const index = readIndex(indexFile);
  let missing = index.entries.size;
  const written = lstatSync(indexFile, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const doomed: (string | Buffer)[] = [];
  const visit = (directory: string): void => {
    const here = onDisk(tree, directory);
    if ((statSync(here).mode & 0o777) !== 0o755) chmodSync(here, 0o755);
    for (const name of readdirSync(here, 'latin1')) {
      const file = directory === '' ? name : `${directory}/${name}`;
      const entry = index.entries.get(file);
      const known = entry !== undefined || index.directories.has(file);
      const stat = known ? lstatSync(onDisk(tree, file)) : undefined;
      if (stat?.isDirectory() === true) {
        if (index.directories.has(file)) visit(file);
        else doomed.push(onDisk(tree, file));
      } else if (entry !== undefined && stat?.nlink === 1 && matches(index, entry, stat, written)) missing -= 1;
      else doomed.push(onDisk(tree, file));
    }
  };
  visit('');
  await removeTrees(doomed);
  return missing === 0 ? index.tree : null;
}

/** So much older than now is what was just written; see {@link settle}. */
export const SETTLED_SECONDS = 3;

/**
 * Gives what was just written its owner and a modification time in the past, and the index the new facts. Git's index
 * knows whole seconds, so it would read every file that is as young as the index again, each time it writes it.
 *
 * @returns the tree of the index, if git noted it
 */
export async function settle({ tree, indexFile, owner }: ScannedTree): Promise<string | null> {
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
