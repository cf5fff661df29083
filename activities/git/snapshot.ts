import { lstatSync, rmSync } from 'node:fs';
import { CommandFailedError, SignalboxError } from '../../core/failures.ts';
import type { BareRepository } from './bare-repository.ts';
import { changedPaths, type Change, type ChangeKind } from './diff.ts';
import { differences, doubt, readIndex } from './index-file.ts';
import { misplacedContents } from './large-files.ts';
import { writeCommit, type Signature } from './objects.ts';
import { shownPath } from './paths.ts';
import { walkNew, walkTree, type Walk, type WalkOptions } from './walk.ts';
import { firstTree, workspaceAt } from './workspace.ts';

/** What is to be snapshotted, and how. */
export interface SnapshotRequest {
  bare: BareRepository;
  workspaceDirectory: string;
  /** The commit that the snapshot continues: the workspace's first, or its last snapshot. */
  parent: string;
  /** The full name of the ref that keeps it. */
  ref: string;
  message: string;
  author: Signature;
  /** By default the author. */
  committer?: Signature;
  /** Paths that are none of the agent's work, with all below them, whatever lies there. */
  passOver?: readonly string[];
  /** In bytes; larger files are left out. By default 100 MiB. */
  maxFileSize?: number;
  /** The most new files; with more of them there is no snapshot. By default 500,000. */
  maxFiles?: number;
  /** How long git may take, milliseconds, whatever rules it finds there. By default 8 minutes. */
  timeoutMs?: number;
}

/** A snapshot as it is in the bare repository, kept by its ref. */
export interface Snapshot {
  /** The parent itself when nothing changed. */
  commit: string;
  tree: string;
  /** From the parent to this commit. */
  changes: Change[];
  unchanged: boolean;
  /** What lies in the work tree and not in the snapshot, with the reason; at most {@link LEFT_OUT_LIMIT}. */
  leftOut: { path: string; reason: string }[];
}

/** The most entries of {@link Snapshot.leftOut}. */
export const LEFT_OUT_LIMIT = 200;

/**
 * Commits the state of an agent's work tree to a ref. Every process that writes there must be dead. Git is told the
 * paths one by one by a walk of our own and never looks at the agent's `.git`, at nested repositories or at filters, so
 * nothing that the agent wrote can run. What git cannot hold is left out with a reason; it never fails the snapshot.
 * The same state gives the same ref again, so that the call can be repeated after a crash.
 *
 * @throws SignalboxError `refused` when there is too much to be taken in
 */
export async function snapshot(request: SnapshotRequest): Promise<Snapshot> {
  const { timeoutMs = 8 * 60_000 } = request;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await take(request, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new SignalboxError('refused', `the work tree could not be taken in within ${timeoutMs / 1000} s`, {
      hint: 'Look for very many or large files there, and for endless rules in .gitignore and .gitattributes.',
      cause: error,
    });
  }
}

