import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { headAndTail, SignalboxError } from '../../core/failures.ts';
import { processesCarrying } from '../process-environments.ts';
import { isSameProcess, processStartTime } from '../process-identity.ts';
import { codeOf, unlessMissing } from '../system-errors.ts';
import type { BareRepository } from './bare-repository.ts';
import { completeMove, userGit, type HalfMoved } from './complete-move.ts';
import { LandingJournal, standOf, type Landing } from './landing-journal.ts';
import { lockMarker } from './push-to-checkout.ts';
import type { UserRepository } from './user-repository.ts';
import { indexLocked, operationUnderWay, workTreesOf, type Obstacle } from './worktrees.ts';

/** How long the processes of an earlier landing may go on before we give up for this time, in milliseconds. */
const PATIENCE = 30_000;

/** A ref is locked for a moment; a lock that is older belongs to a process that died. In milliseconds. */
const STALE = 10_000;

/**
 * Ends what a landing began that was killed half-way. Files, index and ref go on to where it was bound for, if nothing
 * but the landing touched them; where that fails, back to where they were. What the user did meanwhile is never
 * touched: then the checkout stays as it is, and the reason is returned.
 *
 * @returns `null` when there is nothing, or nothing any more, to finish
 */
export async function finishLanding(request: {
  bare: BareRepository;
  user: UserRepository;
  branch: string;
  goal?: 'from' | 'to';
}): Promise<Obstacle | null> {
  const { bare, user, branch, goal = 'to' } = request;
  const journal = new LandingJournal(bare, user.commonDir, branch);
  const landing = journal.read();
  if (landing === null) return null;
  const busy = {
    reason: `an earlier landing on ${branch} still works in ${user.commonDir}`,
    hint: 'It is waited for; if it hangs, look for a filter of yours that does.',
  };
  if (!(await theEndOf(landing)) || !claim(journal.directory)) return busy;
  try {
    const obstacle = await settle(bare, user, landing, journal, goal);
    if (obstacle === null) journal.end(landing);
    return obstacle;
  } finally {
    rmSync(path.join(journal.directory, 'finisher'), { force: true });
  }
}

async function theEndOf({ id }: Landing): Promise<boolean> {
  const deadline = Date.now() + PATIENCE;
  while (processesCarrying(`SIGNALBOX_LANDING=${id}`).length > 0) {
    if (Date.now() > deadline) return false;
    await sleep(50);
  }
  return true;
}

/** Only one process finishes a landing at a time, also where one was thought dead and wakes up. */
function claim(directory: string): boolean {
  const file = path.join(directory, 'finisher');
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      writeFileSync(file, `${process.pid} ${processStartTime(process.pid) ?? ''}`, { flag: 'wx' });
      return true;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      const [pid = '', ...started] = (unlessMissing(() => readFileSync(file, 'utf8')) ?? '').split(' ');
      if (isSameProcess(Number(pid), started.join(' '))) return false;
      rmSync(file, { force: true });
    }
  }
  return false;
}

async function settle(
  bare: BareRepository,
  user: UserRepository,
  landing: Landing,
  journal: LandingJournal,
  goal: 'from' | 'to',
): Promise<Obstacle | null> {
  const stand = standOf(landing, user.commonDir);
  const tree = workTreesOf(user, landing.branch).find(({ gitDir }) => gitDir === landing.gitDir);
  const gitDirs = [user.commonDir, ...(landing.gitDir === null ? [] : [landing.gitDir])];
  for (const gitDir of gitDirs) rmSync(path.join(gitDir, 'index.signalbox'), { force: true });
  const refLocked = clearRefLocks(user, landing, gitDirs);
  if (refLocked !== null) return refLocked;
  // Somebody else moved the branch, or took the work tree to another one: they saw what was there and decided.
  if (stand !== 'from' || tree === undefined || tree.topLevel === null) {
    for (const gitDir of gitDirs) unlockIndex(gitDir, landing);
    return null;
  }
  const half: HalfMoved = { bare, landing, gitDir: tree.gitDir, topLevel: tree.topLevel, directory: journal.directory };
  removeScratch(journal.directory);
  const locked = lockIndex(half);
  if (locked !== null) return locked;
  try {
    const obstacle = operationUnderWay(tree);
    if (obstacle !== null) return obstacle;
    return (await objectsArrived(half)) ? await moveOn(half, goal) : null;
  } finally {
    unlockIndex(tree.gitDir, landing);
  }
}

