import type { Identity } from '../../core/identity.ts';
import { isSameMerge, parseMergeMessage, type MergeStyle } from '../../core/merge-message.ts';
import type { BareRepository } from './bare-repository.ts';
import { patch } from './diff.ts';
import { taskHistory } from './merged-tasks.ts';
import { writeCommit } from './objects.ts';
import { writeSignedCommit, type Signer } from './signed-commit.ts';

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

/** Who our commits on the integration branch are by, and how they are signed. */
export interface CommitPolicy {
  author: Identity;
  /** By default the author. */
  committer?: Identity;
  /** Without it they are not signed. */
  signer?: Signer | null;
}

/** What is to be merged onto what. */
export interface MergeRequest extends CommitPolicy {
  bare: BareRepository;
  /** The first parent. */
  tip: string;
  /** The second parent; in the style `squash` only what it changed is taken. */
  commit: string;
  message: string;
  /** By default `merge`. */
  style?: MergeStyle;
  /** In bytes, of {@link MergeConflict.hunks}; by default 32 KiB. */
  hunksLimit?: number;
  /** Make a commit also where it changes no file, so that the history tells of `commit`. */
  evenIfEmpty?: boolean;
  signal?: AbortSignal;
}

/**
 * Merges a commit onto a tip without a work tree, always with a commit of its own; no ref moves. It is dated by what it
 * joins, so that the same request gives the same commit. No process when `commit` was made on that very tip, else one;
 * two more for a conflict, one for a look at what was squashed already, one for a signature.
 */
export async function mergeCandidate(request: MergeRequest): Promise<MergeResult> {
  const { bare, tip, commit, style = 'merge', evenIfEmpty = false } = request;
  if (commit === tip) return { kind: 'up_to_date' };
  const [ours, theirs] = await Promise.all([bare.commitInfo(tip), bare.commitInfo(commit)]);
  const direct = theirs.parents.includes(tip);
  // Its changes are on the tip and it is not: another merge would bring back what was changed or reverted since.
  if (style === 'squash' && !direct && (await isSquashed(request))) return { kind: 'up_to_date' };
  const merge = direct ? { tree: theirs.tree, conflict: null } : await mergeTree(request);
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
  const message = `Merge the user's commits on ${branch}`;
  const merge: MergeRequest = { ...request, tip: acceptedTip, commit: userTip, message, evenIfEmpty: true };
  const result = await mergeCandidate(merge);
  return result.kind === 'merged' ? { kind: 'candidate', commit: result.commit, fastForward: false } : result;
}
