import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { joinUserBranch } from '../../../activities/git/candidate.ts';
import { land, publish } from '../../../activities/git/landing.ts';
import { inspectUserRepository } from '../../../activities/git/inspect-user-repository.ts';
import { careless } from './canaries.ts';
import { author, digest, git, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;
let commit: string;

beforeEach(async () => {
  fixture = await makeFixture({ 'README.md': 'hello\n', 'src/a.txt': 'a\n', '.gitignore': '*.log\n' });
  commit = fixture.commitFiles(fixture.base, { 'src/a.txt': 'changed\n', 'new/file.txt': 'new\n', 'out.txt': 'x\n' });
});
afterEach(() => fixture.remove());

function landing(to = commit): ReturnType<typeof land> {
  return land({ bare: fixture.bare, user: fixture.user, branch: 'main', commit: to });
}

/** Lands and expects a refusal that changed no byte of the user's files, index and refs. Objects may have arrived. */
async function expectRefusal(reason: RegExp, to = commit): Promise<void> {
  git(fixture.userDirectory, 'status');
  const before = digest(fixture.userDirectory, '.git/objects');
  const result = await landing(to);
  if (result.outcome !== 'refused') throw new Error(result.outcome);
  expect(result.reason).toMatch(reason);
  expect(result.hint).not.toBe('');
  expect(git(fixture.userDirectory, 'rev-parse', 'main')).toBe(fixture.base);
  expect(digest(fixture.userDirectory, '.git/objects')).toBe(before);
}

describe('landing on a checkout of the branch', () => {
  test('a clean one follows, with index and files', async () => {
    expect(await landing()).toEqual({ outcome: 'landed' });
    expect(git(fixture.userDirectory, 'rev-parse', 'HEAD')).toBe(commit);
    expect(git(fixture.userDirectory, 'status', '--porcelain')).toBe('');
    expect(readFileSync(path.join(fixture.userDirectory, 'new/file.txt'), 'utf8')).toBe('new\n');
    expect(git(fixture.userDirectory, 'fsck', '--strict')).toBe('');
    expect(await landing()).toEqual({ outcome: 'already' });
  });

  test('one with unrelated untracked files follows and keeps them', async () => {
    put(fixture.userDirectory, { 'notes.txt': 'mine\n' });
    expect(await landing()).toEqual({ outcome: 'landed' });
    expect(git(fixture.userDirectory, 'status', '--porcelain')).toBe('?? notes.txt');
  });

  test('a changed file refuses, also one that the commit does not touch', async () => {
    put(fixture.userDirectory, { 'README.md': 'my own words\n' });
    await expectRefusal(/not clean/);
  });

  test('a staged change refuses', async () => {
    put(fixture.userDirectory, { 'src/b.txt': 'b\n' });
    git(fixture.userDirectory, 'add', 'src/b.txt');
    await expectRefusal(/not clean/);
  });

  test('an index.lock refuses', async () => {
    writeFileSync(path.join(fixture.userDirectory, '.git', 'index.lock'), '');
    await expectRefusal(/index of .* is locked/);
  });

  test('an untracked file in the way refuses', async () => {
    put(fixture.userDirectory, { 'new/file.txt': 'precious\n' });
    await expectRefusal(/new\/file\.txt .* in the way/);
  });

  test('an untracked file where a directory must be refuses', async () => {
    put(fixture.userDirectory, { new: 'precious\n' });
    await expectRefusal(/new in .* in the way/);
  });

  test("a tracked file that becomes a directory, and the other way round, is in nobody's way", async () => {
    const clone = path.join(fixture.root, 'swap');
    git(fixture.root, 'clone', '-q', fixture.userDirectory, clone);
    git(clone, 'rm', '-rq', 'README.md', 'src');
    put(clone, { 'README.md/inner.txt': 'x\n', src: 'a file\n' });
    git(clone, 'add', '-A');
    git(clone, 'commit', '-qm', 'Swap');
    git(clone, 'push', '-q', fixture.bare.gitDir, 'HEAD:refs/test/swap');
    const swap = git(clone, 'rev-parse', 'HEAD');
    put(fixture.userDirectory, { 'src/trace.log': 'precious\n' });
    await expectRefusal(/src\/trace\.log .* in the way/, swap);
    rmSync(path.join(fixture.userDirectory, 'src/trace.log'));
    expect(await landing(swap)).toEqual({ outcome: 'landed' });
    expect(git(fixture.userDirectory, 'status', '--porcelain')).toBe('');
  });

  test('an ignored file in the way refuses', async () => {
    put(fixture.userDirectory, { 'trace.log': 'precious\n' });
    await expectRefusal(/trace\.log .* in the way/, forced({ 'trace.log': 'theirs\n' }));
  });

  test.each([
    ['rebase', /rebase is under way/],
    ['merge', /merge is under way/],
    ['cherry-pick', /cherry-pick is under way/],
    ['bisect', /bisect is under way/],
  ])('a %s under way refuses', async (operation, reason) => {
    const directory = fixture.userDirectory;
    git(directory, 'checkout', '-q', '-b', 'other');
    put(directory, { 'src/a.txt': 'other\n' });
    git(directory, 'commit', '-qam', 'Other');
    git(directory, 'checkout', '-q', 'main');
    put(directory, { 'src/a.txt': 'mine\n' });
    git(directory, 'commit', '-qam', 'Mine');
    const mine = git(directory, 'rev-parse', 'main');
    await fixture.bare.importBranch(fixture.user, 'main');
    const next = fixture.commitFiles(mine, { 'src/a.txt': 'next\n' });
    if (operation === 'bisect') git(directory, 'bisect', 'start');
    else expect(() => git(directory, operation, 'other')).toThrow();
    const before = digest(directory);
    const result = await landing(next);
    expect(result.outcome === 'refused' && result.reason).toMatch(reason);
    expect(digest(directory)).toBe(before);
  });

  test('a linked worktree that has the branch is what must be clean', async () => {
    const linked = path.join(fixture.root, 'linked');
    git(fixture.userDirectory, 'checkout', '-q', '-b', 'elsewhere');
    git(fixture.userDirectory, 'worktree', 'add', '-q', linked, 'main');
    put(linked, { 'README.md': 'dirty\n' });
    expect(await landing()).toMatchObject({ outcome: 'refused' });
    expect(readFileSync(path.join(linked, 'README.md'), 'utf8')).toBe('dirty\n');
    put(linked, { 'README.md': 'hello\n' });
    expect(await landing()).toEqual({ outcome: 'landed' });
    expect(git(linked, 'status', '--porcelain')).toBe('');
    expect(git(linked, 'rev-parse', 'HEAD')).toBe(commit);
    expect(git(fixture.userDirectory, 'status', '--porcelain')).toBe('');
  });

  test('hooks, the monitor and receive settings of the repository are not run and do not matter', async () => {
    const canary = path.join(fixture.root, 'ran');
    for (const hook of [
      'pre-receive',
      'update',
      'post-receive',
      'push-to-checkout',
      'reference-transaction',
      'post-index-change',
    ]) {
      const file = path.join(fixture.userDirectory, '.git', 'hooks', hook);
      put(path.dirname(file), { [hook]: `#!/bin/sh\necho ${hook} >> '${canary}'\nexit 1\n` });
      chmodSync(file, 0o755);
    }
    git(fixture.userDirectory, 'config', 'core.fsmonitor', `touch '${canary}'; false`);
    git(fixture.userDirectory, 'config', 'receive.denyCurrentBranch', 'refuse');
    expect(await landing()).toEqual({ outcome: 'landed' });
    expect(existsSync(canary)).toBe(false);
    careless(fixture.userDirectory, ['commit', '-q', '--allow-empty', '-m', 'Mine']);
    expect(readFileSync(canary, 'utf8')).toMatch(/^reference-transaction$/m);
  });
});

/** A commit on the base that holds files which `.gitignore` would keep out. */
function forced(files: Record<string, string>): string {
  const first = fixture.commitFiles(fixture.base, { '.gitignore': '', ...files });
  return fixture.commitFiles(first, { '.gitignore': '*.log\n' });
}

describe('landing elsewhere', () => {
  test('a checkout of another branch keeps its files, even dirty ones; only the ref moves', async () => {
    git(fixture.userDirectory, 'checkout', '-q', '-b', 'feature');
    put(fixture.userDirectory, { 'README.md': 'dirty\n' });
    const index = readFileSync(path.join(fixture.userDirectory, '.git', 'index'));
    expect(await landing()).toEqual({ outcome: 'landed' });
    expect(git(fixture.userDirectory, 'rev-parse', 'main')).toBe(commit);
    expect(git(fixture.userDirectory, 'rev-parse', 'HEAD')).toBe(fixture.base);
    expect(readFileSync(path.join(fixture.userDirectory, 'README.md'), 'utf8')).toBe('dirty\n');
    expect(readFileSync(path.join(fixture.userDirectory, '.git', 'index'))).toEqual(index);
  });

  test('a bare repository of the user moves its ref', async () => {
    const directory = path.join(fixture.root, 'user.git');
    git(fixture.root, 'clone', '-q', '--bare', fixture.userDirectory, directory);
    const user = await inspectUserRepository(directory);
    expect(await land({ bare: fixture.bare, user, branch: 'main', commit })).toEqual({ outcome: 'landed' });
    expect(git(directory, 'rev-parse', 'main')).toBe(commit);
  });

  test('a branch that the user deleted is not made again', async () => {
    git(fixture.userDirectory, 'checkout', '-q', '--detach');
    git(fixture.userDirectory, 'branch', '-qD', 'main');
    expect(await landing()).toMatchObject({ outcome: 'refused' });
    expect(git(fixture.userDirectory, 'branch', '--list', 'main')).toBe('');
  });

  test('a detached checkout at the tip stays where it is', async () => {
    git(fixture.userDirectory, 'checkout', '-q', '--detach');
    expect(await landing()).toEqual({ outcome: 'landed' });
    expect(git(fixture.userDirectory, 'rev-parse', 'HEAD')).toBe(fixture.base);
    expect(git(fixture.userDirectory, 'status', '--porcelain')).toBe('');
  });
});

describe('when the user committed meanwhile', () => {
  test('it is diverged, and a candidate with both lands', async () => {
    put(fixture.userDirectory, { 'README.md': 'by the user\n' });
    git(fixture.userDirectory, 'commit', '-qam', 'Own work');
    const own = git(fixture.userDirectory, 'rev-parse', 'main');
    expect(await landing()).toEqual({ outcome: 'diverged', theirs: own });
    expect(git(fixture.userDirectory, 'rev-parse', 'main')).toBe(own);

    const { bare } = fixture;
    const joined = await joinUserBranch({ bare, branch: 'main', userTip: own, acceptedTip: commit, author });
    if (joined.kind !== 'candidate') throw new Error(joined.kind);
    expect(joined.fastForward).toBe(false);
    expect(await landing(joined.commit)).toEqual({ outcome: 'landed' });
    expect(readFileSync(path.join(fixture.userDirectory, 'README.md'), 'utf8')).toBe('by the user\n');
    expect(readFileSync(path.join(fixture.userDirectory, 'src/a.txt'), 'utf8')).toBe('changed\n');
  });

  test('commits on top of what was landed count as landed, and join by fast-forward', async () => {
    expect(await landing()).toEqual({ outcome: 'landed' });
    put(fixture.userDirectory, { 'README.md': 'by the user\n' });
    git(fixture.userDirectory, 'commit', '-qam', 'Own work');
    const own = git(fixture.userDirectory, 'rev-parse', 'main');
    expect(await landing()).toEqual({ outcome: 'already' });
    const { bare } = fixture;
    expect(await joinUserBranch({ bare, branch: 'main', userTip: own, acceptedTip: commit, author })).toEqual({
      kind: 'candidate',
      commit: own,
      fastForward: true,
    });
    expect(await joinUserBranch({ bare, branch: 'main', userTip: fixture.base, acceptedTip: commit, author })).toEqual({
      kind: 'up_to_date',
    });
  });

  test('a conflict with their commits is described', async () => {
    put(fixture.userDirectory, { 'src/a.txt': 'by the user\n' });
    git(fixture.userDirectory, 'commit', '-qam', 'Own work');
    const userTip = await fixture.bare.importBranch(fixture.user, 'main');
    const joined = await joinUserBranch({ bare: fixture.bare, branch: 'main', userTip, acceptedTip: commit, author });
    expect(joined).toMatchObject({ kind: 'conflict', files: [{ path: 'src/a.txt' }] });
  });
});

test('publishing shows the accepted tip as a remote branch, moves it back and forth, and touches nothing else', async () => {
  const { bare, user, userDirectory } = fixture;
  put(userDirectory, { 'README.md': 'dirty\n' });
  await publish({ bare, user, branch: 'main', commit });
  expect(git(userDirectory, 'rev-parse', 'refs/remotes/signalbox/main')).toBe(commit);
  await publish({ bare, user, branch: 'main', commit: fixture.base });
  expect(git(userDirectory, 'rev-parse', 'refs/remotes/signalbox/main')).toBe(fixture.base);
  expect(git(userDirectory, 'rev-parse', 'main')).toBe(fixture.base);
  expect(git(userDirectory, 'status', '--porcelain')).toBe('M README.md'.padStart(12));
  rmSync(path.join(userDirectory, 'README.md'));
});
