import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { BareRepository } from '../../../activities/git/bare-repository.ts';
import { mergeCandidate } from '../../../activities/git/candidate.ts';
import { CheckoutPool } from '../../../activities/git/checkout-pool.ts';
import { inspectUserRepository } from '../../../activities/git/inspect-user-repository.ts';
import { land, type LandingResult } from '../../../activities/git/landing.ts';
import { snapshot, type Snapshot } from '../../../activities/git/snapshot.ts';
import { requireSupported } from '../../../activities/git/user-repository.ts';
import { createWorkspace } from '../../../activities/git/workspace.ts';
import { author, git, makeRoot, put, removeRoot } from './support.ts';

let root: string;

beforeEach(() => {
  root = makeRoot();
});
afterEach(() => removeRoot(root));

/** Makes a repository with files and one commit. */
function repository(name: string, files: Record<string, string> = { 'a.txt': 'a\n', 'b.txt': 'b\n' }): string {
  const directory = path.join(root, name);
  mkdirSync(directory, { recursive: true });
  git(directory, 'init', '-q', '-b', 'main');
  commitAll(directory, files);
  return directory;
}

function commitAll(directory: string, files: Record<string, string>): string {
  put(directory, files);
  git(directory, 'add', '-A');
  git(directory, 'commit', '-q', '--allow-empty', '-m', 'Begin');
  return git(directory, 'rev-parse', 'HEAD');
}

let carried = 0;

/**
 * All that a task's work goes through: the user's branch comes over, an agent works on it in a workspace, its work is
 * snapshot, merged, checked out for checks, and lands.
 */
async function carry(
  directory: string,
  work: (tree: string) => void,
): Promise<{ landing: LandingResult; taken: Snapshot; checkout: string; commit: string }> {
  const user = await inspectUserRepository(directory);
  requireSupported(user);
  const bare = await BareRepository.open(path.join(root, 'bare.git'));
  const tip = await bare.importBranch(user, 'main');
  const workspace = path.join(root, `workspace-${(carried += 1)}`);
  const { tree } = await createWorkspace({ bare, directory: workspace, commit: tip, branch: 'signalbox/1' });
  expect(git(tree, 'status', '--porcelain')).toBe('');
  work(tree);
  const ref = `refs/signalbox/r/t/${carried}`;
  const taken = await snapshot({ bare, workspaceDirectory: workspace, parent: tip, ref, message: 'Work', author });
  const merged = await mergeCandidate({ bare, tip, commit: taken.commit, message: 'Merge', author, evenIfEmpty: true });
  const commit = merged.kind === 'merged' ? merged.commit : tip;
  const pool = new CheckoutPool({ bare, directory: path.join(root, 'pool') });
  const { directory: checkout } = await pool.acquire(`check-${carried}`, commit);
  const landing = await land({ bare, user, branch: 'main', commit });
  return { landing, taken, checkout, commit };
}

const LANDED = { outcome: 'landed' };

function changesOf({ changes }: Snapshot): string[] {
  return changes.map(({ kind, path: name }) => `${kind} ${name}`);
}

