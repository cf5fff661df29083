import { SignalboxError } from '../../core/failures.ts';
import type { BareRepository } from './bare-repository.ts';
import { joinUserBranch, type CommitPolicy, type MergeConflict } from './candidate.ts';
import type { UserRepository } from './user-repository.ts';

/** Where new work starts, and what a landing has to replace. */
export interface BaseCommit {
  /** The accepted tip as the bare repository has it: the old value of the next compare-and-swap. */
  accepted: string;
  /** What candidates are merged onto: the accepted tip with what the user committed meanwhile. */
  commit: string;
}

/**
 * Finds the base for new work. While all accepted work has landed, the user's branch is the accepted tip, whatever they
 * did to it: what they took out on purpose does not come back. Otherwise their new commits join what has not landed yet.
 *
 * @param policy of the commit that joins them; asked for only where the two are not the same
 * @returns a conflict if the user's new commits and accepted work that has not landed yet cannot be merged
 */
export async function findBase(request: {
  bare: BareRepository;
  user: UserRepository;
  branch: string;
  policy: () => Promise<CommitPolicy>;
}): Promise<BaseCommit | MergeConflict> {
  const { bare, branch, policy } = request;
  const { accepted, theirs } = await followUser(request);
  if (accepted === theirs) return { accepted, commit: theirs };
  const join = await joinUserBranch({ bare, branch, userTip: theirs, acceptedTip: accepted, ...(await policy()) });
  if (join.kind === 'conflict') return join;
  return { accepted, commit: join.kind === 'up_to_date' ? accepted : join.commit };
}

/**
 * Imports the user's branch. Where all accepted work had landed, the accepted tip goes with it: whoever imports the
 * branch in any other way loses the knowledge that it had, and what the user took out would come back.
 */
export async function followUser(request: {
  bare: BareRepository;
  user: UserRepository;
  branch: string;
}): Promise<{ accepted: string; theirs: string }> {
  const { bare, user, branch } = request;
  const seenBefore = bare.ref(`refs/user/heads/${branch}`);
  const theirs = await bare.importBranch(user, branch);
  const accepted = bare.tip(branch);
  if (accepted === null) throw new SignalboxError('internal', `branch ${branch} has no accepted tip after its import`);
  if (accepted === theirs || seenBefore === null || !(await bare.isAncestor(accepted, seenBefore)))
    return { accepted, theirs };
  // What is on their branch is theirs to decide; a train that is about to move the tip notices by its old value.
  await bare.moveTip(branch, theirs, accepted);
  return { accepted: theirs, theirs };
}
