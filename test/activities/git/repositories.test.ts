import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BareRepository } from '../../../activities/git/bare-repository.ts';
import { CheckoutPool } from '../../../activities/git/checkout-pool.ts';
import { inspectUserRepository } from '../../../activities/git/inspect-user-repository.ts';
import {
  branchTip,
  normaliseRemoteUrl,
  repositoryIdentity,
  requireBranchName,
} from '../../../activities/git/user-repository.ts';
import { createWorkspace, removeWorkspace } from '../../../activities/git/workspace.ts';
import { git, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;

beforeEach(async () => {
  fixture = await makeFixture({ 'README.md': 'hello\n', 'src/a.txt': 'a\n', 'run.sh': '#!/bin/sh\n' });
});
afterEach(() => fixture.remove());

describe('inspecting the user repository', () => {
  test('tells its directories, branch and remotes, from a directory below too', async () => {
    const { userDirectory } = fixture;
    git(userDirectory, 'remote', 'add', 'origin', 'https://me:secret@example.org/team/project.git');
    expect(await inspectUserRepository(path.join(userDirectory, 'src'))).toEqual({
      gitDir: path.join(userDirectory, '.git'),
      commonDir: path.join(userDirectory, '.git'),
      topLevel: userDirectory,
      mainTree: userDirectory,
      bare: false,
      head: 'main',
      objectFormat: 'sha1',
      shallow: false,
      partial: false,
      grafted: false,
      refStorage: 'files',
      ignoreCase: false,
      remotes: { origin: 'https://me:secret@example.org/team/project.git' },
    });
  });

  test('says whether git takes names that differ only in case for one file', async () => {
    git(fixture.userDirectory, 'config', 'core.ignorecase', 'true');
    expect(await inspectUserRepository(fixture.userDirectory)).toMatchObject({ ignoreCase: true });
  });

  test('knows linked worktrees and bare repositories', async () => {
    const linked = path.join(fixture.root, 'linked');
    git(fixture.userDirectory, 'worktree', 'add', '-q', '-b', 'side', linked);
    const side = await inspectUserRepository(linked);
    expect(side).toMatchObject({ topLevel: linked, head: 'side', commonDir: path.join(fixture.userDirectory, '.git') });
    expect(branchTip(side, 'main')).toBe(fixture.base);
    git(fixture.root, 'init', '-q', '--bare', 'other.git');
    expect(await inspectUserRepository(path.join(fixture.root, 'other.git'))).toMatchObject({
      bare: true,
      topLevel: null,
    });
  });

  test.each([
    ['a directory without a repository', 'empty', /not in a git repository/],
    ['no directory', 'missing', /does not exist/],
  ])('%s is an environment error with a hint', async (_, name, message) => {
    mkdirSync(path.join(fixture.root, 'empty'));
    const failure = inspectUserRepository(path.join(fixture.root, name));
    await expect(failure).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(message) as unknown,
    });
  });

  test('a branch that is missing, unborn or named like an option has its own error', async () => {
    git(fixture.root, 'init', '-q', '-b', 'trunk', 'unborn');
    const unborn = await inspectUserRepository(path.join(fixture.root, 'unborn'));
    expect(() => branchTip(unborn, 'trunk')).toThrow('branch trunk has no commit yet');
    expect(() => branchTip(fixture.user, 'nope')).toThrow(/there is no branch nope/);
    expect(() => branchTip(fixture.user, '--upload-pack=touch x')).toThrow(/like an option/);
    expect(() => branchTip(fixture.user, '../../config')).toThrow(/no branch name/);
  });

  test('finds a branch that is packed, and one that was moved since', () => {
    git(fixture.userDirectory, 'branch', 'deep/er');
    git(fixture.userDirectory, 'pack-refs', '--all');
    expect(branchTip(fixture.user, 'deep/er')).toBe(fixture.base);
    put(fixture.userDirectory, { 'x.txt': 'x' });
    git(fixture.userDirectory, 'add', '-A');
    git(fixture.userDirectory, 'commit', '-qm', 'x');
    expect(branchTip(fixture.user, 'main')).toBe(git(fixture.userDirectory, 'rev-parse', 'HEAD'));
  });

  test('shallow clones, partial clones and other object formats are refused with a reason', async () => {
    put(fixture.userDirectory, { 'x.txt': 'x' });
    git(fixture.userDirectory, 'add', '-A');
    git(fixture.userDirectory, 'commit', '-qm', 'x');
    git(fixture.root, 'clone', '-q', '--depth=1', `file://${fixture.userDirectory}`, 'shallow');
    git(fixture.userDirectory, 'config', 'uploadpack.allowFilter', 'true');
    git(fixture.root, 'clone', '-q', '--filter=blob:none', `file://${fixture.userDirectory}`, 'partial');
    git(fixture.root, 'init', '-q', '-b', 'main', '--object-format=sha256', 'sha256');
    git(path.join(fixture.root, 'sha256'), 'commit', '-q', '--allow-empty', '-m', 'x');
    for (const [name, message] of [
      ['shallow', /shallow clone/],
      ['partial', /partial clone/],
      ['sha256', /sha256 object ids/],
    ] as const) {
      const user = await inspectUserRepository(path.join(fixture.root, name));
      const failure = fixture.bare.importBranch(user, 'main');
      await expect(failure).rejects.toMatchObject({
        code: 'environment',
        message: expect.stringMatching(message) as unknown,
      });
    }
  });
});

