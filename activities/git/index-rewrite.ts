import type { BigIntStats } from 'node:fs';
import { putStat, writeIndexAfter, type GitIndex } from './index-file.ts';

/** A file that an index shall have. */
export interface NewFile {
  mode: number;
  object: string;
}

/** What becomes of an index. Paths are byte strings (`latin1`). */
export interface IndexChange {
  written: ReadonlyMap<string, NewFile & { stat: BigIntStats }>;
  removed: readonly string[];
  /** Every directory whose tree is another one now, the root (`''`) among them; `null`: gone. */
  directories: readonly { path: string; tree: string | null }[];
}

/** A directory in the index's extension of cached trees; `null`: its tree is not noted. */
interface CachedTree {
  tree: string | null;
  children: Map<string, CachedTree>;
}

const HEADER = 12;
const NAME = 62;
const LONGEST_NAME = 0xfff;

/**
 * Writes an index of version 2 anew, with other files in it. The trees of directories are noted as before, and those that
 * changed as told; all other extensions are left out.
 */
export async function rewriteIndex(file: string, index: GitIndex, change: IndexChange): Promise<void> {
  const paths = new Set([...index.entries.keys(), ...change.written.keys()]);
  for (const path of change.removed) paths.delete(path);
  const sorted = [...paths].sort((one, other) => (one < other ? -1 : 1));
  let newest = 0n;
  const entries = sorted.map((path) => {
    const written = change.written.get(path);
    if (written === undefined) return bytesOf(index, path);
    if (written.stat.ctimeNs > newest) newest = written.stat.ctimeNs;
    return entryOf(path, written);
  });
  const header = Buffer.from(index.bytes.subarray(0, HEADER));
  header.writeUInt32BE(sorted.length, 8);
  const cached: CachedTree =
    index.noted === null ? { tree: null, children: new Map() } : parse(index.bytes, index.noted).node;
  for (const { path, tree } of change.directories) note(cached, path, tree);
  const noted = extension(cached, countByDirectory(sorted));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(noted.length);
  const checksum = Buffer.alloc(20);
  const bytes = Buffer.concat([header, ...entries, Buffer.from('TREE'), size, noted, checksum]);
  await writeIndexAfter(file, bytes, newest);
}

function bytesOf({ bytes, entries }: GitIndex, path: string): Buffer {
  const offset = entries.get(path)?.offset ?? 0;
  return bytes.subarray(offset, offset + lengthOf(path));
}

/** With the zeros that follow: at least one, up to a multiple of eight. */
function lengthOf(path: string): number {
  return (NAME + path.length + 8) & ~7;
}

function entryOf(path: string, { mode, object, stat }: NewFile & { stat: BigIntStats }): Buffer {
  const entry = Buffer.alloc(lengthOf(path));
  putStat(entry, 0, stat);
  const low = (value: bigint): number => Number(value & 0xffffffffn);
  entry.writeUInt32BE(low(stat.dev), 16);
  entry.writeUInt32BE(low(stat.ino), 20);
  entry.writeUInt32BE(mode, 24);
  entry.writeUInt32BE(low(stat.size), 36);
  entry.write(object, 40, 'hex');
  entry.writeUInt16BE(Math.min(path.length, LONGEST_NAME), 60);
  entry.write(path, NAME, 'latin1');
  return entry;
}

function parse(bytes: Buffer, start: number): { name: string; node: CachedTree; end: number } {
  const zero = bytes.indexOf(0, start);
  const line = bytes.indexOf(10, zero);
  const [count = 0, below = 0] = bytes
    .toString('latin1', zero + 1, line)
    .split(' ')
    .map(Number);
  const valid = count >= 0;
  const node: CachedTree = { tree: valid ? bytes.toString('hex', line + 1, line + 21) : null, children: new Map() };
  let end = line + (valid ? 21 : 1);
  for (let child = 0; child < below; child += 1) {
    const parsed = parse(bytes, end);
    node.children.set(parsed.name, parsed.node);
    end = parsed.end;
  }
  return { name: bytes.toString('latin1', start, zero), node, end };
}

function note(root: CachedTree, path: string, tree: string | null): void {
  const names = path === '' ? [] : path.split('/');
  let [parent, node] = [root, root];
  for (const name of names) {
    parent = node;
    node = parent.children.get(name) ?? { tree: null, children: new Map() };
    parent.children.set(name, node);
  }
  node.tree = tree;
  if (tree === null) parent.children.delete(names.at(-1) ?? '');
}

/** How many entries each directory has, at any depth. */
function countByDirectory(paths: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>([['', paths.length]]);
  for (const path of paths)
    for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
      const directory = path.slice(0, slash);
      counts.set(directory, (counts.get(directory) ?? 0) + 1);
    }
  return counts;
}

function extension(node: CachedTree, counts: ReadonlyMap<string, number>, path = '', name = ''): Buffer {
  const count = node.tree === null ? -1 : (counts.get(path) ?? 0);
  const children = [...node.children].map(([child, below]) =>
    extension(below, counts, path === '' ? child : `${path}/${child}`, child),
  );
  const head = Buffer.from(`${name}\0${count} ${children.length}\n`, 'latin1');
  return Buffer.concat([head, Buffer.from(node.tree ?? '', 'hex'), ...children]);
}
