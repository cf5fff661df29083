import type { FollowAnswer } from '../../core/remote.ts';
import { SignalboxError } from '../../core/failures.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import type { GitRemote } from './git-remote.ts';
import { trackingRef } from './push.ts';

/** What is fetched, and what must be in it. */
export interface Following {
  bare: BareRepository;
  git: GitRemote;
  /** The remote's name. */
  name: string;
  /** The integration branch. */
  branch: string;
  contains: string | null;
}

/**
 * Fetches the remote's integration branch, and tells where it stands beside the accepted tip. Nothing is accepted by that: what
 * is ahead is a candidate like any other, to be checked and accepted by a compare-and-swap from `tip`.
 */
export async function followRemote({ bare, git, name, branch, contains }: Following): Promise<FollowAnswer> {
  const ref = trackingRef(name, branch);
  const fetched = await git.fetch(branch, ref);
  if (fetched.outcome === 'refused') return fetched;
  const commit = bare.ref(ref);
  const tip = bare.tip(branch);
  if (commit === null || tip === null) throw new SignalboxError('internal', `branch ${branch} is not known yet`);
  if (contains !== null && !(await holds(bare, commit, contains))) {
    const reason = `${branch} on ${name} does not hold ${contains.slice(0, 10)}, which was merged into it`;
    const hint = `Look whether somebody took it out of ${branch} there.`;
    return { outcome: 'apart', commit, tip, reason, hint };
  }
  if (await bare.isAncestor(commit, tip)) return { outcome: 'same', tip };
  if (await bare.isAncestor(tip, commit)) return { outcome: 'ahead', commit, tip };
  const reason = `${branch} has commits that ${branch} on ${name} lacks, and the other way round`;
  const hint = `Merge ${name}/${branch} into ${branch} yourself ("git pull ${name} ${branch}"), and push it.`;
  return { outcome: 'apart', commit, tip, reason, hint };
}

/** Does a commit contain another, which may not even be here? */
async function holds(bare: BareRepository, commit: string, other: string): Promise<boolean> {
  const { exitCode } = await bare.git(['merge-base', '--is-ancestor', other, commit], {
    allowedExitCodes: [0, 1, 128],
  });
  return exitCode === 0;
}
