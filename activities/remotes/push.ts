import type { PushAnswer, RemoteRefusal } from '../../core/remote.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import { refused, type GitRemote } from './git-remote.ts';

/** What is to become the remote's branch of what name. */
export interface BranchPush {
  bare: BareRepository;
  git: GitRemote;
  /** The remote's name. */
  name: string;
  branch: string;
  commit: string;
}

/** The ref of our repository that tells where a remote's branch was when it was last seen. */
export function trackingRef(name: string, branch: string): string {
  return `refs/remotes/${name}/${branch}`;
}

/**
 * Makes a commit the remote's branch of a task. A commit that follows the one there is pushed as such; one that takes its place
 * (the next attempt, a candidate on a newer base) only if the one there is a commit that Signalbox made for this task.
 *
 * @param ours commits that were made for the task
 */
export async function pushTaskBranch(push: BranchPush, ours: ReadonlySet<string>): Promise<PushAnswer> {
  const { bare, name, branch, commit } = push;
  const seen = await remoteTip(push);
  if ('outcome' in seen) return seen;
  const { theirs } = seen;
  if (theirs === commit) return await done(push, 'already');
  const follows = theirs === null || (await contains(bare, commit, theirs));
  if (!follows && !ours.has(theirs) && bare.ref(trackingRef(name, branch)) !== theirs) {
    const refusal = refused(
      `somebody else pushed to ${branch} on ${name}: it holds ${theirs.slice(0, 10)}, which Signalbox did not make`,
      `Take what you need of it, then delete the branch ("git push ${name} --delete ${branch}").`,
      true,
    );
    return { ...refusal, foreign: true };
  }
  return await send(push, theirs, 'replace');
}

/** Brings a commit to a branch of the remote by fast-forward only. */
export async function pushForward(push: BranchPush): Promise<PushAnswer> {
  const { bare, commit } = push;
  const seen = await remoteTip(push);
  if ('outcome' in seen) return seen;
  const { theirs } = seen;
  if (theirs === commit) return await done(push, 'already');
  if (theirs !== null && !(await contains(bare, commit, theirs))) return movedOn(push, theirs);
  return await send(push, theirs, 'forward');
}

async function remoteTip({ git, branch }: BranchPush): Promise<{ theirs: string | null } | RemoteRefusal> {
  const ref = `refs/heads/${branch}`;
  const listed = await git.refs([ref]);
  return listed.outcome === 'refused' ? listed : { theirs: listed.refs.get(ref) ?? null };
}

async function send(push: BranchPush, theirs: string | null, how: 'forward' | 'replace'): Promise<PushAnswer> {
  const { git, branch, commit } = push;
  const sent = await git.push(branch, commit, theirs, how);
  if (sent.outcome === 'refused') {
    // The answer may have been lost, and the push not.
    const now = await remoteTip(push);
    return 'theirs' in now && now.theirs === commit ? await done(push, 'pushed') : sent;
  }
  if (sent.result.exitCode === 0) return await done(push, 'pushed');
  const now = await remoteTip(push);
  if ('theirs' in now && now.theirs === commit) return await done(push, 'pushed');
  if ('theirs' in now && now.theirs !== null && now.theirs !== theirs) return movedOn(push, now.theirs);
  const said = /^!\t[^\t]*\t(.*)$/m.exec(sent.result.stdout.toString('utf8'))?.[1] ?? sent.result.stderr;
  return refused(
    `${push.name} refused ${branch}: ${said.trim()}`,
    `Look at the rules of ${branch} on ${push.name}: is it protected against this account?`,
    false,
  );
}

function movedOn({ name, branch }: BranchPush, theirs: string): RemoteRefusal {
  return refused(
    `${branch} on ${name} is at ${theirs.slice(0, 10)}, which ${branch} here does not contain`,
    `Bring it over ("git pull ${name} ${branch}"): it is pushed at the next landing.`,
    true,
  );
}

async function done(push: BranchPush, outcome: 'pushed' | 'already'): Promise<PushAnswer> {
  const { bare, name, branch, commit } = push;
  const ref = trackingRef(name, branch);
  await bare.moveRef(ref, commit, bare.ref(ref));
  return { outcome, branch, commit };
}

/** Does our commit contain one of the remote's, which may not be here? */
async function contains(bare: BareRepository, commit: string, theirs: string): Promise<boolean> {
  const { exitCode } = await bare.git(['merge-base', '--is-ancestor', theirs, commit], {
    allowedExitCodes: [0, 1, 128],
  });
  return exitCode === 0;
}