async function take(request: SnapshotRequest, signal: AbortSignal): Promise<Snapshot> {
  const { bare, parent, ref } = request;
  const { tree: workTree, index: indexFile } = workspaceAt(request.workspaceDirectory);
  if (lstatSync(workTree, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new SignalboxError('refused', `${workTree} is no directory any more`);
  const context = { workTree, indexFile, signal };
  rmSync(`${indexFile}.lock`, { force: true });

  const index = readIndex(indexFile);
  const written = lstatSync(indexFile, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const { maxFileSize = 100 * 1024 * 1024, maxFiles = 500_000 } = request;
  const passOver = new Set(request.passOver?.map((path) => Buffer.from(path).toString('latin1')));
  const options = { maxFileSize, maxFiles, passOver };
  const walk = await walkTree(workTree, index, written, options);
  const links = walk.untracked.filter((path) => index.directories.has(path));
  const admitted = await withoutIgnored(bare, context, walk, new Set(links), options);
  const misplaced = await misplacedContents(bare, workTree, [...walk.changed, ...admitted], signal);
  for (const path of misplaced) walk.leftOut.set(path, 'belongs into Git LFS, which takes in nothing from here');
  const changed = walk.changed.filter((path) => !misplaced.has(path));
  const fresh = admitted.filter((path) => !misplaced.has(path));

  const { gone, buried } = sortGone(walk, new Set([...fresh, ...changed]));
  if (buried.length > 0) await stage(bare, context, ['--force-remove'], buried, walk.leftOut);
  doubt(indexFile, readIndex(indexFile), changed);
  // Removals first: where a directory took the place of a file, git must still find the file's entry, or it would look
  // inside for a nested repository.
  const staged = [...gone, ...changed, ...fresh];
  await stage(bare, context, ['--add', '--remove', '--replace'], staged, walk.leftOut);
  const same = staged.length + buried.length === 0 ? index.tree : null;
  const tree = same ?? (await bare.git(['write-tree'], context)).stdout.toString().trim();
  const parentTree = bare.freshCommit(parent)?.tree ?? firstTree(request.workspaceDirectory, parent);
  const changes =
    parentTree !== null && parentTree === index.tree
      ? differences(index, readIndex(indexFile)).map(({ path, from, to }) => ({
          path: shownPath(path),
          kind: kindOf(from, to),
        }))
      : await changedPaths(bare, parent, tree);
  const before = bare.ref(ref);
  const commit = changes.length === 0 ? parent : await commitState(request, tree, before);
  if (!(await bare.moveRef(ref, commit, before)))
    throw new SignalboxError('refused', `${ref} was moved by somebody else during the snapshot`, { retryable: true });
  const leftOut = [...walk.leftOut]
    .slice(0, LEFT_OUT_LIMIT)
    .map(([path, reason]) => ({ path: shownPath(path), reason }));
  return { commit, tree, changes, unchanged: changes.length === 0, leftOut };
}

interface Context {
  workTree: string;
  indexFile: string;
  signal: AbortSignal;
}

function kindOf(from: number | null, to: number | null): ChangeKind {
  if (from === null) return 'added';
  if (to === null) return 'deleted';
  return from >> 12 === to >> 12 ? 'modified' : 'type';
}

/** The commit that `before` already is, if it holds this state on this parent; else a new one. */
async function commitState(request: SnapshotRequest, tree: string, before: string | null): Promise<string> {
  const { bare, parent, author, committer = author, message } = request;
  if (before !== null) {
    const known = await bare.commitInfo(before);
    if (known.tree === tree && known.parents.length === 1 && known.parents[0] === parent) return before;
  }
  return writeCommit(bare.gitDir, { tree, parents: [parent], message, author, committer });
}

/** New paths that no ignore rule covers; the ignored ones are noted as left out. At most two processes. */
async function withoutIgnored(
  bare: BareRepository,
  context: Context,
  walk: Walk,
  keep: Set<string>,
  options: WalkOptions,
): Promise<string[]> {
  const admit = async (paths: string[]): Promise<string[]> => {
    if (!walk.ignoreRules || paths.length === 0) return paths;
    // This command knows no literal pathspecs; a leading "./" keeps a name such as ":(top)x" from being more than a name.
    const input = nulSeparated(paths.map((path) => `./${path}`));
    const how = { ...context, input, env: { GIT_LITERAL_PATHSPECS: '0' }, allowedExitCodes: [0, 1] };
    const { stdout } = await bare.git(['check-ignore', '--no-index', '-z', '--stdin'], how);
    const names = stdout.toString('latin1').split('\0').slice(0, -1);
    const ignored = new Set(names.map((name) => name.slice(2)));
    for (const path of ignored) if (!keep.has(path)) walk.leftOut.set(path, 'is ignored');
    return paths.filter((path) => keep.has(path) || !ignored.has(path));
  };
  const large = new Set(walk.large);
  const admitted = await admit([...walk.untracked, ...walk.large]);
  const more = await walkNew(
    context.workTree,
    admitted.filter((path) => large.has(path)),
    options,
  );
  for (const [path, reason] of more.leftOut) walk.leftOut.set(path, reason);
  walk.ignoreRules ||= more.ignoreRules;
  return [...admitted.filter((path) => !large.has(path)), ...(await admit(more.untracked))];
}

/**
 * Parts the paths that are gone: those in whose parent's place something new is added go with it; those in whose
 * parent's place something lies that is not added are `buried`, and git must not look for them.
 */
function sortGone(walk: Walk, added: ReadonlySet<string>): { gone: string[]; buried: string[] } {
  const present = new Set([...walk.untracked, ...walk.leftOut.keys()]);
  const gone: string[] = [];
  const buried: string[] = [];
  for (const path of walk.gone) {
    const above = parents(path);
    if (above.some((parent) => added.has(parent))) continue;
    (present.has(path) || above.some((parent) => present.has(parent)) ? buried : gone).push(path);
  }
  return { gone, buried };
}

function parents(path: string): string[] {
  const above: string[] = [];
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1))
    above.push(path.slice(0, slash));
  return above;
}

function nulSeparated(paths: readonly string[]): Buffer {
  return Buffer.from(paths.map((path) => `${path}\0`).join(''), 'latin1');
}

/** Updates the index; a path that git refuses for a reason of its own is left out, and the others are tried again. */
async function stage(
  bare: BareRepository,
  context: Context,
  flags: readonly string[],
  paths: readonly string[],
  leftOut: Map<string, string>,
): Promise<void> {
  const pending = new Set(paths);
  while (pending.size > 0) {
    try {
      await bare.git(['update-index', ...flags, '-z', '--stdin'], { ...context, input: nulSeparated([...pending]) });
      return;
    } catch (error) {
      if (!(error instanceof CommandFailedError)) throw error;
      const { stderr } = error.facts;
      const refused = [...pending].find((path) => stderr.includes(`Unable to process path ${shownPath(path)}\n`));
      if (refused === undefined) throw error;
      pending.delete(refused);
      leftOut.set(refused, `is refused by git: ${stderr.split('\n')[0] ?? ''}`);
    }
  }
}
