import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, renameSync, writeFileSync, type BigIntStats, type Stats } from 'node:fs';
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
  /** 2 or 3; 0 where there is none. */
  version: number;
  /** Where git noted the trees of directories, in its extension of cached trees; `null` if it did not. */
  noted: number | null;
  /** Every directory that holds an entry, at any depth. */
  directories: Set<string>;
  /** The tree that the entries make, where git noted it when it last wrote that tree or read it in. */
  tree: string | null;
}

export const GITLINK = 0o160000;

/** An index that holds nothing. */
export function emptyIndex(): GitIndex {
  return {
    bytes: Buffer.alloc(0),
    entries: new Map(),
    version: 0,
    noted: null,
    directories: new Set(),
    tree: null,
  };
}

/** Reads an index file; one that does not exist is empty. */
export function readIndex(file: string): GitIndex {
  const index = emptyIndex();
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
  index.version = version;
  index.noted = cachedTrees(bytes, offset);
  index.tree = index.noted === null ? null : notedTree(bytes, index.noted);
  return index;
}

/** Where the content of the cached-tree extension starts. @param extensions where the first extension does */
function cachedTrees(bytes: Buffer, extensions: number): number | null {
  for (let at = extensions; at + 28 < bytes.length; at += 8 + bytes.readUInt32BE(at + 4))
    if (bytes.toString('latin1', at, at + 4) === 'TREE') return at + 8;
  return null;
}

/** Reads the root of the cached trees: a count of entries, negative when it is out of date, and an object id. */
function notedTree(bytes: Buffer, start: number): string | null {
  const end = bytes.indexOf(10, start + 1);
  const valid = !bytes.toString('latin1', start + 1, end).startsWith('-');
  return valid ? bytes.toString('hex', end + 1, end + 21) : null;
}

/** The paths whose entries differ between two states of an index, as byte strings in git's order. */
export function differences(
  before: GitIndex,
  after: GitIndex,
): { path: string; from: number | null; to: number | null }[] {
  const found: { path: string; from: number | null; to: number | null }[] = [];
  for (const [path, old] of before.entries) {
    const now = after.entries.get(path);
    const same =
      now?.mode === old.mode &&
      before.bytes.compare(after.bytes, now.offset + 40, now.offset + 60, old.offset + 40, old.offset + 60) === 0;
    if (!same) found.push({ path, from: old.mode, to: now?.mode ?? null });
  }
  for (const [path, now] of after.entries)
    if (!before.entries.has(path)) found.push({ path, from: null, to: now.mode });
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

// Node's milliseconds are floating point: exact to less than a microsecond, and file systems tick a thousand times slower.
const SAME_MS = 0.001;

/**
 * Is a file surely what its entry says? Stricter than git: fractions of a second count, and whatever was written in the
 * same instant as the index is doubted. A doubted file costs a comparison of contents, nothing else.
 *
 * @param written when the index was written, in milliseconds
 */
export function matches(index: GitIndex, entry: IndexEntry, stat: Stats, written: number): boolean {
  const { bytes } = index;
  const at = (field: number): number => bytes.readUInt32BE(entry.offset + field);
  const same = (field: number, ms: number): boolean => Math.abs(at(field) * 1000 + at(field + 4) / 1e6 - ms) < SAME_MS;
  return (
    stat.mtimeMs < written &&
    stat.ctimeMs < written &&
    same(8, stat.mtimeMs) &&
    same(0, stat.ctimeMs) &&
    // Beyond that a number has lost its low bits, which are those that the index holds.
    (at(20) === stat.ino % 2 ** 32 || !Number.isSafeInteger(stat.ino)) &&
    at(28) === stat.uid &&
    at(36) === stat.size % 2 ** 32 &&
    modeOf(stat) === entry.mode
  );
}

/** The mode that git records for a file. */
function modeOf(stat: Stats): number {
  if (stat.isSymbolicLink()) return 0o120000;
  return stat.mode & 0o100 ? 0o100755 : 0o100644;
}

/** When a file was last modified, as its entry has it; seconds since 1970. */
export function modifiedSeconds(index: GitIndex, entry: IndexEntry): number {
  return index.bytes.readUInt32BE(entry.offset + 8);
}

const LOW = 0xffffffffn;
const BILLION = 1_000_000_000n;

/** Writes times and owner of a file into its entry. */
export function putStat(bytes: Buffer, offset: number, stat: BigIntStats): void {
  const field = (at: number, value: bigint): number => bytes.writeUInt32BE(Number(value & LOW), offset + at);
  field(0, stat.ctimeNs / BILLION);
  field(4, stat.ctimeNs % BILLION);
  field(8, stat.mtimeNs / BILLION);
  field(12, stat.mtimeNs % BILLION);
  field(28, stat.uid);
  field(32, stat.gid);
}

function write(file: string, bytes: Buffer): void {
  createHash('sha1')
    .update(bytes.subarray(0, -20))
    .digest()
    .copy(bytes, bytes.length - 20);
  writeFileSync(file, bytes);
}

/** Writes the stat data of entries anew, after their files' owner and times were changed and nothing else. */
export async function restat(file: string, index: GitIndex, stats: ReadonlyMap<string, BigIntStats>): Promise<void> {
  const bytes = Buffer.from(index.bytes);
  let newest = 0n;
  for (const [path, stat] of stats) {
    const entry = index.entries.get(path);
    if (entry !== undefined) putStat(bytes, entry.offset, stat);
    if (stat.ctimeNs > newest) newest = stat.ctimeNs;
  }
  await writeIndexAfter(file, bytes, newest);
}

/**
 * Writes an index, with a time stamp later than those of its files, which takes up to a tick of the file system's clock:
 * {@link matches} can tell them then from whatever is written afterwards.
 *
 * @param newest when one of its files last changed, in nanoseconds since 1970
 */
export async function writeIndexAfter(file: string, bytes: Buffer, newest: bigint): Promise<void> {
  const draft = `${file}.new`;
  write(draft, bytes);
  for (let tries = 0; tries < 20 && lstatSync(draft, { bigint: true }).mtimeNs <= newest; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    // Written, not set: only then is the time the file system's own.
    writeFileSync(draft, bytes);
  }
  renameSync(draft, file);
}

/** Makes git compare the contents of some entries with their files, whatever the files' times say. */
export function doubt(file: string, index: GitIndex, paths: readonly string[]): void {
  const bytes = Buffer.from(index.bytes);
  const offsets = paths.map((path) => index.entries.get(path)?.offset).filter((offset) => offset !== undefined);
  if (offsets.length === 0) return;
  for (const offset of offsets) bytes.fill(0, offset, offset + 16);
  write(`${file}.new`, bytes);
  renameSync(`${file}.new`, file);
}
