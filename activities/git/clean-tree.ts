import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { Piscina } from 'piscina';
import type { BareRepository } from './bare-repository.ts';
import type { advance, AdvancedTree } from './tree-advance.ts';
import { treeDifference } from './tree-difference.ts';
import type { Owner, settle, scrub, ScannedTree } from './tree-scan.ts';

/** What was found of a tree when all that does not belong there was removed: see `tree-scan.ts`. */
export type Scrubbed = Awaited<ReturnType<typeof scrub>>;

/** How long a thread stays without work, in milliseconds. */
const IDLE = 60_000;

let threads: Piscina | null = null;

/** Looks at every file of a tree in another thread: a worker has heartbeats to send, and other trees to look at. */
async function scan(what: 'scrub', tree: ScannedTree): Promise<Scrubbed>;
async function scan(what: 'settle', tree: ScannedTree): ReturnType<typeof settle>;
async function scan(what: 'advance', tree: AdvancedTree): ReturnType<typeof advance>;
async function scan(what: 'scrub' | 'settle' | 'advance', tree: ScannedTree): Promise<unknown> {
  threads ??= new Piscina({
    filename: path.join(import.meta.dirname, `tree-thread${path.extname(import.meta.filename)}`),
    minThreads: 0,
    maxThreads: Math.min(4, availableParallelism()),
    idleTimeout: IDLE,
    // A scan leaves megabytes behind: with the little room that the rest of a worker has, most of its time would go to
    // collecting them.
    resourceLimits: { maxYoungGenerationSizeMb: 48 },
  });
  const answer: unknown = await threads.run(tree, { name: what });
  return answer;
}

/** Removes from a tree what is not surely what its index says. Nobody may work in it. */
export async function scrubTree(tree: string, indexFile: string): Promise<Scrubbed> {
  return await scan('scrub', { tree, indexFile });
}

/** Where a tree and its index are, and what they shall become. */
export interface CleanTree {
  bare: BareRepository;
  /** The work tree; made if missing. A symbolic link in its place is removed. */
  tree: string;
  /** The host's own index of that tree, outside of it. */
  indexFile: string;
  commit: string;
  owner?: Owner;
  /** What {@link scrubTree} found just now. */
  scrubbed?: Scrubbed | null;
  signal?: AbortSignal;
}

/**
 * Makes a directory hold exactly the tree of a commit. What is there already and matches is kept: a tree that was used
 * before takes a few milliseconds instead of a whole checkout. Nothing that lies in the tree is run or trusted. One
 * process, or none where little is missing. Returns the id of the tree, where git noted it in the index.
 */
export async function makeCleanTree({
  bare,
  tree,
  indexFile,
  commit,
  owner,
  scrubbed = null,
  signal,
}: CleanTree): Promise<string | null> {
  // Left by a process that was killed; nobody else works on this index.
  rmSync(`${indexFile}.lock`, { force: true });
  const stat = lstatSync(tree, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) {
    if (stat !== undefined) unlinkSync(tree);
    mkdirSync(tree, { recursive: true, mode: 0o755 });
  }
  mkdirSync(path.dirname(indexFile), { recursive: true });
  const { held, usable } = scrubbed ?? (await scrubTree(tree, indexFile));
  if (!usable) {
    // Out of the way, and a fresh tree.
    renameSync(tree, `${tree}.unusable-${randomUUID()}`);
    rmSync(indexFile, { force: true });
    mkdirSync(tree, { mode: 0o755 });
  }
  const wanted = bare.freshCommit(commit)?.tree;
  if (held === null || held !== wanted) {
    const isKnown = held !== null && wanted !== undefined;
    if (isKnown && (await advanceTree(bare, { tree, indexFile, owner, from: held }, wanted))) return wanted;
    await bare.git(['read-tree', '--reset', '-u', commit], {
      workTree: tree,
      indexFile,
      ...(signal === undefined ? {} : { signal }),
    });
  }
  return await scan('settle', { tree, indexFile, owner });
}

/** Changes the few files in which the two trees differ, if that can be done without git. */
async function advanceTree(
  bare: BareRepository,
  held: ScannedTree & Pick<AdvancedTree, 'from'>,
  wanted: string,
): Promise<boolean> {
  try {
    const difference = treeDifference(bare, held.from, wanted);
    return difference !== null && (await scan('advance', { ...held, difference, gitDir: bare.gitDir }));
  } catch {
    // Git looks at each file, and says what is wrong.
    return false;
  }
}
