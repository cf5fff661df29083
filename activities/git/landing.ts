import path from 'node:path';
import { CommandFailedError } from '../../core/failures.ts';
import type { BareRepository } from './bare-repository.ts';
import { finishLanding } from './finish-landing.ts';
import { programInCheckout } from './landing-programs.ts';
import { LandingJournal, landingsOf, standOf } from './landing-journal.ts';
import { COMPLAINT, hooksIn } from './push-to-checkout.ts';
import { readRef } from './refs.ts';
import { requireBranchName, type UserRepository } from './user-repository.ts';
import { fileInTheWay, indexLocked, operationUnderWay, workTreesOf, type Obstacle } from './worktrees.ts';

/** What became of {@link land}. Only `landed` changed anything. */
export type LandingResult =
  | { outcome: 'landed' }
  /** The user's branch contains the commit. */
  | { outcome: 'already' }
  /** The user's branch has commits that this one lacks: `theirs` is its tip. */
  | { outcome: 'diverged'; theirs: string }
  | ({ outcome: 'refused' } & Obstacle);

/** What is to reach which branch of the user's repository. */
export interface LandingRequest {
  bare: BareRepository;
  user: UserRepository;
  branch: string;
  commit: string;
  signal?: AbortSignal;
}

/**
 * The receiving side runs with the user's own configuration (their filters and line endings make their checkout), but
 * without hooks, monitor, automatic gc or commands that tell of others' refs, and does not go into submodules; git does not
 * hand our environment's settings to it. Their filters run only where {@link programInCheckout} knows them to be theirs.
 */
const RECEIVE_PACK = [
  'unset GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM GIT_ATTR_NOSYSTEM GIT_CONFIG_COUNT; exec git',
  '-c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 -c maintenance.auto=false -c receive.autogc=false',
  '-c core.alternateRefsCommand=true -c submodule.recurse=false',
  "-c receive.denyCurrentBranch=updateInstead -c safe.directory='*' receive-pack",
].join(' ');

/** With our own hook, which moves a checkout; see {@link hooksIn}. */
const RECEIVE_INTO_CHECKOUT = RECEIVE_PACK.replace('=/dev/null', '="$SIGNALBOX_HOOKS"');

/**
 * Fast-forwards the user's branch to a commit. Where the branch is checked out, ref, index and files move together or not
 * at all; a checkout that is not clean, or has a file in the way, refuses, and nothing of it changes. What an earlier
 * landing left half done, because it was killed, is finished first.
 */
export async function land(request: LandingRequest): Promise<LandingResult> {
  const { user, branch, commit } = request;
  requireBranchName(branch);
  const program = await programInCheckout(request);
  if (program !== null) return { outcome: 'refused', ...program };
  const unfinished = await finishLanding(request);
  if (unfinished !== null) return { outcome: 'refused', ...unfinished };
  const theirs = readRef(user.commonDir, `refs/heads/${branch}`);
  if (theirs === commit) return { outcome: 'already' };
  if (theirs === null)
    return {
      outcome: 'refused',
      reason: `branch ${branch} is gone from ${user.commonDir}`,
      hint: `Create it again, at refs/remotes/signalbox/${branch} or wherever it should be.`,
    };
  const relation = await relate(request, theirs);
  if (relation !== 'behind') return relation === 'contains' ? { outcome: 'already' } : { outcome: 'diverged', theirs };
  const obstacle = await findObstacle(request, theirs);
  if (obstacle !== null) return { outcome: 'refused', ...obstacle };
  return push(request, theirs);
}

/** Where the user's tip stands; one that we have not seen yet is fetched. */
async function relate(
  { bare, user, branch, commit }: LandingRequest,
  theirs: string,
): Promise<'behind' | 'contains' | 'diverged'> {
  if (bare.isNearAncestor(theirs, commit)) return 'behind';
  if (bare.ref(`refs/user/heads/${branch}`) !== theirs && bare.tip(branch) !== theirs)
    await bare.importBranch(user, branch);
  if (await bare.isAncestor(theirs, commit)) return 'behind';
  return (await bare.isAncestor(commit, theirs)) ? 'contains' : 'diverged';
}

async function findObstacle({ bare, user, branch, commit }: LandingRequest, theirs: string): Promise<Obstacle | null> {
  const trees = workTreesOf(user, branch);
  if (trees.length === 0) return null;
  for (const tree of trees) {
    const obstacle = operationUnderWay(tree) ?? indexLocked(tree);
    if (obstacle !== null) return obstacle;
  }
  const [first, second] = trees;
  if (second !== undefined)
    return {
      reason: `${branch} is checked out twice, in ${String(first?.topLevel)} and in ${String(second.topLevel)}`,
      hint: 'Take one of them to another branch: git can move only one with it.',
    };
  // Git itself would write over an ignored file.
  const { stdout } = await bare.git(['diff-tree', '-r', '-z', '--no-renames', '--name-status', theirs, commit]);
  const fields = stdout.toString('latin1').split('\0');
  const paths = (status: string): string[] => fields.filter((_, at) => at % 2 === 1 && fields[at - 1] === status);
  const added = paths('A');
  const deleted = new Set(paths('D'));
  return trees.reduce<Obstacle | null>((found, tree) => found ?? fileInTheWay(tree, added, deleted), null);
}

