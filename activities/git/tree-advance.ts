import {
  chmodSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { readIndex } from './index-file.ts';
import { rewriteIndex, type NewFile } from './index-rewrite.ts';
import { readLooseObject } from './objects.ts';
import { onDisk } from './paths.ts';
import type { TreeDifference } from './tree-difference.ts';
import { SETTLED_SECONDS, type ScannedTree } from './tree-scan.ts';

/** Bytes that are written in all, at most. */
const LARGEST = 32 * 1024 * 1024;

/** A tree that was just scrubbed, and shall become another one. */
export interface AdvancedTree extends ScannedTree {
  /** The tree that it holds. */
  from: string;
  difference: TreeDifference;
  /** Where the objects are. */
  gitDir: string;
}

/**
 * Makes a scrubbed tree another one that differs in a few plain files, without git: its files with what `settle` gives
 * them, and its index. What goes wrong on the way leaves an index that says what was there before.
 *
 * @returns false, with nothing changed, where git has to do it: some object is in a pack, or the tree says how its files
 *   are to be converted
 */
export async function advance(request: AdvancedTree): Promise<boolean> {
  const { tree, indexFile, owner, from, difference, gitDir } = request;
  const index = readIndex(indexFile);
  if (index.tree !== from || index.version !== 2) return false;
  for (const path of index.entries.keys()) if (/(?:^|\/)\.gitattributes$/i.test(path)) return false;
  const contents = new Map<string, Buffer>();
  let bytes = 0;
  for (const { path, file } of difference.files) {
    const loose = file === null ? null : readLooseObject(gitDir, file.object);
    if (file !== null && loose?.type !== 'blob') return false;
    if (loose !== null) contents.set(path, loose.content);
    bytes += loose?.content.length ?? 0;
    if (bytes > LARGEST) return false;
  }

  for (const { path } of difference.files) if (index.entries.has(path)) unlinkSync(onDisk(tree, path));
  // The deepest first: what is gone is empty by now, since nothing but tracked files was there.
  const gone = difference.directories.filter((one) => one.tree === null).map(({ path }) => path);
  for (const path of gone.sort((one, other) => other.length - one.length)) rmdirSync(onDisk(tree, path));
  const own = (file: string | Buffer): void => {
    if (owner !== undefined) lchownSync(file, owner.uid, owner.gid);
  };
  for (const { path, tree: there } of difference.directories) {
    if (there === null || index.directories.has(path) || path === '') continue;
    mkdirSync(onDisk(tree, path));
    chmodSync(onDisk(tree, path), 0o755);
    own(onDisk(tree, path));
  }
  const past = Math.floor(Date.now() / 1000) - SETTLED_SECONDS;
  const written = new Map<string, NewFile & { stat: BigIntStats }>();
  for (const { path, file } of difference.files) {
    const content = contents.get(path);
    if (file === null || content === undefined) continue;
    const at = onDisk(tree, path);
    writeFileSync(at, content, { flag: 'wx' });
    chmodSync(at, file.mode & 0o777);
    own(at);
    lutimesSync(at, past, past);
    written.set(path, { ...file, stat: lstatSync(at, { bigint: true }) });
  }
  const removed = difference.files.filter(({ file }) => file === null).map(({ path }) => path);
  await rewriteIndex(indexFile, index, { written, removed, directories: difference.directories });
  return true;
}
