import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync, type BigIntStats } from 'node:fs';
import { SignalboxError } from '../../core/failures.ts';

/** An entry of a git index. Paths are byte strings (`latin1`), so that any file name survives and sorts as in git. */
export interface IndexEntry {
  path: string;
  mode: number;
  /** Where the entry starts in {@link GitIndex.bytes}; the stat data are read from there. */
  offset: number;
}

/** A parsed index of version 2 or 3, the only ones that our repositories write. */
export interface GitIndex {
  bytes: Buffer;
  entries: Map<string, IndexEntry>;
  /** Every directory that holds an entry, at any depth. */
  directories: Set<string>;
}

export const GITLINK = 0o160000;

/** Reads an index file; one that does not exist is empty. */
export function readIndex(file: string): GitIndex {
  const index: GitIndex = { bytes: Buffer.alloc(0), entries: new Map(), directories: new Set() };
  try {
    index.bytes = readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return index;
    throw error;
  }
  const { bytes } = index;
  const version = bytes.length < 12 ? 0 : bytes.readUInt32BE(4);
  if (bytes.toString('latin1', 0, 4) !== 'DIRC' || (version !== 2 && version !== 3))
    throw new SignalboxError('internal', `${file} is no git index of version 2 or 3`);
  let offset = 12;
  let lastDirectory = '';
  for (let count = bytes.readUInt32BE(8); count > 0; count -= 1) {
    const flags = bytes.readUInt16BE(offset + 60);
    const start = offset + 62 + (flags & 0x4000 ? 2 : 0);
    const end = (flags & 0xfff) < 0xfff ? start + (flags & 0xfff) : bytes.indexOf(0, start);
    const path = bytes.toString('latin1', start, end);
    index.entries.set(path, { path, mode: bytes.readUInt32BE(offset + 24), offset });
    let slash = path.lastIndexOf('/');
    if (slash >= 0 && path.slice(0, slash) !== lastDirectory) {
      lastDirectory = path.slice(0, slash);
      for (; slash > 0; slash = path.lastIndexOf('/', slash - 1)) index.directories.add(path.slice(0, slash));
    }
    offset += (end - offset + 8) & ~7;
  }
  return index;
}

const LOW = 0xffffffffn;
const BILLION = 1_000_000_000n;

/** The index's own time stamp in nanoseconds, for {@link matches}. */
export type IndexTime = bigint;

/**
 * Is a file surely what its entry says? Stricter than git: nanoseconds count, and whatever was written in the same
 * instant as the index is doubted. A doubted file costs a comparison of contents, nothing else.
 */
export function matches(index: GitIndex, entry: IndexEntry, stat: BigIntStats, written: IndexTime): boolean {
  const { bytes } = index;
  const at = (field: number): bigint => BigInt(bytes.readUInt32BE(entry.offset + field));
  return (
    stat.mtimeNs < written &&
    ((stat.mtimeNs / BILLION) & LOW) === at(8) &&
    stat.mtimeNs % BILLION === at(12) &&
    ((stat.ctimeNs / BILLION) & LOW) === at(0) &&
    stat.ctimeNs % BILLION === at(4) &&
    (stat.ino & LOW) === at(20) &&
    (stat.uid & LOW) === at(28) &&
    (stat.size & LOW) === at(36) &&
    modeOf(stat) === entry.mode
  );
}

/** The mode that git records for a file. */
export function modeOf(stat: BigIntStats): number {
  if (stat.isSymbolicLink()) return 0o120000;
  return stat.mode & 0o100n ? 0o100755 : 0o100644;
}

/** Writes the stat data of entries anew, after their owner was changed and nothing else. */
export function restat(file: string, index: GitIndex, stats: ReadonlyMap<string, BigIntStats>): void {
  const bytes = Buffer.from(index.bytes);
  for (const [path, stat] of stats) {
    const offset = index.entries.get(path)?.offset;
    if (offset === undefined) continue;
    const put = (field: number, value: bigint): number => bytes.writeUInt32BE(Number(value & LOW), offset + field);
    put(0, stat.ctimeNs / BILLION);
    put(4, stat.ctimeNs % BILLION);
    put(28, stat.uid);
    put(32, stat.gid);
  }
  createHash('sha1')
    .update(bytes.subarray(0, -20))
    .digest()
    .copy(bytes, bytes.length - 20);
  writeFileSync(`${file}.new`, bytes);
  renameSync(`${file}.new`, file);
}