describe('branch names', () => {
  test('what we allow, git allows', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 12 }), fc.stringMatching(/^[a-z@{}./~^:-]{1,8}$/)), (name) => {
        try {
          requireBranchName(name);
        } catch {
          return;
        }
        expect(() => git(fixture.root, 'check-ref-format', '--branch', name)).not.toThrow();
      }),
      { numRuns: 60 },
    );
  });
});

describe('the identity of a repository', () => {
  test('depends on the remote alone, however it is written', () => {
    const spellings = [
      'https://example.org/team/project.git',
      'https://me:token@example.org/team/project',
      'ssh://git@EXAMPLE.org:22/team/project.git/',
      'git@example.org:team/project.git',
    ];
    expect(new Set(spellings.map(normaliseRemoteUrl))).toEqual(new Set(['example.org/team/project']));
    const commonDir = fixture.user.commonDir;
    const ids = spellings.map((remoteUrl, n) => repositoryIdentity({ hostId: `host-${n}`, commonDir, remoteUrl }));
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{16}$/);
  });

  test('without a remote depends on the host and the real place', () => {
    const { commonDir } = fixture.user;
    const link = path.join(fixture.root, 'link');
    symlinkSync(fixture.userDirectory, link);
    const at = (hostId: string, directory: string): string =>
      repositoryIdentity({ hostId, commonDir: directory, remoteUrl: null });
    expect(at('one', path.join(link, '.git'))).toBe(at('one', commonDir));
    expect(at('two', commonDir)).not.toBe(at('one', commonDir));
  });
});

