import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import path from 'node:path';
import type { BareRepository } from './bare-repository.ts';
import type { GitOptions, GitResult } from './git-command.ts';
import { GITLINK } from './index-file.ts';
import { onDisk } from './paths.ts';

/** What a tree has at a path. */
export interface TreeEntry {
  mode: number;
  id: string;
}

/** A path that a move from one commit to another changes, as a byte string. */
export interface MovedPath {
  path: string;
  from: TreeEntry | null;
  to: TreeEntry | null;
}

/**
 * What lies at a moved path: what it was, what it shall be, nothing, the beginning of what it shall be (a file that git
 * was writing when it died), or something that is not of the move.
 */
export type Found = 'from' | 'to' | 'nothing' | 'begun' | 'other';

/** Runs git in the user's work tree, with their configuration; see `runGit`. */
export interface UserGit {
  topLevel: string;
  run(args: readonly string[], options?: Omit<GitOptions, 'gitDir' | 'configuration'>): Promise<GitResult>;
}

const REGULAR: readonly number[] = [0o100644, 0o100755];

/** The paths in which two commits differ. */
export async function movedPaths(bare: BareRepository, from: string, to: string): Promise<MovedPath[]> {
  const { stdout } = await bare.git(['diff-tree', '-r', '-z', '--raw', '--no-renames', '--no-abbrev', from, to]);
  const fields = stdout.toString('latin1').split('\0');
  const moved: MovedPath[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [before = '', after = '', old = '', now = ''] = (fields[at] ?? '').slice(1).split(' ');
    const entry = (mode: string, id: string): TreeEntry | null =>
      Number.parseInt(mode, 8) === 0 ? null : { mode: Number.parseInt(mode, 8), id };
    moved.push({ path: fields[at + 1] ?? '', from: entry(before, old), to: entry(after, now) });
  }
  return moved;
}

/**
 * Says of every moved path what lies there. Contents are compared as git compares them: after the user's own filters and
 * line endings. Changes nothing.
 *
 * @param commits the two commits
 * @param scratch an empty directory of ours
 * @param fileMode whether the file system knows which files are executable (`core.fileMode`)
 */
export async function findMoved(
  git: UserGit,
  moved: readonly MovedPath[],
  { commits, scratch, fileMode }: { commits: { from: string; to: string }; scratch: string; fileMode: boolean },
): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  const files: { moved: MovedPath; stat: Stats }[] = [];
  for (const one of moved) {
    const stat = fileAt(git.topLevel, one.path);
    const id = stat === null || stat === 'foreign' ? '' : blobId(git.topLevel, one.path, stat);
    found.set(one.path, stat === null ? absence(one) : stat === 'foreign' ? 'other' : compare(one, stat, id, fileMode));
    if (stat !== null && stat !== 'foreign' && stat.isFile()) files.push({ moved: one, stat });
  }
  const unknown = (): typeof files => files.filter(({ moved: { path } }) => found.get(path) === 'other');

  const cleaned = await cleanIds(
    git,
    unknown().map(({ moved: one }) => one.path),
  );
  for (const { moved: one, stat } of unknown())
    found.set(one.path, compare(one, stat, cleaned.get(one.path) ?? '', fileMode));

  // Half of the attributes may have moved, so the files' own trees have the last word.
  for (const side of ['from', 'to'] as const) {
    const wanted = unknown().filter(({ moved: one }) => REGULAR.includes(one[side]?.mode ?? 0));
    if (wanted.length === 0) continue;
    const rendered = path.join(scratch, side);
    await render(
      git,
      commits[side],
      rendered,
      wanted.map(({ moved: one }) => one.path),
    );
    for (const { moved: one, stat } of wanted) {
      const expected = readFileSync(onDisk(rendered, one.path));
      const bytes = readFileSync(onDisk(git.topLevel, one.path));
      if (bytes.equals(expected) && modeFits(one[side], stat, fileMode)) found.set(one.path, side);
      else if (side === 'to' && bytes.length < expected.length && expected.subarray(0, bytes.length).equals(bytes))
        found.set(one.path, 'begun');
    }
  }
  return found;
}

/** The file or symbolic link at a path; `foreign`: what git cannot hold. A directory is no file, so it is nothing. */
export function fileAt(topLevel: string, name: string): Stats | null | 'foreign' {
  for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) {
    const above = lstatSync(onDisk(topLevel, name.slice(0, slash)), { throwIfNoEntry: false });
    if (above === undefined || above.isFile() || above.isSymbolicLink()) return null;
    if (!above.isDirectory()) return 'foreign';
  }
  const stat = lstatSync(onDisk(topLevel, name), { throwIfNoEntry: false });
  if (stat === undefined || stat.isDirectory()) return null;
  return stat.isFile() || stat.isSymbolicLink() ? stat : 'foreign';
}

/** A submodule is a directory, which nobody looks into, or nothing. */
function absence({ from, to }: MovedPath): Found {
  if (from === null || from.mode === GITLINK) return 'from';
  return to === null || to.mode === GITLINK ? 'to' : 'nothing';
}

function compare({ from, to }: MovedPath, stat: Stats, id: string, fileMode: boolean): Found {
  if (from?.id === id && modeFits(from, stat, fileMode)) return 'from';
  return to?.id === id && modeFits(to, stat, fileMode) ? 'to' : 'other';
}

function modeFits(entry: TreeEntry | null, stat: Stats, fileMode: boolean): boolean {
  if (entry === null) return false;
  if (stat.isSymbolicLink()) return entry.mode === 0o120000;
  if (!REGULAR.includes(entry.mode)) return false;
  return !fileMode || (entry.mode === 0o100755) === ((stat.mode & 0o100) !== 0);
}

function blobId(topLevel: string, name: string, stat: Stats): string {
  const file = onDisk(topLevel, name);
  const bytes = stat.isSymbolicLink() ? readlinkSync(file, { encoding: 'buffer' }) : readFileSync(file);
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

/** The ids of files after the user's filters; of some, whose names do not fit on a line, there is none. */
async function cleanIds(git: UserGit, paths: readonly string[]): Promise<Map<string, string>> {
  const asked = paths.filter((name) => !/^"|[\n\r]/.test(name));
  if (asked.length === 0) return new Map();
  const input = Buffer.from(asked.map((name) => `${name}\n`).join(''), 'latin1');
  const { stdout } = await git.run(['hash-object', '--stdin-paths'], { input });
  const ids = stdout.toString().split('\n');
  return new Map(asked.map((name, at) => [name, ids[at] ?? '']));
}

/** Writes files of a commit into an empty directory, as git would into the user's work tree. */
async function render(git: UserGit, commit: string, directory: string, paths: readonly string[]): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const context = {
    workTree: directory,
    indexFile: `${directory}.index`,
    config: { 'core.sparseCheckout': 'false', 'core.symlinks': 'true' },
  };
  await git.run(['read-tree', commit], context);
  const input = Buffer.from(paths.map((name) => `${name}\0`).join(''), 'latin1');
  await git.run(['checkout-index', '-q', '-z', '--stdin'], { ...context, input });
}
