import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { land } from '../../../activities/git/landing.ts';
import { LandingJournal } from '../../../activities/git/landing-journal.ts';
import { processesCarrying } from '../../../activities/process-environments.ts';
import { kill } from '../../../activities/sandbox/processes.ts';
import { git, makeFixture, put, type Fixture } from './support.ts';

const PATIENCE = 300_000;
const FILES = 1000;

let fixture: Fixture;

beforeEach(async () => {
  fixture = await makeFixture(
    Object.fromEntries(Array.from({ length: FILES }, (_, n) => [`d${n % 40}/f${n}.txt`, `${n}\n`.repeat(50)])),
  );
});
afterEach(() => fixture.remove());

/** A third of the files change, a tenth go, some come, and a directory becomes a file and back. */
function nextCommit(parent: string, round: number): string {
  const { root, bare } = fixture;
  const clone = path.join(root, 'clone');
  if (!existsSync(clone)) git(root, 'clone', '-q', fixture.userDirectory, clone);
  git(clone, 'reset', '-q', '--hard', parent);
  for (const [at, name] of git(clone, 'ls-files').split('\n').entries()) {
    if ((at + round) % 3 === 0) put(clone, { [name]: `round ${round}\n`.repeat(40 + (at % 50)) });
    if ((at + round) % 10 === 0) rmSync(path.join(clone, name));
  }
  for (let n = 0; n < 150; n += 1) put(clone, { [`new${round}/${n}.txt`]: 'new\n'.repeat(n) });
  rmSync(path.join(clone, 'swap'), { recursive: true, force: true });
  put(clone, round % 2 === 0 ? { swap: 'a file\n' } : { 'swap/inside.txt': 'a directory\n' });
  git(clone, 'add', '-A');
  git(clone, 'commit', '-qm', `Round ${round}`);
  git(clone, 'push', '-q', '--force', bare.gitDir, 'HEAD:refs/test/next');
  return git(clone, 'rev-parse', 'HEAD');
}

/** Lands in a process of its own, which is killed, and all git with it, after a time. Says whether it was quicker. */
async function landAndKill(commit: string, after: number): Promise<boolean> {
  const script = path.join(import.meta.dirname, 'land-process.ts');
  const args = ['--disable-warning=ExperimentalWarning', script, fixture.bare.gitDir, fixture.userDirectory, commit];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const journal = new LandingJournal(fixture.bare, fixture.user.commonDir, 'main');
  const ended = once(child, 'exit');
  while (journal.read() === null && child.exitCode === null && child.signalCode === null) await sleep(1);
  const { id } = journal.read() ?? { id: 'none' };
  await sleep(after);
  kill(child.pid!);
  await ended;
  for (;;) {
    const alive = processesCarrying(`SIGNALBOX_LANDING=${id}`);
    if (alive.length === 0) break;
    alive.forEach(kill);
  }
  return journal.read() === null;
}

/** Lands what was killed; refs are taken for locked for some seconds, which are made to have passed. */
async function expectFinished(commit: string): Promise<void> {
  const { bare, user, userDirectory } = fixture;
  for (const lock of ['HEAD.lock', 'refs/heads/main.lock'].map((name) => path.join(userDirectory, '.git', name)))
    if (existsSync(lock)) utimesSync(lock, 1, 1);
  expect((await land({ bare, user, branch: 'main', commit })).outcome).toMatch(/landed|already/);
  expect(git(userDirectory, 'rev-parse', 'main')).toBe(commit);
  expect(git(userDirectory, 'status', '--porcelain', '-uall')).toBe('?? mine.txt');
  expect(git(userDirectory, 'diff', 'HEAD', '--stat')).toBe('');
  expect(readdirSync(path.join(userDirectory, '.git')).filter((name) => /lock|signalbox/.test(name))).toEqual([]);
}

test(
  'landings that are killed at any moment are finished by the next one',
  async () => {
    put(fixture.userDirectory, { 'mine.txt': 'mine\n' });
    let commit = nextCommit(fixture.base, 0);
    const begin = Date.now();
    await landAndKill(commit, 0);
    const outcomes: string[] = [];
    await expectFinished(commit);
    const whole = Math.min(1500, Date.now() - begin);
    for (let round = 1; round <= 8; round += 1) {
      commit = nextCommit(commit, round);
      const quicker = await landAndKill(commit, (whole * round) / 12);
      const moved = git(fixture.userDirectory, 'rev-parse', 'main') === commit;
      outcomes.push(quicker ? 'landed' : moved ? 'ref moved' : 'broke off');
      await expectFinished(commit);
    }
    expect(outcomes).toContain('broke off');
  },
  PATIENCE,
);

test(
  'landings that are killed while they write any of the files are finished by the next one',
  async () => {
    const { userDirectory, root } = fixture;
    put(userDirectory, { 'mine.txt': 'mine\n' });
    put(root, {
      // Kills the worker, and all of git's own session, when it is asked for the n-th file.
      'smudge.sh': `read n <'${root}/count'; echo $((n + 1)) >'${root}/count'; read at <'${root}/at'
if [ $n = $at ]; then kill -9 $(cat '${root}/worker'); kill -9 0; fi; cat`,
      '.gitattributes': '',
    });
    git(userDirectory, 'config', 'filter.killer.smudge', `sh '${root}/smudge.sh'`);
    git(userDirectory, 'config', 'filter.killer.clean', 'cat');
    let commit = fixture.base;
    for (const at of [0, 1, 2, 5]) {
      const files = Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`k${n}.bin`, `${at} ${n}\n`.repeat(n * 100)]));
      commit = fixture.commitFiles(commit, { '.gitattributes': '*.bin filter=killer\n', ...files });
      writeFileSync(path.join(root, 'count'), '0\n');
      writeFileSync(path.join(root, 'at'), `${at}\n`);
      chmodSync(path.join(root, 'smudge.sh'), 0o755);
      const script = path.join(import.meta.dirname, 'land-process.ts');
      const args = [script, fixture.bare.gitDir, userDirectory, commit];
      const child = spawn(process.execPath, args, { stdio: 'ignore' });
      writeFileSync(path.join(root, 'worker'), String(child.pid));
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
      expect(git(userDirectory, 'rev-parse', 'main')).not.toBe(commit);
      expect(statSync(path.join(userDirectory, '.git/index.lock')).isFile()).toBe(true);
      await expectFinished(commit);
    }
  },
  PATIENCE,
);
