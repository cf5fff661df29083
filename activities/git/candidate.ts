import type { BareRepository } from './bare-repository.ts';
import { patch } from './diff.ts';
import { writeCommit, type Signature } from './objects.ts';

/** A merge that git could not do alone. */
export interface MergeConflict {
  kind: 'conflict';
  /** The paths in conflict, with git's own description of each. */
  files: { path: string; description: string }[];
  /** The conflicting files as a patch against the tip, conflict markers included; bounded. */
  hunks: string;
}

/** What became of {@link mergeCandidate}. */
export type MergeResult =
  | { kind: 'merged'; commit: string; tree: string }
  /** The tip has all of it already. */
  | { kind: 'up_to_date' }
  | MergeConflict;

/** What is to be merged onto what. */
export interface MergeRequest {
  bare: BareRepository;
  /** The first parent. */
  tip: string;
  /** The second parent. */
  commit: string;
  message: string;
  author: Signature;
  /** By default the author. */
  committer?: Signature;
  /** In bytes, of {@link MergeConflict.hunks}; by default 32 KiB. */
  hunksLimit?: number;
  /** Make a merge commit also where it changes no file, so that the result contains `commit`. */
  evenIfEmpty?: boolean;
  signal?: AbortSignal;
}

/**
 * Merges a commit onto a tip without a work tree, always with a merge commit; no ref moves. The same request gives the
 * same commit. No process when the commit was made on that very tip, else one; two more for a conflict.
 */
export async function mergeCandidate(request: MergeRequest): Promise<MergeResult> {
  const { bare, tip, commit } = request;
  if (commit === tip) return { kind: 'up_to_date' };
  const [ours, theirs] = await Promise.all([bare.commitInfo(tip), bare.commitInfo(commit)]);
  const direct = theirs.parents.includes(tip);
  const merge = direct ? { tree: theirs.tree, conflict: null } : await mergeTree(request);
  if (merge.conflict !== null) return merge.conflict;
  if (merge.tree === ours.tree && !direct) {
    if (request.evenIfEmpty !== true || (await bare.isAncestor(commit, tip))) return { kind: 'up_to_date' };
  } else if (merge.tree === ours.tree && request.evenIfEmpty !== true) return { kind: 'up_to_date' };
  const { author, committer = author, message } = request;
  const merged = writeCommit(bare.gitDir, { tree: merge.tree, parents: [tip, commit], message, author, committer });
  return { kind: 'merged', commit: merged, tree: merge.tree };
}

async function mergeTree(request: MergeRequest): Promise<{ tree: string; conflict: MergeConflict | null }> {
  const { bare, tip, commit } = request;
  const abort = request.signal === undefined ? {} : { signal: request.signal };
  const flags = ['--write-tree', '--messages', '--name-only', '-z', '--allow-unrelated-histories'];
  const { stdout, exitCode } = await bare.git(['merge-tree', ...flags, tip, commit], {
    ...abort,
    allowedExitCodes: [0, 1],
  });
  const [tree = '', ...fields] = stdout.toString('utf8').split('\0');
  if (exitCode === 0) return { tree, conflict: null };
  const end = fields.indexOf('');
  const descriptions = messagesByPath(fields.slice(end + 1));
  const paths = fields.slice(0, end === -1 ? 0 : end);
  const files = paths.map((path) => ({ path, description: descriptions.get(path) ?? 'conflict' }));
  const limit = request.hunksLimit ?? 32 * 1024;
  const { text, truncated } = await patch(bare, tip, tree, { limit, paths, ...abort });
  return {
    tree,
    conflict: { kind: 'conflict', files, hunks: truncated ? `${text}\n… cut after ${limit} bytes …\n` : text },
  };
}

/** Reads the records `<number of paths> <path>… <type> <message>` of `merge-tree -z`. */
function messagesByPath(fields: readonly string[]): Map<string, string> {
  const messages = new Map<string, string>();
  let at = 0;
  while (at < fields.length && /^\d+$/.test(fields[at] ?? '')) {
    const count = Number(fields[at]);
    const paths = fields.slice(at + 1, at + 1 + count);
    const [type = '', message = ''] = fields.slice(at + 1 + count, at + 3 + count);
    at += 3 + count;
    if (!type.startsWith('CONFLICT')) continue;
    for (const path of paths) messages.set(path, [messages.get(path), message.trim()].filter(Boolean).join(' '));
  }
  return messages;
}

/** What became of {@link joinUserBranch}. */
export type JoinResult =
  /** The user added nothing that the accepted tip lacks. */
  | { kind: 'up_to_date' }
  /** A commit that contains both tips; the user's own where it already contains the accepted one. */
  | { kind: 'candidate'; commit: string; fastForward: boolean }
  | MergeConflict;

/** Brings commits that the user made meanwhile together with the accepted tip. Moves no ref. */
export async function joinUserBranch(
  request: Omit<MergeRequest, 'tip' | 'commit' | 'message' | 'evenIfEmpty'> & {
    branch: string;
    userTip: string;
    acceptedTip: string;
  },
): Promise<JoinResult> {
  const { bare, branch, userTip, acceptedTip } = request;
  if (await bare.isAncestor(userTip, acceptedTip)) return { kind: 'up_to_date' };
  if (await bare.isAncestor(acceptedTip, userTip)) return { kind: 'candidate', commit: userTip, fastForward: true };
  const message = `Merge the user's commits on ${branch}`;
  // Dated by what it joins: made again it is the same commit, whose checks are known already.
  const joined = await Promise.all([bare.commitInfo(userTip), bare.commitInfo(acceptedTip)]);
  const author = { ...request.author, time: Math.max(...joined.map(({ committedAt }) => committedAt)) };
  const merge = { ...request, author, tip: acceptedTip, commit: userTip, message, evenIfEmpty: true };
  const result = await mergeCandidate(merge);
  return result.kind === 'merged' ? { kind: 'candidate', commit: result.commit, fastForward: false } : result;
}
