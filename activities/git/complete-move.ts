import { chmodSync, copyFileSync, existsSync, mkdtempSync, renameSync, rmSync, statSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import { SignalboxError } from '../../core/failures.ts';
import type { BareRepository } from './bare-repository.ts';
import { runGit } from './git-command.ts';
import type { Landing } from './landing-journal.ts';
import {
  fileAt,
  findMoved,
  movedPaths,
  type Found,
  type MovedPath,
  type TreeEntry,
  type UserGit,
} from './moved-paths.ts';
import { onDisk, shownPath } from './paths.ts';
import { fileInTheWay, type Obstacle } from './worktrees.ts';

/** A work tree in which git died while it moved index and files from one commit to another. */
export interface HalfMoved {
  bare: BareRepository;
  landing: Landing;
  gitDir: string;
  topLevel: string;
  /** Where we may write. */
  directory: string;
}

/** What {@link examine} found. */
interface Examined {
  git: UserGit;
  /** A copy of the user's index. */
  indexFile: string;
  /** Which commit's tree the index holds. */
  side: 'from' | 'to';
  moved: readonly MovedPath[];
  found: ReadonlyMap<string, Found>;
  /** Moved paths that git was told not to have on disk. */
  skipped: ReadonlySet<string>;
}

/**
 * Brings index and files of a half-moved work tree to one of the two commits, if nothing else was done there: every
 * moved path holds what it was or shall be, or the beginning of that, and all else is as the index says. Otherwise says
 * what stands against it, and changes nothing; nor does it where no file had moved yet. The index must be locked.
 *
 * @throws CommandFailedError when git, or a filter of the user's, failed half-way
 */
export async function completeMove(half: HalfMoved, goal: 'from' | 'to'): Promise<'done' | 'unmoved' | Obstacle> {
  const scratch = mkdtempSync(path.join(half.directory, 'scratch-'));
  try {
    const examined = await examine(half, scratch);
    if (examined === 'unmoved' || 'reason' in examined) return examined;
    const obstacle = inTheWay(half, examined, goal);
    if (obstacle !== null) return obstacle;
    await bring(half, examined, goal);
    return 'done';
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Git as the user would run it in their work tree, on another index; what it starts is known by the landing's id. */
export function userGit({ landing, gitDir, topLevel }: HalfMoved, indexFile?: string): UserGit {
  const fixed = { gitDir, configuration: 'user', ownSession: true, env: { SIGNALBOX_LANDING: landing.id } } as const;
  const context = { workTree: topLevel, ...(indexFile === undefined ? {} : { indexFile }) };
  return {
    topLevel,
    run: (args, { config, ...options } = {}) =>
      runGit(args, { ...fixed, ...context, config: { 'safe.directory': '*', ...config }, ...options }),
  };
}

async function examine(half: HalfMoved, scratch: string): Promise<Examined | 'unmoved' | Obstacle> {
  const { bare, gitDir, topLevel, landing } = half;
  const { from, to } = landing;
  const indexFile = path.join(scratch, 'index');
  const git = userGit(half, indexFile);
  if (!existsSync(path.join(gitDir, 'index'))) return edited(half, 'its index was removed');
  copyFileSync(path.join(gitDir, 'index'), indexFile);
  const side = await sideOf(git, landing);
  const moved = await movedPaths(bare, from, to);
  const fileMode = await git.run(['config', '--type=bool', '--default=true', 'core.fileMode']);
  const options = { commits: { from, to }, scratch, fileMode: fileMode.stdout.toString().trim() === 'true' };
  const found = await findMoved(git, moved, options);
  const skipped = await skippedPaths(git, moved);

  if (side !== 'to' && moved.every((one) => skipped.has(one.path) || STILL.includes(found.get(one.path) ?? 'other')))
    return 'unmoved';
  if (side === null) return edited(half, 'other changes are staged');
  const changed = await changedBesides(git, moved, indexFile);
  if (changed !== null) return edited(half, `${shownPath(changed)} was changed`);
  for (const { path: name } of moved) {
    if (found.get(name) === 'other') return edited(half, `${shownPath(name)} was changed`);
    if (skipped.has(name) && fileAt(topLevel, name) !== null)
      return edited(half, `${shownPath(name)} is there, though git shall skip it`);
  }
  return { git, indexFile, side, moved, found, skipped };
}

/** What lies at the paths of a move that has not begun; what the user changed is for the ordinary way to refuse. */
const STILL: readonly Found[] = ['from', 'other'];

function edited({ landing, topLevel }: HalfMoved, what: string): Obstacle {
  return {
    reason: `a landing on ${landing.branch} broke off in ${topLevel}, and ${what} there since`,
    hint:
      `Keep what is yours (copy or stash it), then run "git -C ${topLevel} reset --hard"; ` +
      `the landing is in refs/remotes/signalbox/${landing.branch}.`,
  };
}

/** Which of the two commits' trees the index holds, or `null`. */
async function sideOf(git: UserGit, { from, to }: Landing): Promise<'from' | 'to' | null> {
  for (const [side, commit] of [
    ['from', from],
    ['to', to],
  ] as const) {
    const flags = ['--cached', '--quiet', '--ignore-submodules=dirty'];
    const { exitCode } = await git.run(['diff-index', ...flags, commit, '--'], { allowedExitCodes: [0, 1] });
    if (exitCode === 0) return side;
  }
  return null;
}

async function skippedPaths(git: UserGit, moved: readonly MovedPath[]): Promise<Set<string>> {
  const { stdout } = await git.run(['ls-files', '-z', '-t']);
  const all = stdout.toString('latin1').split('\0');
  const skipped = new Set(all.filter((line) => line.startsWith('S ')).map((line) => line.slice(2)));
  return new Set(moved.map(({ path: name }) => name).filter((name) => skipped.has(name)));
}

/** The first path that is not moved and yet not as the index says, or `null`. */
async function changedBesides(git: UserGit, moved: readonly MovedPath[], index: string): Promise<string | null> {
  const indexFile = `${index}.rest`;
  copyFileSync(index, indexFile);
  await setEntries(git, new Map(moved.map((one) => [one.path, null])), indexFile);
  const [changed] = await changedFiles(git, indexFile);
  return changed ?? null;
}

/** The paths whose files are not as an index says; it learns the times of all others. */
async function changedFiles(git: UserGit, indexFile: string): Promise<string[]> {
  const refresh = ['update-index', '-q', '--ignore-submodules', '--refresh'];
  await git.run(refresh, { indexFile, allowedExitCodes: [0, 1] });
  const { stdout } = await git.run(['diff-files', '-z', '--name-only', '--ignore-submodules', '--'], { indexFile });
  return stdout.toString('latin1').split('\0').slice(0, -1);
}

/** Sets or removes entries of an index. */
async function setEntries(
  git: UserGit,
  entries: ReadonlyMap<string, TreeEntry | null>,
  indexFile: string,
): Promise<void> {
  if (entries.size === 0) return;
  const line = (name: string, { mode, id }: TreeEntry): string =>
    `${mode.toString(8).padStart(6, '0')} ${id}\t${name}\0`;
  const none = { mode: 0, id: '0'.repeat(40) };
  // Removals first: a file and a directory of one name must not meet.
  const removals = [...entries.keys()].map((name) => line(name, none));
  const additions = [...entries].flatMap(([name, entry]) => (entry === null ? [] : [line(name, entry)]));
  const input = Buffer.from([...removals, ...additions].join(''), 'latin1');
  await git.run(['update-index', '-z', '--index-info'], { indexFile, input });
}

/** What is on disk at a moved path, as an entry of a tree. */
function entryThere(one: MovedPath, found: ReadonlyMap<string, Found>): TreeEntry | null {
  const there = found.get(one.path);
  return there === 'from' || there === 'to' ? one[there] : null;
}

/** What git does not know of and would write over. */
function inTheWay(half: HalfMoved, { moved, found, skipped }: Examined, goal: 'from' | 'to'): Obstacle | null {
  const ours = moved.filter((one) => entryThere(one, found) !== null || found.get(one.path) === 'begun');
  const known = new Set(ours.map(({ path: name }) => name));
  const missing = moved.filter((one) => one[goal] !== null && !skipped.has(one.path) && !known.has(one.path));
  return fileInTheWay(
    half,
    missing.map(({ path: name }) => name),
    known,
  );
}

async function bring(half: HalfMoved, examined: Examined, goal: 'from' | 'to'): Promise<void> {
  const { git, indexFile, side, moved, found, skipped } = examined;
  const entries = new Map<string, TreeEntry | null>();
  for (const one of moved) {
    if (skipped.has(one.path)) continue;
    if (found.get(one.path) === 'begun') unlinkSync(onDisk(half.topLevel, one.path));
    const now = entryThere(one, found);
    if (now?.id !== one[side]?.id || now?.mode !== one[side]?.mode) entries.set(one.path, now);
  }
  await setEntries(git, entries, indexFile);
  const doubted = new Set(await changedFiles(git, indexFile));
  const stale = moved.filter((one) => doubted.has(one.path) && found.get(one.path) !== goal && !skipped.has(one.path));
  // Their attributes have moved before them, so that git does not know them again; what they hold is in a commit.
  for (const one of stale) unlinkSync(onDisk(half.topLevel, one.path));
  await setEntries(git, new Map(stale.map((one) => [one.path, null])), indexFile);
  await git.run(['read-tree', '-u', '-m', half.landing[goal]]);
  const [wrong] = await changedFiles(git, indexFile);
  if (wrong !== undefined) throw new SignalboxError('internal', `${shownPath(wrong)} is not what git just wrote`);
  const index = path.join(half.gitDir, 'index');
  const draft = `${index}.signalbox`;
  copyFileSync(indexFile, draft);
  chmodSync(draft, statSync(index).mode & 0o777);
  renameSync(draft, index);
}