async function push({ bare, user, branch, commit, signal }: LandingRequest, theirs: string): Promise<LandingResult> {
  const ref = `refs/heads/${branch}`;
  const lease = `--force-with-lease=${ref}:${theirs}`;
  const flags = [
    '--porcelain',
    '--no-verify',
    '--no-follow-tags',
    '--recurse-submodules=no',
    `--receive-pack=${RECEIVE_INTO_CHECKOUT}`,
  ];
  const [tree] = workTreesOf(user, branch);
  const journal = new LandingJournal(bare, user.commonDir, branch);
  const landing = journal.begin({ branch, from: theirs, to: commit, gitDir: tree?.gitDir ?? null });
  const env = {
    SIGNALBOX_LANDING: landing.id,
    SIGNALBOX_LANDING_DIRECTORY: journal.directory,
    SIGNALBOX_WORK_TREE: tree?.topLevel ?? '',
    SIGNALBOX_HOOKS: hooksIn(path.join(landingsOf(bare), 'hooks')),
  };
  try {
    const abort = signal === undefined ? {} : { signal };
    const where = ['--', user.commonDir, `${commit}:${ref}`];
    await bare.git(['push', ...flags, lease, ...where], { env, ownSession: true, ...abort });
    journal.end(landing);
    return { outcome: 'landed' };
  } catch (error) {
    if (!(error instanceof CommandFailedError)) throw error;
    const { said, untouched } = refusal(error);
    // Where git failed in the middle of the files, they go back; where it was killed, they go on.
    if (untouched) journal.end(landing);
    const stuck = await finishLanding({ bare, user, branch, goal: said === null ? 'to' : 'from' });
    if (stuck !== null) return { outcome: 'refused', ...stuck };
    if (standOf(landing, user.commonDir) === 'to') return { outcome: 'landed' };
    const now = readRef(user.commonDir, ref);
    if (now !== null && now !== theirs) return { outcome: 'diverged', theirs: now };
    if (said === null) throw error;
    return { outcome: 'refused', ...explain(said, user, branch) };
  }
}

/** Why the receiving side refused, in our hook's words or in git's; `untouched` if that is certain for the checkout. */
function refusal({ facts: { stdout, stderr } }: CommandFailedError): { said: string | null; untouched: boolean } {
  const ours = new RegExp(`^(?:remote: )?${COMPLAINT}(.*?) *$`, 'm').exec(stderr)?.[1];
  const gits = /^!\t[^\t]*\t(?:\[[^\]]*\] )?\(?(.*?)\)?$/m.exec(stdout)?.[1];
  if (ours === undefined) return { said: gits ?? null, untouched: false };
  const [, detail] = /^(?:remote: )?(?:error|fatal): (.*?) *$/m.exec(stderr) ?? [];
  return { said: detail === undefined ? ours : `${ours}: ${detail}`, untouched: !ours.startsWith('Could not') };
}

function explain(said: string, user: UserRepository, branch: string): Obstacle {
  const [tree] = workTreesOf(user, branch);
  const where = tree?.topLevel ?? user.commonDir;
  const locked = tree === undefined ? null : indexLocked(tree);
  if (locked !== null) return locked;
  if (said.startsWith('Could not'))
    return {
      reason: `the checkout of ${branch} in ${where} could not follow, and is as it was (${said})`,
      hint: 'Mend that there; the work itself is kept.',
    };
  if (/unstaged|staged|Up-to-date check|Working directory|working tree/i.test(said))
    return {
      reason: `the checkout of ${branch} in ${where} is not clean (${said})`,
      hint: `Commit or stash the changes there ("git -C ${where} status" names them).`,
    };
  return {
    reason: `${user.commonDir} refused the push: ${said}`,
    hint: 'Look into that repository; the work itself is kept.',
  };
}

/**
 * Shows an accepted tip in the user's repository as `refs/remotes/signalbox/<branch>`, so that they can look at it, merge
 * it or reset to it whatever holds their own branch back. No process when it is there already.
 */
export async function publish({ bare, user, branch, commit, signal }: LandingRequest): Promise<void> {
  requireBranchName(branch);
  const ref = `refs/remotes/signalbox/${branch}`;
  if (readRef(user.commonDir, ref) === commit) return;
  const flags = [
    '--quiet',
    '--no-verify',
    '--no-follow-tags',
    '--recurse-submodules=no',
    `--receive-pack=${RECEIVE_PACK}`,
  ];
  await bare.git(['push', ...flags, '--', user.commonDir, `+${commit}:${ref}`], signal === undefined ? {} : { signal });
}
