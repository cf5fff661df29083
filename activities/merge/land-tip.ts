import { headAndTail, SignalboxError } from '../../core/failures.ts';
import type { RepositoryRef } from '../../core/run-ref.ts';
import type { LandingNews } from '../../core/train.ts';
import { followUser } from '../git/base-commit.ts';
import { land, publish, type LandingRequest } from '../git/landing.ts';
import type { ProjectHost } from '../project-host.ts';

/**
 * Lands the accepted tip; where the user's repository refuses it, shows it there as a remote-tracking branch. Whatever
 * becomes of it there, the tip is accepted: what goes wrong is news, no failure.
 */
export async function landTip(host: ProjectHost, repository: RepositoryRef): Promise<LandingNews> {
  const { branch } = repository;
  const [bare, user] = [await host.bare(repository), await host.user(repository)];
  let tip = bare.tip(branch) ?? '';
  try {
    // Where all of it had landed already, and the user took some of it out since, that does not come back.
    tip = (await followUser({ bare, user, branch })).accepted;
    return await landCommit({ bare, user, branch, commit: tip });
  } catch (error) {
    const why = headAndTail(error instanceof Error ? error.message : String(error), 600);
    const hint = error instanceof SignalboxError ? (error.hint ?? null) : null;
    const reason = `the accepted work could not be brought to ${branch}: ${why}`;
    return { tip, landed: false, reason, hint, diverged: false };
  }
}

async function landCommit(request: LandingRequest): Promise<LandingNews> {
  const { bare, branch, commit } = request;
  const seen = bare.ref(`refs/user/heads/${branch}`);
  const result = await land(request);
  if (result.outcome === 'landed' || result.outcome === 'already') {
    // The user's branch is known to be there: the next import need not look.
    if (result.outcome === 'landed') await bare.moveRef(`refs/user/heads/${branch}`, commit, seen);
    return { tip: commit, landed: true, reason: null, hint: null, diverged: false };
  }
  await publish(request);
  if (result.outcome === 'refused') {
    return { tip: commit, landed: false, reason: result.reason, hint: result.hint, diverged: false };
  }
  const reason = `${branch} has commits that are not part of the accepted work yet`;
  return { tip: commit, landed: false, reason, hint: 'they are joined and checked next', diverged: true };
}