describe('line endings', () => {
  test.each([
    ['core.autocrlf=true', 'true', '\r\n'],
    ['core.autocrlf=input', 'input', '\n'],
  ])('under %s agents see what is committed, and the checkout follows in its own style', async (_, value, ending) => {
    const source = repository('source', { 'a.txt': 'one\ntwo\n', 'b.txt': 'b\n', 'c.bin': '\0\n' });
    git(root, 'clone', '-q', '-c', `core.autocrlf=${value}`, source, 'user');
    const user = path.join(root, 'user');
    const { landing, taken, checkout } = await carry(user, (tree) => {
      expect(readFileSync(path.join(tree, 'a.txt'), 'latin1')).toBe('one\ntwo\n');
      put(tree, { 'a.txt': 'one\ntwo\nthree\n', 'new.txt': 'new\n' });
    });
    expect(changesOf(taken)).toEqual(['modified a.txt', 'added new.txt']);
    expect(readFileSync(path.join(checkout, 'a.txt'), 'latin1')).toBe('one\ntwo\nthree\n');
    expect(landing).toEqual(LANDED);
    expect(readFileSync(path.join(user, 'a.txt'), 'latin1')).toBe(['one', 'two', 'three', ''].join(ending));
    expect(readFileSync(path.join(user, 'new.txt'), 'latin1')).toBe(`new${ending}`);
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  test('.gitattributes rule in workspaces, checks and the checkout, and no other file changes', async () => {
    const user = repository('user', {
      '.gitattributes': '* text=auto\n*.bat text eol=crlf\n*.sh text eol=lf\n',
      'a.bat': 'echo\r\n',
      'a.sh': 'echo\n',
      'a.txt': 'a\n',
    });
    const { landing, taken, checkout, commit } = await carry(user, (tree) => {
      expect(readFileSync(path.join(tree, 'a.bat'), 'latin1')).toBe('echo\r\n');
      put(tree, { 'a.bat': 'echo\nmore\n', 'b.sh': 'echo\r\n' });
    });
    expect(changesOf(taken)).toEqual(['modified a.bat', 'added b.sh']);
    expect(readFileSync(path.join(checkout, 'a.bat'), 'latin1')).toBe('echo\r\nmore\r\n');
    expect(landing).toEqual(LANDED);
    expect(git(user, 'show', `${commit}:b.sh`)).toBe('echo');
    expect(readFileSync(path.join(user, 'a.bat'), 'latin1')).toBe('echo\r\nmore\r\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  test('files committed with CRLF stay so where only another one changes', async () => {
    const user = repository('user', { 'dos.txt': 'a\r\nb\r\n', 'a.txt': 'a\n' });
    commitAll(user, { '.gitattributes': '* text=auto\n' });
    const { taken, landing } = await carry(user, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(changesOf(taken)).toEqual(['modified a.txt']);
    expect(landing).toEqual(LANDED);
    expect(readFileSync(path.join(user, 'dos.txt'), 'latin1')).toBe('a\r\nb\r\n');
  });
});

describe('sparse checkouts', () => {
  test.each([
    ['by directories', ['set', '--cone', 'in']],
    ['by directories, with a sparse index', ['set', '--cone', '--sparse-index', 'in']],
    ['by patterns', ['set', '--no-cone', '/in/', '!/in/not*']],
  ])('%s stay sparse, and hold what changed inside of them', async (_, how) => {
    const user = repository('user', { 'in/a.txt': 'a\n', 'in/not.txt': 'n\n', 'out/b.txt': 'b\n', 'out/c.txt': 'c\n' });
    git(user, 'sparse-checkout', ...how);
    const before = git(user, 'ls-files', '-t')
      .split('\n')
      .filter((line) => line.startsWith('S'));
    const { landing, commit } = await carry(user, (tree) => {
      put(tree, { 'in/a.txt': 'changed\n', 'out/b.txt': 'changed\n', 'in/new.txt': 'n\n', 'out/new.txt': 'n\n' });
      rmSync(path.join(tree, 'out/c.txt'));
    });
    expect(landing).toEqual(LANDED);
    expect(git(user, 'rev-parse', 'HEAD')).toBe(commit);
    expect(readFileSync(path.join(user, 'in/a.txt'), 'utf8')).toBe('changed\n');
    expect(readdirSync(user).sort()).toEqual(['.git', 'in']);
    expect(existsSync(path.join(user, 'in/new.txt'))).toBe(true);
    expect(git(user, 'status', '--porcelain')).toBe('');
    const after = git(user, 'ls-files', '-t')
      .split('\n')
      .filter((line) => line.startsWith('S'));
    expect(after).toEqual([...before.filter((line) => line !== 'S out/c.txt'), 'S out/new.txt']);
  });
});

describe('submodules', () => {
  /** A repository with a submodule that is checked out. */
  function withSubmodule(): string {
    const library = repository('library', { 'lib.txt': 'lib\n' });
    const user = repository('user');
    git(user, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'vendor/lib');
    git(user, 'commit', '-qm', 'Add the library');
    return user;
  }

  test('keep their pointer and their checkout, whatever an agent leaves in its empty directory', async () => {
    const user = withSubmodule();
    const pointer = git(user, 'rev-parse', 'HEAD:vendor/lib');
    const { landing, taken, commit } = await carry(user, (tree) => {
      expect(readdirSync(path.join(tree, 'vendor/lib'))).toEqual([]);
      put(tree, { 'a.txt': 'changed\n', 'vendor/lib/lib.txt': 'by the agent\n' });
    });
    expect(taken.leftOut).toEqual([{ path: 'vendor/lib', reason: expect.stringMatching(/is a submodule/) as unknown }]);
    expect(landing).toEqual(LANDED);
    expect(git(user, 'rev-parse', `${commit}:vendor/lib`)).toBe(pointer);
    expect(readFileSync(path.join(user, 'vendor/lib/lib.txt'), 'utf8')).toBe('lib\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  test('stay when an agent removes the empty directory, and go when .gitmodules lets them go', async () => {
    const user = withSubmodule();
    const kept = await carry(user, (tree) => {
      rmSync(path.join(tree, 'vendor'), { recursive: true });
      put(tree, { 'a.txt': 'changed\n' });
    });
    expect(changesOf(kept.taken)).toEqual(['modified a.txt']);
    expect(kept.landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('');
    const removed = await carry(user, (tree) => git(tree, 'rm', '-q', 'vendor/lib'));
    expect(changesOf(removed.taken)).toEqual(['modified .gitmodules', 'deleted vendor/lib']);
    expect(removed.landing).toEqual(LANDED);
    expect(readFileSync(path.join(user, 'vendor/lib/lib.txt'), 'utf8')).toBe('lib\n');
  });

  test('as the user repository itself are worked on like any other', async () => {
    const user = path.join(withSubmodule(), 'vendor/lib');
    git(user, 'checkout', '-q', '-B', 'main');
    const { landing, commit } = await carry(user, (tree) => put(tree, { 'lib.txt': 'changed\n', 'new/x.txt': 'x\n' }));
    expect(landing).toEqual(LANDED);
    expect(git(user, 'rev-parse', 'HEAD')).toBe(commit);
    expect(readFileSync(path.join(user, 'lib.txt'), 'utf8')).toBe('changed\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
    expect(existsSync(path.join(user, '../../.git/modules/vendor/lib/lib.txt'))).toBe(false);
  });
});

describe('repositories in unusual places', () => {
  test.each([
    ['spaces and quotes', `it's "a" dir`],
    ['other scripts', 'Straße 日本'],
    ['a colon', 'a:b'],
    ['a leading dash', '-x'],
  ])('a path with %s', async (_, name) => {
    const user = repository(name);
    const { landing } = await carry(user, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  test('a path with a line break is refused', async () => {
    const user = repository('two\nlines');
    await expect(inspectUserRepository(user)).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(/line break/) as unknown,
    });
  });

  test('inside the work tree of another repository', async () => {
    const outer = repository('outer');
    const user = repository('outer/inner');
    const before = git(outer, 'rev-parse', 'HEAD');
    const { landing } = await carry(user, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toEqual(LANDED);
    expect(git(outer, 'rev-parse', 'HEAD')).toBe(before);
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  test('with core.worktree, or with the git directory elsewhere', async () => {
    const user = repository('user');
    git(root, 'init', '-q', '--separate-git-dir', path.join(root, 'apart.git'), user);
    const first = await carry(user, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(first.landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('');
    git(user, 'config', 'core.worktree', user);
    const second = await carry(path.join(root, 'apart.git'), (tree) => put(tree, { 'a.txt': 'again\n' }));
    expect(second.landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('');
    expect(readFileSync(path.join(user, 'a.txt'), 'utf8')).toBe('again\n');
    expect(readdirSync(path.join(root, 'apart.git'))).not.toContain('a.txt');
  });

  test('a linked worktree that has the branch, from that and from the main one', async () => {
    const main = repository('user');
    const linked = path.join(root, 'linked');
    git(main, 'checkout', '-q', '-b', 'other');
    git(main, 'worktree', 'add', '-q', linked, 'main');
    for (const [directory, text] of [
      [linked, 'one\n'],
      [main, 'two\n'],
    ] as const) {
      const { landing } = await carry(directory, (tree) => put(tree, { 'a.txt': text }));
      expect(landing).toEqual(LANDED);
      expect(readFileSync(path.join(linked, 'a.txt'), 'utf8')).toBe(text);
      expect(git(linked, 'status', '--porcelain') + git(main, 'status', '--porcelain')).toBe('');
    }
  });

  test('a branch that is checked out twice is refused, since git would move only one of them', async () => {
    const main = repository('user');
    git(main, 'worktree', 'add', '-q', '--force', path.join(root, 'twin'), 'main');
    const { landing } = await carry(main, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/checked out twice/) as unknown,
    });
    expect(git(main, 'status', '--porcelain')).toBe('');
  });

  test('a bare repository, also one that is called .git and has linked worktrees', async () => {
    const source = repository('source');
    const bare = path.join(root, 'hub', '.git');
    git(root, 'clone', '-q', '--bare', source, bare);
    const alone = await carry(bare, (tree) => put(tree, { 'a.txt': 'one\n' }));
    expect(alone.landing).toEqual(LANDED);
    expect(git(bare, 'rev-parse', 'main')).toBe(alone.commit);
    const linked = path.join(root, 'hub', 'main');
    git(bare, 'worktree', 'add', '-q', linked, 'main');
    for (const directory of [linked, bare]) {
      const { landing, commit } = await carry(directory, (tree) => put(tree, { 'a.txt': `${directory}\n` }));
      expect(landing).toEqual(LANDED);
      expect(git(linked, 'rev-parse', 'HEAD')).toBe(commit);
      expect(git(linked, 'status', '--porcelain')).toBe('');
    }
    expect(readdirSync(path.join(root, 'hub')).sort()).toEqual(['.git', 'main']);
  });
});

describe('repositories that borrow or rewrite', () => {
  test('objects of another by alternates: all are copied', async () => {
    const source = repository('source');
    git(root, 'clone', '-q', '--shared', source, 'user');
    const user = path.join(root, 'user');
    const { landing } = await carry(user, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('');
    removeRoot(source);
    expect(git(path.join(root, 'bare.git'), 'fsck', '--connectivity-only')).not.toMatch(/missing|broken/);
  });

  test('commits by refs/replace: the true ones are worked on', async () => {
    const user = repository('user');
    const first = git(user, 'rev-parse', 'HEAD');
    commitAll(user, { 'a.txt': 'second\n' });
    const fake = git(user, 'commit-tree', 'HEAD^{tree}', '-m', 'Without a past');
    git(user, 'replace', 'HEAD', fake);
    const { landing, commit } = await carry(user, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toEqual(LANDED);
    expect(git(path.join(root, 'bare.git'), 'merge-base', first, commit)).toBe(first);
    expect(git(user, 'status', '--porcelain')).toBe('');
  });
});

describe('what is refused, with a reason and a way out', () => {
  async function expectRefusal(directory: string, message: RegExp, hint: RegExp): Promise<void> {
    const refusal = inspectUserRepository(directory).then((user) => requireSupported(user));
    await expect(refusal).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(message) as unknown,
      hint: expect.stringMatching(hint) as unknown,
    });
  }

  test('grafts', async () => {
    const user = repository('user');
    put(user, { '.git/info/grafts': `${git(user, 'rev-parse', 'HEAD')}\n` });
    await expectRefusal(user, /grafts/, /convert-graft-file/);
  });

  test('refs in a reftable, which this git may not even know', async () => {
    const user = repository('user');
    git(user, 'config', 'core.repositoryformatversion', '1');
    git(user, 'config', 'extensions.refstorage', 'reftable');
    await expectRefusal(user, /reftable, which is not supported/, /refs migrate/);
  });

  const asRoot = process.getuid?.() === 0 ? test : test.skip;
  asRoot('one that belongs to another user, unless they said that they trust it', async () => {
    const user = repository('user');
    for (const name of ['', ...readdirSync(user, { recursive: true, encoding: 'utf8' })])
      chownSync(path.join(user, name), 12345, 12345);
    const home = process.env['HOME'];
    process.env['HOME'] = root;
    try {
      await expectRefusal(user, /belongs to another user/, /safe\.directory/);
      put(root, { '.gitconfig': `[safe]\n\tdirectory = ${user}\n` });
      await expect(inspectUserRepository(user)).resolves.toMatchObject({ topLevel: user });
    } finally {
      process.env['HOME'] = home;
    }
  });
});

describe('Git LFS', () => {
  const hasLfs = spawnSync('git', ['lfs', 'version']).status === 0;
  const withLfs = hasLfs ? test : test.skip;
  const ATTRIBUTES = '*.bin filter=lfs diff=lfs merge=lfs -text\n';
  const POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n/;

  function withFiles(): string {
    const user = repository('user');
    git(user, 'lfs', 'install', '--local');
    commitAll(user, { '.gitattributes': ATTRIBUTES, 'data.bin': 'the data\n', 'other.bin': 'other data\n' });
    return user;
  }

  withLfs('agents and checks see pointers, which pass through unchanged; the checkout keeps its contents', async () => {
    const user = withFiles();
    const { landing, taken, checkout } = await carry(user, (tree) => {
      expect(readFileSync(path.join(tree, 'data.bin'), 'utf8')).toMatch(POINTER);
      put(tree, { 'a.txt': 'changed\n' });
    });
    expect(changesOf(taken)).toEqual(['modified a.txt']);
    expect(readFileSync(path.join(checkout, 'data.bin'), 'utf8')).toMatch(POINTER);
    expect(landing).toEqual(LANDED);
    expect(readFileSync(path.join(user, 'data.bin'), 'utf8')).toBe('the data\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  withLfs(
    'a pointer that moves, or changes to that of a known file, brings the content into the checkout',
    async () => {
      const user = withFiles();
      const { landing } = await carry(user, (tree) => {
        const other = readFileSync(path.join(tree, 'other.bin'), 'utf8');
        git(tree, 'mv', 'data.bin', 'moved.bin');
        put(tree, { 'other.bin': readFileSync(path.join(tree, 'moved.bin'), 'utf8'), 'third.bin': other });
      });
      expect(landing).toEqual(LANDED);
      expect(readFileSync(path.join(user, 'moved.bin'), 'utf8')).toBe('the data\n');
      expect(readFileSync(path.join(user, 'other.bin'), 'utf8')).toBe('the data\n');
      expect(readFileSync(path.join(user, 'third.bin'), 'utf8')).toBe('other data\n');
      expect(git(user, 'status', '--porcelain')).toBe('');
    },
  );

  withLfs('content that an agent puts in the place of a pointer, or beside it, is left out and told', async () => {
    const user = withFiles();
    const { landing, taken, commit } = await carry(user, (tree) =>
      put(tree, { 'data.bin': 'by the agent\n', 'deep/new.bin': 'by the agent\n', 'a.txt': 'changed\n' }),
    );
    expect(changesOf(taken)).toEqual(['modified a.txt']);
    expect(taken.leftOut).toEqual([
      { path: 'data.bin', reason: expect.stringMatching(/Git LFS/) as unknown },
      { path: 'deep/new.bin', reason: expect.stringMatching(/Git LFS/) as unknown },
    ]);
    expect(git(user, 'show', `${commit}:data.bin`)).toMatch(POINTER);
    expect(landing).toEqual(LANDED);
    expect(readFileSync(path.join(user, 'data.bin'), 'utf8')).toBe('the data\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  withLfs('a pointer to an object that is nowhere holds the landing back, and the checkout is as it was', async () => {
    const user = withFiles();
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 9\n`;
    const { landing } = await carry(user, (tree) => put(tree, { 'a.txt': 'changed\n', 'data.bin': pointer }));
    expect(landing).toMatchObject({ outcome: 'refused', reason: expect.stringMatching(/is as it was/) as unknown });
    expect(readFileSync(path.join(user, 'data.bin'), 'utf8')).toBe('the data\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
  });
});

describe('hooks of the user', () => {
  const ALL = [
    ...['applypatch-msg', 'commit-msg', 'fsmonitor-watchman', 'post-applypatch', 'post-checkout', 'post-commit'],
    ...[
      'post-index-change',
      'post-merge',
      'post-receive',
      'post-rewrite',
      'post-update',
      'pre-applypatch',
      'pre-auto-gc',
    ],
    ...[
      'pre-commit',
      'pre-merge-commit',
      'pre-push',
      'pre-rebase',
      'pre-receive',
      'prepare-commit-msg',
      'proc-receive',
    ],
    ...['push-to-checkout', 'reference-transaction', 'update'],
  ];

  test.each([
    ['in the repository', '.git/hooks'],
    ['at core.hooksPath', 'my-hooks'],
  ])('%s do not run, from the import to the landing', async (_, place) => {
    const user = repository('user', { 'a.txt': 'a\n', '.gitignore': 'my-hooks\n' });
    const ran = path.join(root, 'ran');
    for (const hook of ALL) {
      put(user, { [`${place}/${hook}`]: `#!/bin/sh\necho ${hook} >>'${ran}'\nexit 1\n` });
      chmodSync(path.join(user, place, hook), 0o755);
    }
    if (place !== '.git/hooks') git(user, 'config', 'core.hooksPath', path.join(user, place));
    git(user, 'config', 'core.fsmonitor', path.join(user, place, 'fsmonitor-watchman'));
    const { landing } = await carry(user, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toEqual(LANDED);
    expect(existsSync(ran)).toBe(false);
    writeFileSync(path.join(user, 'a.txt'), 'mine\n');
    expect(() => git(user, 'commit', '-qam', 'Mine')).toThrow();
    expect(readFileSync(ran, 'utf8')).toMatch(/pre-commit/);
  });
});
