import { headAndTail, SignalboxError } from '../../core/failures.ts';
import type { RepositoryRef } from '../../core/run-ref.ts';
import type { LandingNews } from '../../core/train.ts';
import { land, publish } from '../git/landing.ts';
import type { ProjectHost } from '../project-host.ts';

/**
 * Lands the accepted tip; where the user's repository refuses it, shows it there as a remote-tracking branch. Whatever
 * becomes of it there, the tip is accepted: what goes wrong is news, no failure.
 */
export async function landTip(host: ProjectHost, repository: RepositoryRef): Promise<LandingNews> {
  const { branch } = repository;
  const tip = (await host.bare(repository)).tip(branch);
  if (tip === null) throw new SignalboxError('internal', `branch ${branch} has no accepted tip`);
  try {
    return await landCommit(host, repository, tip);
  } catch (error) {
    const why = headAndTail(error instanceof Error ? error.message : String(error), 600);
    const hint = error instanceof SignalboxError ? (error.hint ?? null) : null;
    const reason = `the accepted work could not be brought to ${branch}: ${why}`;
    return { tip, landed: false, reason, hint, diverged: false };
  }
}

async function landCommit(host: ProjectHost, repository: RepositoryRef, commit: string): Promise<LandingNews> {
  const { branch } = repository;
  const bare = await host.bare(repository);
  const request = { bare, user: await host.user(repository), branch, commit };
  const result = await land(request);
  if (result.outcome === 'landed' || result.outcome === 'already') {
    // The user's branch is known to be there: the next import need not look.
    if (result.outcome === 'landed')
      await bare.moveRef(`refs/user/heads/${branch}`, commit, bare.ref(`refs/user/heads/${branch}`));
    return { tip: commit, landed: true, reason: null, hint: null, diverged: false };
  }
  await publish(request);
  if (result.outcome === 'refused') {
    return { tip: commit, landed: false, reason: result.reason, hint: result.hint, diverged: false };
  }
  const reason = `${branch} has commits that are not part of the accepted work yet`;
  return { tip: commit, landed: false, reason, hint: 'they are joined and checked next', diverged: true };
}
