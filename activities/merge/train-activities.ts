import type { AttemptRef, CandidateRequest, CandidateResult, TrainActivities } from '../../core/activities.ts';
import { headAndTail, SignalboxError } from '../../core/failures.ts';
import type { RepositoryRef } from '../../core/run-ref.ts';
import type { LandingNews } from '../../core/train.ts';
import { checksOf } from '../attempt/task-checks.ts';
import { runChecks } from '../checks/run-checks.ts';
import { findBase, followUser } from '../git/base-commit.ts';
import { mergeCandidate, type MergeConflict } from '../git/candidate.ts';
import { land, publish } from '../git/landing.ts';
import type { ProjectHost } from '../project-host.ts';
import { attended, type StepControl } from '../step-control.ts';
import { MergeCommits } from './merge-commits.ts';

/** The train's activities on the repository's home host. */
export function createTrainActivities(host: ProjectHost): TrainActivities {
  return {
    candidate: (input) => attended(() => makeCandidate(host, input)),
    check: (input) => attended((control) => checkCandidate(host, input, control)),
    advance: (input) => attended(() => advance(host, input)),
    land: ({ repository }) => attended(() => landTip(host, repository)),
  };
}

async function makeCandidate(host: ProjectHost, { run, member }: CandidateRequest): Promise<CandidateResult> {
  const bare = await host.bare(run.repository);
  const commits = new MergeCommits(host);
  const attempt = member?.attempt ?? 0;
  const commit = member?.commit ?? null;
  const { branch } = run.repository;
  const policy = () => commits.policy(run);
  const base = await findBase({ bare, user: await host.user(run.repository), branch, policy });
  if ('kind' in base) return conflict(base, attempt, commit, `commits on ${branch} conflict with accepted work`);
  if (member === null) return accepted(base.commit, base.accepted);
  const merge = await mergeCandidate({
    bare,
    tip: base.commit,
    commit: member.commit,
    ...(await commits.of(member)),
    // Also what others have done already: the commit is how later runs know that the task is done.
    evenIfEmpty: true,
  });
  if (merge.kind === 'conflict') return conflict(merge, attempt, commit, `it conflicts with what was merged since`);
  return accepted(merge.kind === 'up_to_date' ? base.commit : merge.commit, base.accepted);
}

function accepted(commit: string, tip: string): CandidateResult {
  return { kind: 'merged', commit, tip };
}

function conflict(merge: MergeConflict, attempt: number, commit: string | null, what: string): CandidateResult {
  const files = merge.files.map((file) => file.path);
  const named = files.slice(0, 5).join(', ') + (files.length > 5 ? ` and ${files.length - 5} more` : '');
  const detail = [...merge.files.map((file) => file.description), merge.hunks].join('\n').slice(0, 16_000);
  const summary = `${what}: ${named}`;
  return { kind: 'conflict', evidence: { kind: 'conflict', summary, detail, attempt, commit, tried: '', changes: '' } };
}

/**
 * The candidate's name is in its steps' names: checks of the same commit are never run twice for one attempt. Where the
 * candidate's tree is the one that the task's verdict was about, and the commands are the same, they have passed already.
 */
async function checkCandidate(
  host: ProjectHost,
  input: Parameters<TrainActivities['check']>[0],
  control: StepControl,
): Promise<Awaited<ReturnType<TrainActivities['check']>>> {
  const { run, member, candidate } = input;
  const { manifest, task } = await anyTask(host, input);
  const attempt: AttemptRef = { run, task: task.manifest.id, attempt: member?.attempt ?? 0, execution: candidate };
  const checks = checksOf(manifest, task).integration;
  const { tree } = await (await host.bare(run.repository)).commitInfo(candidate);
  if (host.passed.has(run, tree, checks)) return { failure: null, commands: checks.length, durationMs: 0 };
  const label = `integration-${candidate.slice(0, 12)}`;
  const report = await runChecks({ host, manifest, task, attempt, commit: candidate, checks, label, control });
  if (report.failure === null) host.passed.add(run, tree, checks);
  return report;
}

async function anyTask(
  host: ProjectHost,
  { run, member }: CandidateRequest,
): ReturnType<ProjectHost['manifests']['task']> {
  if (member !== null) return await host.manifests.task(run, member.task);
  const manifest = await host.manifests.manifest(run);
  const [task] = manifest.tasks;
  if (task === undefined) throw new SignalboxError('internal', `run ${run.run} has no tasks`);
  return { manifest, task };
}

async function advance(
  host: ProjectHost,
  input: Parameters<TrainActivities['advance']>[0],
): ReturnType<TrainActivities['advance']> {
  const { run, candidate, tip } = input;
  const { branch } = run.repository;
  const bare = await host.bare(run.repository);
  const now = bare.tip(branch);
  const done = now !== null && now !== tip && (await bare.isAncestor(candidate, now));
  if (!done) {
    const { accepted, theirs } = await followUser({ bare, user: await host.user(run.repository), branch });
    // The tip may have gone on with the user's branch; but what they took out of it must not come back.
    const fits =
      (await bare.isAncestor(tip, accepted)) &&
      (await bare.isAncestor(accepted, candidate)) &&
      (await bare.isAncestor(theirs, candidate));
    if (!fits || !(await bare.moveTip(branch, candidate, accepted))) return { outcome: 'moved' };
  }
  // It is accepted, whatever becomes of it in the user's repository.
  const landing = await landTip(host, run.repository).catch((error: unknown) => ({
    tip: bare.tip(branch) ?? candidate,
    landed: false,
    reason: `the accepted work could not be brought to ${branch}: ${headAndTail(messageOf(error), 600)}`,
    hint: error instanceof SignalboxError ? (error.hint ?? null) : null,
    diverged: false,
  }));
  return { outcome: 'accepted', landing };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Lands the accepted tip; where the user's repository refuses it, shows it there as a remote-tracking branch. */
async function landTip(host: ProjectHost, repository: RepositoryRef): Promise<LandingNews> {
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