/** Objects come before anything else: where they are not complete, nothing was changed. */
async function objectsArrived(half: HalfMoved): Promise<boolean> {
  const { from, to } = half.landing;
  const flags = ['--objects', '--quiet', to, `^${from}`];
  const { exitCode } = await userGit(half).run(['rev-list', ...flags], { allowedExitCodes: [0, 128] });
  return exitCode === 0;
}

async function moveOn(half: HalfMoved, goal: 'from' | 'to'): Promise<Obstacle | null> {
  const { branch, from, to } = half.landing;
  try {
    const moved = await completeMove(half, goal);
    if (typeof moved === 'object') return moved;
    if (moved === 'unmoved' || goal === 'from') return null;
    await userGit(half).run(['update-ref', '-m', 'push', `refs/heads/${branch}`, to, from]);
    return null;
  } catch (error) {
    if (!(error instanceof SignalboxError)) throw error;
    const reason = `a landing on ${branch} broke off in ${half.topLevel}, and cannot be finished: ${headAndTail(error.message, 400)}`;
    const hint = `Mend that; or run "git -C ${half.topLevel} reset --hard" if nothing of yours is there.`;
    // What fails on the way there may be fine where it came from.
    if (goal === 'to') await completeMove(half, 'from').catch(() => undefined);
    return { reason, hint };
  }
}

/** Locks the index in the landing's name, or finds it locked so: nobody else works on it then. */
function lockIndex({ gitDir, topLevel, landing }: HalfMoved): Obstacle | null {
  const lock = path.join(gitDir, 'index.lock');
  if (isOurs(lock, landing)) return null;
  const mark = `${path.join(gitDir, 'index')}.signalbox`;
  writeFileSync(mark, lockMarker(landing.id));
  try {
    linkSync(mark, lock);
    return null;
  } catch (error) {
    // A file system may know no hard links.
    if (codeOf(error) !== 'EEXIST' && !existsSync(lock)) copyFileSync(mark, lock, constants.COPYFILE_EXCL);
    return isOurs(lock, landing) ? null : indexLocked({ gitDir, topLevel });
  } finally {
    rmSync(mark, { force: true });
  }
}

function unlockIndex(gitDir: string, landing: Landing): void {
  const lock = path.join(gitDir, 'index.lock');
  if (isOurs(lock, landing)) rmSync(lock);
}

function isOurs(lock: string, landing: Landing): boolean {
  return unlessMissing(() => readFileSync(lock, 'latin1')) === lockMarker(landing.id);
}

/** Removes the locks that a killed receive-pack left on the branch and on the `HEAD` that follows it. */
function clearRefLocks(user: UserRepository, { branch, to }: Landing, gitDirs: readonly string[]): Obstacle | null {
  const locks = [path.join(user.commonDir, `refs/heads/${branch}`), ...gitDirs.map((dir) => path.join(dir, 'HEAD'))];
  for (const lock of locks.map((file) => `${file}.lock`)) {
    const text = unlessMissing(() => readFileSync(lock, 'latin1'));
    if (text === null) continue;
    const stale = Date.now() - statSync(lock).mtimeMs > STALE && ['', `${to}\n`].includes(text);
    if (!stale)
      return { reason: `${lock} locks a ref`, hint: 'Let the git command that runs there end, or remove it.' };
    rmSync(lock, { force: true });
  }
  return null;
}

function removeScratch(directory: string): void {
  for (const name of readdirSync(directory))
    if (name.startsWith('scratch-')) rmSync(path.join(directory, name), { recursive: true, force: true });
}
