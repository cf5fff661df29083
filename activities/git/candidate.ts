import type { MergeConflict } from '../../core/merge-conflict.ts';
import { USER_JOIN } from '../../core/other-work.ts';
import { mergeTrees, type TreeMerge } from './merge-trees.ts';
import { writeCommit, type Signature } from './objects.ts';

export type { MergeConflict };

/** What became of {@link mergeCandidate}. */
export type MergeResult =
  | { kind: 'merged'; commit: string; tree: string }
  /** The tip has all of it already. */
  | { kind: 'up_to_date' }
  | MergeConflict;

/** What is to be merged onto what: `tip` becomes the first parent, `commit` the second. */
export interface MergeRequest extends TreeMerge {
  message: string;
  author: Signature;
  /** By default the author. */
  committer?: Signature;
  /** Make a merge commit also where it changes no file, so that the result contains `commit`. */
  evenIfEmpty?: boolean;
}

/**
 * Merges a commit onto a tip without a work tree, always with a merge commit; no ref moves. The same request gives the
 * same commit. No process when the commit was made on that very tip, else one; a few more for a conflict.
 */
export async function mergeCandidate(request: MergeRequest): Promise<MergeResult> {
  const { bare, tip, commit } = request;
  if (commit === tip) return { kind: 'up_to_date' };
  const [ours, theirs] = await Promise.all([bare.commitInfo(tip), bare.commitInfo(commit)]);
  const direct = theirs.parents.includes(tip);
  const merge = await mergeTrees(request, { ours: ours.tree, theirs: theirs.tree, direct });
  if (merge.conflict !== null) return merge.conflict;
  if (merge.tree === ours.tree && !direct) {
    if (request.evenIfEmpty !== true || (await bare.isAncestor(commit, tip))) return { kind: 'up_to_date' };
  } else if (merge.tree === ours.tree && request.evenIfEmpty !== true) return { kind: 'up_to_date' };
  const { author, committer = author, message } = request;
  const merged = writeCommit(bare.gitDir, { tree: merge.tree, parents: [tip, commit], message, author, committer });
  return { kind: 'merged', commit: merged, tree: merge.tree };
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
  const message = `${USER_JOIN}${branch}`;
  // Dated by what it joins: made again it is the same commit, whose checks are known already.
  const joined = await Promise.all([bare.commitInfo(userTip), bare.commitInfo(acceptedTip)]);
  const author = { ...request.author, time: Math.max(...joined.map(({ committedAt }) => committedAt)) };
  const sides = { ours: 'the accepted work', theirs: `the commits on ${branch}` };
  const merge = { sides, ...request, author, tip: acceptedTip, commit: userTip, message, evenIfEmpty: true };
  const result = await mergeCandidate(merge);
  return result.kind === 'merged' ? { kind: 'candidate', commit: result.commit, fastForward: false } : result;
}
