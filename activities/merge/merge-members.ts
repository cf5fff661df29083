import type { CandidatesRequest, CandidatesResult } from '../../core/activities.ts';
import { headAndTail } from '../../core/failures.ts';
import type { Evidence } from '../../core/evidence.ts';
import { unpackMembers } from '../../core/packed-train.ts';
import { memberKey, type TrainMember } from '../../core/train.ts';
import { findBase } from '../git/base-commit.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import { mergeCandidate, type MergeConflict, type MergeResult } from '../git/candidate.ts';
import type { ProjectHost } from '../project-host.ts';
import { MergeCommits } from './merge-commits.ts';

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
export async function makeCandidates(host: ProjectHost, request: CandidatesRequest): Promise<CandidatesResult> {
  const { repository, run, prefixes } = request;
  const { branch } = repository;
  const bare = await host.bare(repository);
  const user = await host.user(repository);
  const policy = () => new MergeCommits(host).policy(run);
  const base = await findBase({ bare, user, branch, policy });
  if ('kind' in base) {
    const reason = `your new commits on ${branch} conflict with accepted work that has not reached it: ${pathsOf(base)}`;
    return { kind: 'conflict', tip: bare.tip(branch) ?? '', reason, detail: detailOf(base) };
  }
  const members = unpackMembers(request.members);
  const { merged, conflicts, cut } = await mergeMembers(host, bare, base.commit, members);
  const left = new Set(conflicts.map(({ member }) => memberKey(member)));
  return {
    kind: 'merged',
    base: base.commit,
    tip: base.accepted,
    prefixes: prefixes.flatMap(({ id, size }) => {
      const asked = members.slice(0, size).filter((member) => !left.has(memberKey(member))).length;
      const reached = Math.min(asked, merged.length);
      return reached === 0 ? [] : [{ id, size: reached, commit: merged[reached - 1]?.commit ?? base.commit }];
    }),
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
  host: ProjectHost,
  bare: BareRepository,
  base: string,
  members: readonly TrainMember[],
): Promise<MergedMembers> {
  const commits = new MergeCommits(host);
  const done: MergedMembers = { merged: [], conflicts: [], cut: null };
  let tip = base;
  for (const member of members) {
    const merge = await mergeMember(commits, bare, tip, member);
    if (merge.kind === 'conflict') {
      const alone = tip === base ? merge : await mergeMember(commits, bare, base, member);
      if (alone.kind !== 'conflict') {
        done.cut = done.merged.length;
        break;
      }
      done.conflicts.push({ member, evidence: conflictEvidence(member, alone) });
      continue;
    }
    if (merge.kind === 'merged') tip = merge.commit;
    done.merged.push({ member, commit: tip });
  }
  return done;
}

/** Merges that were made before, by what was merged onto what: a candidate that lands is made once more. */
const known = new Map<string, MergeResult>();

/** How many of them are remembered. */
const KEPT = 2000;

async function mergeMember(
  commits: MergeCommits,
  bare: BareRepository,
  tip: string,
  member: TrainMember,
): Promise<MergeResult> {
  const key = [bare.gitDir, tip, member.commit, memberKey(member)].join(' ');
  const before = known.get(key);
  if (before !== undefined) return before;
  const merge = await mergeNow(commits, bare, tip, member);
  if (merge.kind === 'merged') known.set(key, merge);
  for (const oldest of known.keys()) {
    if (known.size <= KEPT) break;
    known.delete(oldest);
  }
  return merge;
}

async function mergeNow(
  commits: MergeCommits,
  bare: BareRepository,
  tip: string,
  member: TrainMember,
): Promise<MergeResult> {
  // Also what others have done already: the commit is how later runs know that the task is done.
  return await mergeCandidate({ bare, tip, commit: member.commit, ...(await commits.of(member)), evenIfEmpty: true });
}

function conflictEvidence({ attempt, commit }: TrainMember, merge: MergeConflict): Evidence {
  const summary = `it conflicts with what was merged since: ${pathsOf(merge)}`;
  return { kind: 'conflict', summary, detail: detailOf(merge), attempt, commit, tried: '', changes: '' };
}

function pathsOf({ files }: MergeConflict): string {
  const paths = files.map((file) => file.path);
  return paths.slice(0, 5).join(', ') + (paths.length > 5 ? ` and ${paths.length - 5} more` : '');
}

function detailOf({ files, hunks }: MergeConflict): string {
  return headAndTail([...files.map((file) => file.description), hunks].join('\n'), 16_000);
}
