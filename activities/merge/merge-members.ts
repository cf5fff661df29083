import type { CandidatesRequest, CandidatesResult } from '../../core/activities.ts';
import type { Evidence } from '../../core/evidence.ts';
import { conflictEvidence } from '../../core/merge-conflict.ts';
import { unpackMembers } from '../../core/packed-train.ts';
import { memberKey, type TrainMember } from '../../core/train.ts';
import { findBase } from '../git/base-commit.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import { mergeCandidate, type MergeResult } from '../git/candidate.ts';
import type { ProjectHost } from '../project-host.ts';
import type { StepControl } from '../step-control.ts';
import { memberMergeOptions } from './driver-steps.ts';

/** Members merged one after the other. */
export interface MergedMembers {
  /** Those that are in it, in order, each with the commit that merged it. */
  merged: { member: TrainMember; commit: string }[];
  /** Those that cannot be merged onto the base even alone. */
  conflicts: { member: TrainMember; evidence: Evidence }[];
  /** The member after so many of `merged` conflicts with one before it: nothing behind it is merged. */
  cut: number | null;
}

/** Merges members onto the accepted tip, with what the user committed meanwhile, and answers with the prefixes asked for. */
export async function makeCandidates(
  host: ProjectHost,
  request: CandidatesRequest,
  control: StepControl,
): Promise<CandidatesResult> {
  const { repository, run, prefixes } = request;
  const { branch } = repository;
  const bare = await host.bare(repository);
  const user = await host.user(repository);
  const policy = () => host.mergeCommits.policy(run);
  const base = await findBase({ bare, user, branch, policy });
  if ('kind' in base) {
    const what = `your new commits on ${branch} conflict with accepted work that has not reached it`;
    const { summary, detail } = conflictEvidence(base, { what, attempt: 0, commit: null });
    return { kind: 'conflict', tip: bare.tip(branch) ?? '', reason: summary, detail };
  }
  const members = unpackMembers(request.members);
  const { merged, conflicts, cut } = await mergeMembers({ host, bare, control }, base.commit, members);
  const left = new Set(conflicts.map(({ member }) => memberKey(member)));
  return {
    kind: 'merged',
    base: base.commit,
    tip: base.accepted,
    prefixes: prefixes.flatMap(({ id, size }) => {
      const asked = members.slice(0, size).filter((member) => !left.has(memberKey(member))).length;
      const reached = Math.min(asked, merged.length);
      return reached === 0 ? [] : [{ id, size: reached }];
    }),
    commits: merged.map(({ commit }) => commit),
    cut,
    conflicts: conflicts.map(({ member: { run, task, attempt }, evidence }) => ({
      member: { run, task, attempt },
      evidence,
    })),
  };
}

/**
 * Merges members onto a base, one after the other. The same members on the same base give the same commits. One that
 * conflicts with the base alone is left out; at one that conflicts only with a member before it, the merging ends: that
 * one may yet turn out to be red.
 */
export async function mergeMembers(
  merging: Merging,
  base: string,
  members: readonly TrainMember[],
): Promise<MergedMembers> {
  const done: MergedMembers = { merged: [], conflicts: [], cut: null };
  let tip = base;
  for (const member of members) {
    const merge = await mergeMember(merging, tip, member);
    if (merge.kind === 'conflict') {
      const alone = tip === base ? merge : await mergeMember(merging, base, member);
      if (alone.kind !== 'conflict') {
        done.cut = done.merged.length;
        break;
      }
      done.conflicts.push({ member, evidence: conflictEvidence(alone, aboutMember(member)) });
      continue;
    }
    if (merge.kind === 'merged') tip = merge.commit;
    done.merged.push({ member, commit: tip });
  }
  return done;
}

/** What merging members takes. */
export interface Merging {
  host: ProjectHost;
  bare: BareRepository;
  control: StepControl;
}

async function mergeMember(merging: Merging, tip: string, member: TrainMember): Promise<MergeResult> {
  const key = [merging.bare.gitDir, tip, member.commit, memberKey(member)].join(' ');
  const { merges } = merging.host;
  const before = merges.get(key);
  if (before !== undefined) return before;
  const merge = await mergeNow(merging, tip, member);
  if (merge.kind === 'merged') merges.set(key, merge);
  return merge;
}

async function mergeNow({ host, bare, control }: Merging, tip: string, member: TrainMember): Promise<MergeResult> {
  const { run, commit } = member;
  const how = await memberMergeOptions({ host, run, member, control });
  // Also what others have done already: the commit is how later runs know that the task is done.
  return await mergeCandidate({
    bare,
    tip,
    commit,
    ...(await host.mergeCommits.of(member)),
    ...how,
    evenIfEmpty: true,
  });
}

function aboutMember({ attempt, commit }: TrainMember): Parameters<typeof conflictEvidence>[1] {
  return { what: 'it conflicts with what was merged since', attempt, commit };
}