describe('the bare repository', () => {
  test('can be opened by several at once, and holds nothing but its own configuration', async () => {
    const gitDir = path.join(fixture.root, 'many', 'repository.git');
    const all = await Promise.all(Array.from({ length: 8 }, () => BareRepository.open(gitDir)));
    expect(git(all[0]!.gitDir, 'rev-parse', '--is-bare-repository')).toBe('true');
    expect(readdirSync(path.dirname(gitDir))).toEqual(['repository.git']);
    expect(existsSync(path.join(gitDir, 'hooks'))).toBe(false);
  });

  test('imports what the user committed, and forced moves of their branch', async () => {
    put(fixture.userDirectory, { 'x.txt': 'x' });
    git(fixture.userDirectory, 'add', '-A');
    git(fixture.userDirectory, 'commit', '-qm', 'x');
    const tip = git(fixture.userDirectory, 'rev-parse', 'HEAD');
    expect(await fixture.bare.importBranch(fixture.user, 'main')).toBe(tip);
    expect(fixture.bare.tip('main')).toBe(fixture.base);
    git(fixture.userDirectory, 'reset', '-q', '--hard', fixture.base);
    expect(await fixture.bare.importBranch(fixture.user, 'main')).toBe(fixture.base);
  });

  test('imports a new commit for many who ask at once, in this process and in others', async () => {
    put(fixture.userDirectory, { 'x.txt': 'x' });
    git(fixture.userDirectory, 'add', '-A');
    git(fixture.userDirectory, 'commit', '-qm', 'x');
    const tip = git(fixture.userDirectory, 'rev-parse', 'HEAD');
    const others = await Promise.all(Array.from({ length: 3 }, () => BareRepository.open(fixture.bare.gitDir)));
    const all = [fixture.bare, fixture.bare, ...others, ...others];
    expect(new Set(await Promise.all(all.map((bare) => bare.importBranch(fixture.user, 'main'))))).toEqual(
      new Set([tip]),
    );
  });

  test('keeps what it imported when the user rewrites and prunes', async () => {
    put(fixture.userDirectory, { 'x.txt': 'x' });
    git(fixture.userDirectory, 'add', '-A');
    git(fixture.userDirectory, 'commit', '-qm', 'x');
    const tip = await fixture.bare.importBranch(fixture.user, 'main');
    git(fixture.userDirectory, 'reset', '-q', '--hard', fixture.base);
    git(fixture.userDirectory, 'reflog', 'expire', '--expire=now', '--all');
    git(fixture.userDirectory, 'gc', '-q', '--prune=now');
    expect(git(fixture.bare.gitDir, 'cat-file', '-t', tip)).toBe('commit');
  });

  test('moves a tip by compare-and-swap: of many movers with one old value, one wins', async () => {
    const commits = [1, 2, 3, 4].map((n) => fixture.commitFiles(fixture.base, { 'n.txt': String(n) }));
    const moved = await Promise.all(commits.map((commit) => fixture.bare.moveTip('main', commit, fixture.base)));
    expect(moved.filter(Boolean)).toHaveLength(1);
    const winner = commits[moved.indexOf(true)]!;
    expect(fixture.bare.tip('main')).toBe(winner);
    expect(await fixture.bare.moveTip('main', winner, fixture.base)).toBe(true);
    expect(await fixture.bare.moveTip('main', fixture.base, null)).toBe(false);
    expect(existsSync(path.join(fixture.bare.gitDir, 'logs'))).toBe(false);
  });

  test('moves refs again after a refusal, and creates one only where none is', async () => {
    const { bare, base } = fixture;
    const other = fixture.commitFiles(base, { 'n.txt': 'n' });
    expect(await bare.moveRef('refs/signalbox/r/t/1', other, null)).toBe(true);
    expect(await bare.moveRef('refs/signalbox/r/t/1', base, null)).toBe(false);
    expect(await bare.moveRef('refs/signalbox/r/t/2', base, null)).toBe(true);
    expect(await bare.moveRef('refs/signalbox/r/t/1', base, other)).toBe(true);
    await expect(bare.moveRef('refs/signalbox/r/t/1/below', base, null)).rejects.toMatchObject({
      code: 'command_failed',
    });
    await expect(bare.moveRef('refs/signalbox/r/t/3', '1'.repeat(40), null)).rejects.toMatchObject({
      code: 'command_failed',
    });
  });

  test('lists refs and finds the highest attempt, loose or packed', async () => {
    const { bare, base } = fixture;
    for (const name of ['r/T-1/1', 'r/T-1/2', 'r/T-1/10', 'r/T-10/11'])
      await bare.moveRef(`refs/signalbox/${name}`, base, null);
    git(bare.gitDir, 'pack-refs', '--all');
    await bare.moveRef('refs/signalbox/r/T-1/9', base, null);
    expect(bare.highestAttempt('r', 'T-1')).toBe(10);
    expect(bare.highestAttempt('r', 'T-10')).toBe(11);
    expect(bare.highestAttempt('r', 'T')).toBe(0);
    expect([...bare.listRefs('refs/signalbox/r/T-1/').keys()]).toHaveLength(4);
    expect(bare.refExists('refs/signalbox/r/T-1/10')).toBe(true);
    expect(bare.refExists('refs/signalbox/r/T-1/3')).toBe(false);
  });

  test('answers about commits that are packed as about fresh ones', async () => {
    const { bare, base } = fixture;
    const next = fixture.commitFiles(base, { 'x.txt': 'x' });
    const fresh = await bare.commitInfo(next);
    expect([await bare.isAncestor(base, next), await bare.isAncestor(next, base)]).toEqual([true, false]);
    git(bare.gitDir, 'repack', '-adq');
    expect(await bare.commitInfo(next)).toEqual(fresh);
    expect(fresh).toMatchObject({ parents: [base], message: 'Change\n', author: 'User <user@example.org>' });
    expect([await bare.isAncestor(base, next), await bare.isAncestor(next, base)]).toEqual([true, false]);
    await expect(bare.commitInfo('0123456789'.repeat(4))).rejects.toMatchObject({ code: 'command_failed' });
  });
});

