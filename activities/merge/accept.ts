import type { AcceptRequest, AcceptResult, CandidatesResult } from '../../core/activities.ts';
import { mergeSettings } from '../../core/config.ts';
import { unpackMembers } from '../../core/packed-train.ts';
import { distinctRuns } from '../../core/train-queue.ts';
import { memberKey, type TrainMember } from '../../core/train.ts';
import { followUser } from '../git/base-commit.ts';
import { changedPaths } from '../git/diff.ts';
import type { ProjectHost } from '../project-host.ts';
import type { StepControl } from '../step-control.ts';
import { makeCandidates, mergeMembers, type MergedMembers, type Merging } from './merge-members.ts';
import { lanesOfPaths } from './ride.ts';

/** Accepts a green candidate. */
export async function accept(host: ProjectHost, input: AcceptRequest, control: StepControl): Promise<AcceptResult> {
  const members = unpackMembers(input.members);
  const place = { host, bare: await host.bare(input.repository), control };
  const moved = await moveTip(place, input, members);
  if (moved === null) return { outcome: 'moved' };
  const { commit, base, merges } = moved;
  const commits = Object.fromEntries(merges.map((one) => [memberKey(one.member), one.commit]));
  const next = await mergeNext(host, input, control);
  return { outcome: 'accepted', commit, base, commits, next };
}

/**
 * Merges what comes next, unless that may take its time: what was accepted is to land. Where it cannot be done, the train
 * asks for it by itself, and hears why.
 */
async function mergeNext(
  host: ProjectHost,
  { repository, next }: AcceptRequest,
  control: StepControl,
): Promise<CandidatesResult | null> {
  if (next === null) return null;
  try {
    for (const run of distinctRuns(unpackMembers(next.members).map((member) => member.run))) {
      const { config } = await host.manifests.manifest(run);
      const { signer = null } = await host.mergeCommits.policy(run);
      if (signer !== null || mergeSettings(config).drivers.some(({ command }) => command !== undefined)) return null;
    }
    return await makeCandidates(host, { repository, ...next }, control);
  } catch {
    return null;
  }
}

/** A tip that was moved. */
interface MovedTip {
  commit: string;
  /** The tip that it replaced, or what the members were merged onto, where that brought others' commits. */
  base: string;
  /** The members, if they were merged anew. */
  merges: MergedMembers['merged'];
}

/** Makes the candidate the accepted tip. @returns `null` if the tip was moved */
async function moveTip(
  { host, bare, control }: Merging,
  { repository, candidate, lane }: AcceptRequest,
  members: readonly TrainMember[],
): Promise<MovedTip | null> {
  const { branch } = repository;
  const { commit, base } = candidate;
  const now = bare.tip(branch);
  if (now !== null && now !== candidate.tip && (await bare.isAncestor(commit, now)))
    return { commit, base, merges: [] };
  const { accepted, theirs } = await followUser({ bare, user: await host.user(repository), branch });
  // The tip may have gone on with the user's branch; but what they took out of it must not come back.
  const fits =
    (await bare.isAncestor(candidate.tip, accepted)) &&
    (await bare.isAncestor(accepted, candidate.commit)) &&
    (await bare.isAncestor(theirs, candidate.commit));
  if (fits && !(await bare.moveTip(branch, commit, accepted))) return null;
  if (fits) return { commit, base: (await bare.isAncestor(base, accepted)) ? accepted : base, merges: [] };
  if (lane === null || !(await bare.isAncestor(theirs, accepted))) return null;
  const again = await mergeInLane({ host, bare, control }, { candidate, lane, accepted }, members);
  const last = again?.at(-1);
  if (again === null || last === undefined || !(await bare.moveTip(branch, last.commit, accepted))) return null;
  return { commit: last.commit, base: accepted, merges: again };
}

/**
 * Merges a lane's members onto a tip that moved only in paths of other lanes: what its checks depend on is then the very
 * same as when they passed. Of a path that is in no lane the project has not said so; a user's commit may hold some.
 * @returns `null` if it is not
 */
async function mergeInLane(
  place: Merging,
  { candidate, lane, accepted }: { candidate: AcceptRequest['candidate']; lane: string; accepted: string },
  members: readonly TrainMember[],
): Promise<MergedMembers['merged'] | null> {
  const { host, bare } = place;
  const [first] = members;
  if (first === undefined || !(await bare.isAncestor(candidate.base, accepted))) return null;
  const { config } = await host.manifests.manifest(first.run);
  const { merged, conflicts, cut } = await mergeMembers(place, accepted, members);
  const commit = merged.at(-1)?.commit;
  if (commit === undefined || conflicts.length > 0 || cut !== null) return null;
  const lanesOf = lanesOfPaths(config);
  const differs = await changedPaths(bare, candidate.commit, commit);
  const isElsewhere = ({ path }: { path: string }): boolean => {
    const its = lanesOf(path);
    return its.length > 0 && !its.includes(lane);
  };
  return differs.every(isElsewhere) ? merged : null;
}
