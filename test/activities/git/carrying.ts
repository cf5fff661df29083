import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from '@jest/globals';
import { BareRepository } from '../../../activities/git/bare-repository.ts';
import { mergeCandidate } from '../../../activities/git/candidate.ts';
import { CheckoutPool } from '../../../activities/git/checkout-pool.ts';
import { inspectUserRepository } from '../../../activities/git/inspect-user-repository.ts';
import { land, type LandingResult } from '../../../activities/git/landing.ts';
import { snapshot, type Snapshot } from '../../../activities/git/snapshot.ts';
import { requireSupported } from '../../../activities/git/user-repository.ts';
import { createWorkspace } from '../../../activities/git/workspace.ts';
import { author, git, put } from './support.ts';

/** Makes a repository with files and one commit below `root`. */
export function repository(
  root: string,
  name: string,
  files: Record<string, string> = { 'a.txt': 'a\n', 'b.txt': 'b\n' },
): string {
  const directory = path.join(root, name);
  mkdirSync(directory, { recursive: true });
  git(directory, 'init', '-q', '-b', 'main');
  commitAll(directory, files);
  return directory;
}

/** Commits all that lies in a work tree, with more files. */
export function commitAll(directory: string, files: Record<string, string>): string {
  put(directory, files);
  git(directory, 'add', '-A');
  git(directory, 'commit', '-q', '--allow-empty', '-m', 'Begin');
  return git(directory, 'rev-parse', 'HEAD');
}

let carried = 0;

/**
 * All that a task's work goes through: the user's branch comes over, an agent works on it in a workspace, its work is
 * snapshot, merged, checked out for checks, and lands.
 *
 * @param root where our own repository and all else is
 */
export async function carry(
  directory: string,
  root: string,
  work: (tree: string) => void,
): Promise<{ landing: LandingResult; taken: Snapshot; checkout: string; commit: string }> {
  const user = await inspectUserRepository(directory);
  requireSupported(user);
  const bare = await BareRepository.open(path.join(root, 'bare.git'));
  const tip = await bare.importBranch(user, 'main');
  const workspace = path.join(root, `workspace-${(carried += 1)}`);
  const { tree } = await createWorkspace({ bare, directory: workspace, commit: tip, branch: 'signalbox/1' });
  expect(git(tree, 'status', '--porcelain')).toBe('');
  work(tree);
  const ref = `refs/signalbox/r/t/${carried}`;
  const taken = await snapshot({ bare, workspaceDirectory: workspace, parent: tip, ref, message: 'Work', author });
  const merged = await mergeCandidate({ bare, tip, commit: taken.commit, message: 'Merge', author, evenIfEmpty: true });
  const commit = merged.kind === 'merged' ? merged.commit : tip;
  const pool = new CheckoutPool({ bare, directory: path.join(root, 'pool') });
  const { directory: checkout } = await pool.acquire(`check-${carried}`, commit);
  const landing = await land({ bare, user, branch: 'main', commit });
  return { landing, taken, checkout, commit };
}

/** The result of a landing that brought something. */
export const LANDED = { outcome: 'landed' };

/** What a snapshot holds, a line for each path. */
export function changesOf({ changes }: Snapshot): string[] {
  return changes.map(({ kind, path: name }) => `${kind} ${name}`);
}
