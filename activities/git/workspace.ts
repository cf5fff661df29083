import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { SignalboxError } from '../../core/failures.ts';
import type { BareRepository } from './bare-repository.ts';
import type { CheckoutPool } from './checkout-pool.ts';
import { makeCleanTree } from './clean-tree.ts';
import type { Owner } from './tree-scan.ts';
import { removeTrees } from './remove-tree.ts';
import { diskFailure } from '../system-errors.ts';
import { writeOwnGit } from './own-git.ts';

/** What an agent works in. */
export interface Workspace {
  /** The work tree with the agent's own `.git`: all that its sandbox sees. */
  tree: string;
  /** The host's index of that tree; no sandbox sees it. */
  index: string;
}

/** What {@link createWorkspace} needs. */
export interface WorkspaceRequest {
  bare: BareRepository;
  /** Made if missing; only the host writes in it, but for `tree`. */
  directory: string;
  /** Where the agent starts. */
  commit: string;
  /** The branch that the agent's `HEAD` is on, at `commit`. */
  branch: string;
  /** Who owns the files, if not this process's user. */
  owner?: Owner;
  /** Where a used tree may come from, so that only differences are written. */
  pool?: CheckoutPool;
  signal?: AbortSignal;
}

const markerSchema = z.object({ commit: z.string(), branch: z.string(), tree: z.string().nullable() });

/** The places of a workspace below its directory, made or not. */
export function workspaceAt(directory: string): Workspace {
  return { tree: path.join(directory, 'tree'), index: path.join(directory, 'index') };
}

/**
 * Makes a workspace at a commit, in one git process. A finished one is left as it is, whatever the agent did in it; one
 * that a crash left unfinished is made anew.
 *
 * @throws SignalboxError `refused` when another commit's or branch's workspace is there
 */
export async function createWorkspace(request: WorkspaceRequest): Promise<Workspace> {
  const { bare, directory, commit, branch, owner, pool, signal } = request;
  const workspace = workspaceAt(directory);
  const marker = path.join(directory, 'ready');
  if (existsSync(marker)) {
    const made = readMarker(marker);
    if (made.commit === commit && made.branch === branch) return workspace;
    throw new SignalboxError('refused', `${directory} is the workspace of ${made.branch} at ${made.commit}`);
  }
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    if (!existsSync(workspace.tree)) pool?.takeSpare(directory);
    const own = owner === undefined ? {} : { owner };
    const abort = signal === undefined ? {} : { signal };
    const tree = await makeCleanTree({
      bare,
      tree: workspace.tree,
      indexFile: workspace.index,
      commit,
      ...own,
      ...abort,
    });
    writeOwnGit({ bare, tree: workspace.tree, indexFile: workspace.index, commit, branch, ...own });
    writeFileSync(`${marker}.new`, JSON.stringify({ commit, branch, tree }));
    renameSync(`${marker}.new`, marker);
  } catch (error) {
    throw diskFailure(error) ?? error;
  }
  return workspace;
}

function readMarker(marker: string): z.infer<typeof markerSchema> {
  return markerSchema.parse(JSON.parse(readFileSync(marker, 'utf8')));
}

/** The tree of the commit that a workspace began at, if it is this one and known; costs no process. */
export function firstTree(directory: string, commit: string): string | null {
  const marker = path.join(directory, 'ready');
  if (!existsSync(marker)) return null;
  const made = readMarker(marker);
  return made.commit === commit ? made.tree : null;
}

/** Removes a workspace; its tree goes to `pool`, if given, to be used again. What the agent wrote must be in a ref by now. */
export async function removeWorkspace(directory: string, pool?: CheckoutPool): Promise<void> {
  if (!existsSync(directory)) return;
  rmSync(path.join(directory, 'ready'), { force: true });
  pool?.giveSpare(directory);
  await removeTrees([directory]);
}
