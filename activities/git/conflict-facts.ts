import { conflictWords, type ConflictFacts, type Sides, type Version } from '../../core/conflict-words.ts';
import type { ConflictedFile, ConflictKind } from '../../core/merge-conflict.ts';
import { otherWorkWords } from '../../core/other-work.ts';
import type { BareRepository } from './bare-repository.ts';
import { readBlobs, type Blob } from './blobs.ts';
import { changesSince } from './changes-since.ts';
import type { ConflictGroup } from './conflict-groups.ts';
import { patch } from './diff.ts';

/** How many conflicts are looked at closely. */
const MOST_EXPLAINED = 20;
/** Files up to this size are looked into, in bytes. */
const LARGEST = 512 * 1024;
/** Kinds that git shows as lines with conflict markers. */
const WITH_MARKERS: readonly ConflictKind[] = ['content', 'added_twice', 'renamed_onto'];

/** Two commits that were merged, and what git could not do alone. */
export interface FailedMerge {
  bare: BareRepository;
  tip: string;
  commit: string;
  /** The tree that git left, with conflict markers. */
  tree: string;
  groups: readonly ConflictGroup[];
  sides: Sides;
  /** In bytes. */
  hunksLimit: number;
  signal?: AbortSignal;
}

/** Tells conflicts in words, with the lines where those say something. */
export async function explainConflicts(merge: FailedMerge): Promise<{ files: ConflictedFile[]; hunks: string }> {
  const { bare, tip, commit, groups, sides } = merge;
  const close = groups.slice(0, MOST_EXPLAINED);
  const objects = close.flatMap(({ entries }) => entries.filter(isBlob).map(({ object }) => object));
  const base = once(() => mergeBase(merge));
  const renames = once(async () => await renamesOfBoth(merge, await base()));
  const [blobs, changes] = await Promise.all([
    readBlobs(bare, objects, LARGEST),
    changesSince(bare, { tip, without: [commit], paths: close.flatMap(placesOf) }),
  ]);
  const files: ConflictedFile[] = [];
  for (const group of close) {
    const facts = factsOf(group, blobs);
    if (facts.base === null && facts.ours !== null && facts.theirs !== null) {
      const [ours, theirs] = await renames();
      facts.renamed = { ours: ours.get(facts.ours.path) ?? null, theirs: theirs.get(facts.theirs.path) ?? null };
    }
    const { kind, words } = conflictWords(facts, sides);
    const others = changes.filter(({ path }) => placesOf(group).some((place) => isIn(path, place)));
    const [path = ''] = group.paths;
    files.push({ path, kind, description: `${words}. ${otherWorkWords(others.flatMap(({ by }) => by))}`.trimEnd() });
  }
  for (const { paths, message } of groups.slice(MOST_EXPLAINED)) {
    const [path = ''] = paths;
    files.push({ path, kind: 'other', description: `${path}: ${message.slice(0, 200)}` });
  }
  return { files, hunks: await hunksOf(merge, files, close, base) };
}

/** Paths and directories whose changes have to do with a conflict. */
function placesOf({ paths, types }: ConflictGroup): string[] {
  const last = paths.at(-1) ?? '';
  const renamed = types.includes('CONFLICT (directory rename suggested)') && last.includes('/');
  return renamed ? [...paths, last.slice(0, last.lastIndexOf('/'))] : paths;
}

function isIn(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}

function isBlob({ mode }: { mode: string }): boolean {
  return mode !== '160000';
}

function factsOf(group: ConflictGroup, blobs: ReadonlyMap<string, Blob>): ConflictFacts {
  const version = (stage: 1 | 2 | 3): Version | null => {
    const entry = group.entries.find((one) => one.stage === stage);
    if (entry === undefined) return null;
    const blob = isBlob(entry) ? blobs.get(entry.object) : undefined;
    return { ...entry, size: blob?.size ?? null, content: blob?.content ?? null };
  };
  const { paths, types, message } = group;
  return { paths, types, message, base: version(1), ours: version(2), theirs: version(3) };
}

async function hunksOf(
  merge: FailedMerge,
  files: readonly ConflictedFile[],
  groups: readonly ConflictGroup[],
  base: () => Promise<string | null>,
): Promise<string> {
  const { bare, tip, commit, tree, sides, hunksLimit: limit, signal } = merge;
  const abort = signal === undefined ? {} : { signal };
  const pathsOf = (wanted: (kind: ConflictKind, group: ConflictGroup) => boolean): string[] =>
    groups.flatMap((group, index) => (wanted(files[index]?.kind ?? 'other', group) ? group.paths : []));
  const marked = pathsOf((kind) => WITH_MARKERS.includes(kind));
  const changed = pathsOf(
    (kind, { entries }) =>
      kind === 'modify_delete' && entries.some(({ stage, mode }) => stage === 2 && isBlob({ mode })),
  );
  const parts: string[] = [];
  if (marked.length > 0) {
    const shown = await patch(bare, tip, tree, { limit, paths: marked, ...abort });
    const named = [
      [tip, sides.ours],
      [commit, sides.theirs],
    ].reduce(
      (text, [id = '', side = '']) => text.replaceAll(new RegExp(`^([ +-]?[<>]{7,} )${id}`, 'gm'), `$1${side}`),
      shown.text,
    );
    parts.push(cut({ ...shown, text: named }, limit));
  }
  const from = changed.length > 0 ? await base() : null;
  if (from !== null) {
    const shown = await patch(bare, from, tip, { limit, paths: changed, ...abort });
    parts.push(`What ${sides.ours} changed there:\n${cut(shown, limit)}`);
  }
  return parts.join('\n');
}

function cut({ text, truncated }: { text: string; truncated: boolean }, limit: number): string {
  return truncated ? `${text}\n… cut after ${limit} bytes …\n` : text;
}

async function mergeBase({ bare, tip, commit }: FailedMerge): Promise<string | null> {
  const { stdout } = await bare.git(['merge-base', tip, commit], { allowedExitCodes: [0, 1] });
  return stdout.toString().trim() || null;
}

/** What each side renamed, from the new name to the old one. */
async function renamesOfBoth(
  { bare, tip, commit }: FailedMerge,
  base: string | null,
): Promise<[ours: Map<string, string>, theirs: Map<string, string>]> {
  const renames = async (to: string): Promise<Map<string, string>> => {
    const found = new Map<string, string>();
    if (base === null) return found;
    const flags = ['-r', '-z', '--find-renames', '--diff-filter=R', '--name-status'];
    const { stdout } = await bare.git(['diff-tree', ...flags, base, to]);
    const fields = stdout.toString('utf8').split('\0');
    for (let at = 0; at + 2 < fields.length; at += 3) found.set(fields[at + 2] ?? '', fields[at + 1] ?? '');
    return found;
  };
  return await Promise.all([renames(tip), renames(commit)]);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
