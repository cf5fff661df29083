import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { onDisk, shownPath } from './paths.ts';
import type { UserRepository } from './user-repository.ts';

/** A work tree of the user's repository, main or linked. */
export interface WorkTree {
  gitDir: string;
  /** `null` for the main one of a bare repository. */
  topLevel: string | null;
}

/** Why a branch cannot move under a work tree, and what to do. */
export interface Obstacle {
  reason: string;
  hint: string;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

/** All work trees of a repository, main and linked. Reads files only. */
export function workTrees(user: UserRepository): WorkTree[] {
  const linked = path.join(user.commonDir, 'worktrees');
  const trees = existsSync(linked) ? readdirSync(linked).map((name) => path.join(linked, name)) : [];
  return [
    { gitDir: user.commonDir, topLevel: user.mainTree },
    ...trees.map((gitDir) => ({
      gitDir,
      topLevel: path.dirname(path.resolve(gitDir, read(path.join(gitDir, 'gitdir')))),
    })),
  ];
}

/** The work trees that have a branch checked out, or are rebasing or bisecting it. Reads files only. */
export function workTreesOf(user: UserRepository, branch: string): WorkTree[] {
  const ref = `refs/heads/${branch}`;
  return workTrees(user).filter(({ gitDir, topLevel }) => {
    if (topLevel === null || !existsSync(topLevel)) return false;
    if (read(path.join(gitDir, 'HEAD')) === `ref: ${ref}`) return true;
    const rebased = ['rebase-merge', 'rebase-apply'].some((name) => read(path.join(gitDir, name, 'head-name')) === ref);
    return rebased || [branch, ref].includes(read(path.join(gitDir, 'BISECT_START')));
  });
}

const UNDER_WAY: readonly (readonly [file: string, what: string, command: string])[] = [
  ['rebase-merge', 'a rebase', 'rebase'],
  ['rebase-apply', 'a rebase or "git am"', 'rebase'],
  ['MERGE_HEAD', 'a merge', 'merge'],
  ['CHERRY_PICK_HEAD', 'a cherry-pick', 'cherry-pick'],
  ['REVERT_HEAD', 'a revert', 'revert'],
  ['sequencer', 'a cherry-pick or revert', 'cherry-pick'],
];

/** What is under way in a work tree that the branch must not move under, or `null`. */
export function operationUnderWay({ gitDir, topLevel }: WorkTree): Obstacle | null {
  const where = topLevel ?? gitDir;
  for (const [file, what, command] of UNDER_WAY)
    if (existsSync(path.join(gitDir, file)))
      return {
        reason: `${what} is under way in ${where}`,
        hint: `Finish it ("git ${command} --continue") or give it up ("git ${command} --abort").`,
      };
  if (existsSync(path.join(gitDir, 'BISECT_LOG')))
    return { reason: `a bisect is under way in ${where}`, hint: 'End it with "git bisect reset".' };
  return null;
}

/** Somebody works on the index of a work tree, or `null`. */
export function indexLocked({ gitDir, topLevel }: WorkTree): Obstacle | null {
  const lock = path.join(gitDir, 'index.lock');
  if (!existsSync(lock)) return null;
  return {
    reason: `the index of ${topLevel ?? gitDir} is locked`,
    hint: `Let the git command that runs there end; if none does, remove ${lock}.`,
  };
}

/**
 * The first thing in a work tree that new files would be written over, or `null`.
 *
 * @param added the new files, as byte strings
 * @param deleted tracked files that go away at the same time, and so are in nobody's way
 */
export function fileInTheWay(
  { topLevel }: WorkTree,
  added: readonly string[],
  deleted: ReadonlySet<string>,
): Obstacle | null {
  if (topLevel === null) return null;
  const kinds = new Map<string, 'nothing' | 'directory' | 'file'>();
  const kindOf = (name: string): 'nothing' | 'directory' | 'file' => {
    const known = kinds.get(name);
    if (known !== undefined) return known;
    const stat = lstatSync(onDisk(topLevel, name), { throwIfNoEntry: false });
    const kind = stat === undefined || deleted.has(name) ? 'nothing' : stat.isDirectory() ? 'directory' : 'file';
    kinds.set(name, kind);
    return kind;
  };
  const keeper = (directory: string): string | null => {
    for (const entry of readdirSync(onDisk(topLevel, directory), { withFileTypes: true, encoding: 'buffer' })) {
      const name = `${directory}/${entry.name.toString('latin1')}`;
      const kept = entry.isDirectory() ? keeper(name) : deleted.has(name) ? null : name;
      if (kept !== null) return kept;
    }
    return null;
  };
  const blocking = (name: string): string | null => {
    for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) {
      const kind = kindOf(name.slice(0, slash));
      if (kind !== 'directory') return kind === 'file' ? name.slice(0, slash) : null;
    }
    const kind = kindOf(name);
    return kind === 'nothing' ? null : kind === 'file' ? name : keeper(name);
  };
  for (const name of added) {
    const found = blocking(name);
    if (found !== null)
      return {
        reason: `${shownPath(found)} in ${topLevel} is in the way of a new file`,
        hint: 'Commit it, move it or remove it.',
      };
  }
  return null;
}