describe('a workspace', () => {
  test('is clean for the agent, on its branch, shares no file with the store, and can be committed in', async () => {
    const { tree } = await fixture.workspace();
    expect(git(tree, 'status', '--porcelain', '--branch')).toBe('## signalbox/w1');
    expect(git(tree, 'log', '--format=%s')).toBe('Begin');
    put(tree, { 'src/a.txt': 'b\n' });
    git(tree, 'commit', '-qam', 'Work');
    expect(git(tree, 'fsck')).toBe('');
    for (const name of readdirSync(tree, { recursive: true, encoding: 'utf8' })) {
      const stat = statSync(path.join(tree, name));
      if (stat.isFile()) expect(stat.nlink).toBe(1);
    }
  });

  test('that is finished is left alone, and refused to others', async () => {
    const { tree, directory } = await fixture.workspace();
    put(tree, { 'src/a.txt': 'work in progress\n' });
    await fixture.workspace();
    expect(git(tree, 'status', '--porcelain')).toBe(' M src/a.txt'.trim().padStart(12));
    const request = { bare: fixture.bare, directory, commit: fixture.base, branch: 'other' };
    await expect(createWorkspace(request)).rejects.toMatchObject({ code: 'refused' });
  });

  test('that a crash left at any point is made good by the same call', async () => {
    const { tree, directory } = await fixture.workspace();
    const breakages: (() => void)[] = [
      () => rmSync(path.join(tree, '.git', 'HEAD')),
      () => writeFileSync(path.join(directory, 'index.lock'), ''),
      () => rmSync(path.join(directory, 'index')),
      () => rmSync(path.join(tree, 'src'), { recursive: true }),
      () => writeFileSync(path.join(tree, 'README.md'), ''),
      () => rmSync(tree, { recursive: true }),
    ];
    for (const breakage of breakages) {
      rmSync(path.join(directory, 'ready'));
      breakage();
      await fixture.workspace();
      expect(git(tree, 'status', '--porcelain', '--ignored')).toBe('');
      expect(git(tree, 'rev-parse', 'HEAD')).toBe(fixture.base);
    }
  });

  test('can be removed, whatever modes an agent gave it, and its tree used again elsewhere', async () => {
    const { bare, base, root } = fixture;
    const pool = new CheckoutPool({ bare, directory: path.join(root, 'pool') });
    const first = await fixture.workspace('one');
    put(first.tree, { 'closed/x.txt': 'x', 'src/a.txt': 'changed\n' });
    chmodSync(path.join(first.tree, 'closed'), 0o000);
    const inode = statSync(first.tree).ino;
    await removeWorkspace(first.directory, pool);
    expect(existsSync(first.directory)).toBe(false);
    const second = await createWorkspace({
      bare,
      directory: path.join(root, 'two'),
      commit: base,
      branch: 'two',
      pool,
    });
    expect(statSync(second.tree).ino).toBe(inode);
    expect(git(second.tree, 'status', '--porcelain', '--ignored')).toBe('');
    await removeWorkspace(path.join(root, 'two'));
    await removeWorkspace(path.join(root, 'two'));
    expect(existsSync(path.join(root, 'two'))).toBe(false);
  });
});
