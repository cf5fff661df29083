import type { Identity } from '../../core/identity.ts';
import type { MergeConflict } from '../../core/merge-conflict.ts';
import { isSameMerge, parseMergeMessage, type MergeStyle } from '../../core/merge-message.ts';
import { USER_JOIN } from '../../core/other-work.ts';
import { mergeTrees, type TreeMerge } from './merge-trees.ts';
import { taskHistory } from './merged-tasks.ts';
import { writeCommit } from './objects.ts';
import { writeSignedCommit, type Signer } from './signed-commit.ts';

export type { MergeConflict };

/** What became of {@link mergeCandidate}. */
export type MergeResult =
  | { kind: 'merged'; commit: string; tree: string }
  /** The tip has all of it already. */
  | { kind: 'up_to_date' }
  | MergeConflict;

/** Who our commits on the integration branch are by, and how they are signed. */
export interface CommitPolicy {
  author: Identity;
  /** By default the author. */
  committer?: Identity;
  /** Without it they are not signed. */
  signer?: Signer | null;
}

/**
 * What is to be merged onto what: `tip` becomes the first parent, `commit` the second; in the style `squash` only what it
 * changed is taken.
 */
export interface MergeRequest extends TreeMerge, CommitPolicy {
  message: string;
  /** By default `merge`. */
  style?: MergeStyle;
  /** Make a commit also where it changes no file, so that the history tells of `commit`. */
  evenIfEmpty?: boolean;
}

/**
 * Merges a commit onto a tip without a work tree, always with a commit of its own; no ref moves. It is dated by what it
 * joins, so that the same request gives the same commit. No process for a clean merge; a few for a conflict, one for a look
 * at what was squashed already, one for a signature.
 */
export async function mergeCandidate(request: MergeRequest): Promise<MergeResult> {
  const { bare, tip, commit, style = 'merge', evenIfEmpty = false } = request;
  if (commit === tip) return { kind: 'up_to_date' };
  const [ours, theirs] = await Promise.all([bare.commitInfo(tip), bare.commitInfo(commit)]);
  const direct = theirs.parents.includes(tip);
  // Its changes are on the tip and it is not: another merge would bring back what was changed or reverted since.
  if (style === 'squash' && !direct && (await isSquashed(request))) return { kind: 'up_to_date' };
  const merge = await mergeTrees(request, { ours: ours.tree, theirs: theirs.tree, direct });
  if (merge.conflict !== null) return merge.conflict;
  if (merge.tree === ours.tree && !direct) {
    if (!evenIfEmpty || (await bare.isAncestor(commit, tip))) return { kind: 'up_to_date' };
  } else if (merge.tree === ours.tree && !evenIfEmpty) return { kind: 'up_to_date' };
  const { author, committer = author, message, signer = null } = request;
  const time = Math.max(ours.committedAt, theirs.committedAt);
  const draft = {
    tree: merge.tree,
    parents: style === 'squash' ? [tip] : [tip, commit],
    message,
    author: { ...author, time },
    committer: { ...committer, time },
  };
  const merged =
    signer === null ? writeCommit(bare.gitDir, draft) : await writeSignedCommit(bare, draft, signer, request.signal);
  return { kind: 'merged', commit: merged, tree: merge.tree };
}

/** Does the tip's history tell of this very attempt already? */
async function isSquashed({ bare, tip, commit, message }: MergeRequest): Promise<boolean> {
  const note = parseMergeMessage(message);
  if (note === null) return false;
  const { merges } = await taskHistory(bare.gitDir, tip, commit);
  return merges.some((merge) => isSameMerge(merge, note));
}

/** What became of {@link joinUserBranch}. */
export type JoinResult =
  /** The user added nothing that the accepted tip lacks. */
  | { kind: 'up_to_date' }
  /** A commit that contains both tips; the user's own where it already contains the accepted one. */
  | { kind: 'candidate'; commit: string; fastForward: boolean }
  | MergeConflict;

/** Brings commits that the user made meanwhile together with the accepted tip: always by a merge. Moves no ref. */
export async function joinUserBranch(
  request: Omit<MergeRequest, 'tip' | 'commit' | 'message' | 'evenIfEmpty' | 'style'> & {
    branch: string;
    userTip: string;
    acceptedTip: string;
  },
): Promise<JoinResult> {
  const { bare, branch, userTip, acceptedTip } = request;
  if (await bare.isAncestor(userTip, acceptedTip)) return { kind: 'up_to_date' };
  if (await bare.isAncestor(acceptedTip, userTip)) return { kind: 'candidate', commit: userTip, fastForward: true };
  const message = `${USER_JOIN}${branch}`;
  const sides = { ours: 'the accepted work', theirs: `the commits on ${branch}` };
  const merge: MergeRequest = { sides, ...request, tip: acceptedTip, commit: userTip, message, evenIfEmpty: true };
  const result = await mergeCandidate(merge);
  return result.kind === 'merged' ? { kind: 'candidate', commit: result.commit, fastForward: false } : result;
}
