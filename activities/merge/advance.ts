import type { TrainActivities } from '../../core/activities.ts';
import { headAndTail, SignalboxError } from '../../core/failures.ts';
import { matchesGlob } from '../../core/globs.ts';
import { unpackMembers } from '../../core/packed-train.ts';
import type { RepositoryRef } from '../../core/run-ref.ts';
import { memberKey, type LandingNews, type TrainMember } from '../../core/train.ts';
import { followUser } from '../git/base-commit.ts';
import { changedPaths } from '../git/diff.ts';
import { land, publish } from '../git/landing.ts';
import type { ProjectHost } from '../project-host.ts';
import type { StepControl } from '../step-control.ts';
import { mergeMembers } from './merge-members.ts';

type AdvanceInput = Parameters<TrainActivities['advance']>[0];

/** Accepts a green candidate, and lands it. */
export async function advance(
  host: ProjectHost,
  input: AdvanceInput,
  control: StepControl,
): ReturnType<TrainActivities['advance']> {
  const { repository } = input;
  const { branch } = repository;
  const members = unpackMembers(input.members);
  const bare = await host.bare(repository);
  const place = { host, bare, control };
  const accepted = await accept(place, input, members);
  if (accepted === null) return { outcome: 'moved' };
  const { commit } = accepted;
  // They are the same commits as before; made again only where another process had made them.
  const { merged } = await mergeMembers(place, accepted.base, members);
  const commits = Object.fromEntries(merged.map((one) => [memberKey(one.member), one.commit]));
  // It is accepted, whatever becomes of it in the user's repository.
  const landing = await landTip(host, repository).catch((error: unknown) => ({
    tip: bare.tip(branch) ?? commit,
    landed: false,
    reason: `the accepted work could not be brought to ${branch}: ${headAndTail(messageOf(error), 600)}`,
    hint: error instanceof SignalboxError ? (error.hint ?? null) : null,
    diverged: false,
  }));
  return { outcome: 'accepted', commit, commits, landing };
}

/** Where it is done. */
type Place = Parameters<typeof mergeMembers>[0];

/** Makes the candidate the accepted tip. @returns what the tip is now and was built on, or `null` if it was moved */
async function accept(
  { host, bare, control }: Place,
  { repository, candidate, lane }: AdvanceInput,
  members: readonly TrainMember[],
): Promise<{ commit: string; base: string } | null> {
  const { branch } = repository;
  const { commit, base } = candidate;
  const now = bare.tip(branch);
  if (now !== null && now !== candidate.tip && (await bare.isAncestor(commit, now))) return { commit, base };
  const { accepted, theirs } = await followUser({ bare, user: await host.user(repository), branch });
  // The tip may have gone on with the user's branch; but what they took out of it must not come back.
  const fits =
    (await bare.isAncestor(candidate.tip, accepted)) &&
    (await bare.isAncestor(accepted, candidate.commit)) &&
    (await bare.isAncestor(theirs, candidate.commit));
  if (fits) return (await bare.moveTip(branch, commit, accepted)) ? { commit, base } : null;
  if (lane === null || !(await bare.isAncestor(theirs, accepted))) return null;
  const again = await mergeInLane({ host, bare, control }, { candidate, lane, accepted }, members);
  return again !== null && (await bare.moveTip(branch, again, accepted)) ? { commit: again, base: accepted } : null;
}

/**
 * Merges a lane's members onto a tip that moved only outside of the lane's paths: what its checks depend on is then the
 * very same as when they passed. @returns `null` if it is not
 */
async function mergeInLane(
  place: Place,
  { candidate, lane, accepted }: { candidate: AdvanceInput['candidate']; lane: string; accepted: string },
  members: readonly TrainMember[],
): Promise<string | null> {
  const { host, bare } = place;
  const [first] = members;
  if (first === undefined || !(await bare.isAncestor(candidate.base, accepted))) return null;
  const { config } = await host.manifests.manifest(first.run);
  const paths = config.train.lanes.find(({ name }) => name === lane)?.paths ?? ['**'];
  const { merged, conflicts, cut } = await mergeMembers(place, accepted, members);
  const commit = merged.at(-1)?.commit;
  if (commit === undefined || conflicts.length > 0 || cut !== null) return null;
  const options = { ignoreCase: config.repository.ignore_case ?? false, cache: new Map() };
  const differs = await changedPaths(bare, candidate.commit, commit);
  return differs.some(({ path }) => paths.some((glob) => matchesGlob(glob, path, options))) ? null : commit;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Lands the accepted tip; where the user's repository refuses it, shows it there as a remote-tracking branch. */
export async function landTip(host: ProjectHost, repository: RepositoryRef): Promise<LandingNews> {
  const { branch } = repository;
  const bare = await host.bare(repository);
  const user = await host.user(repository);
  const commit = bare.tip(branch);
  if (commit === null) throw new SignalboxError('internal', `branch ${branch} has no accepted tip`);
  const request = { bare, user, branch, commit };
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
