import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { inspectUserRepository } from '../../../activities/git/inspect-user-repository.ts';
import { requireSupported } from '../../../activities/git/user-repository.ts';
import { carry, changesOf, commitAll, LANDED, repository } from './carrying.ts';
import { git, makeRoot, put, removeRoot } from './support.ts';

let root: string;

beforeEach(() => {
  root = makeRoot();
});
afterEach(() => removeRoot(root));

describe('line endings', () => {
  test.each([
    ['core.autocrlf=true', 'true', '\r\n'],
    ['core.autocrlf=input', 'input', '\n'],
  ])('under %s agents see what is committed, and the checkout follows in its own style', async (_, value, ending) => {
    const source = repository(root, 'source', { 'a.txt': 'one\ntwo\n', 'b.txt': 'b\n', 'c.bin': '\0\n' });
    git(root, 'clone', '-q', '-c', `core.autocrlf=${value}`, source, 'user');
    const user = path.join(root, 'user');
    const { landing, taken, checkout } = await carry(user, root, (tree) => {
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
    const user = repository(root, 'user', {
      '.gitattributes': '* text=auto\n*.bat text eol=crlf\n*.sh text eol=lf\n',
      'a.bat': 'echo\r\n',
      'a.sh': 'echo\n',
      'a.txt': 'a\n',
    });
    const { landing, taken, checkout, commit } = await carry(user, root, (tree) => {
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
    const user = repository(root, 'user', { 'dos.txt': 'a\r\nb\r\n', 'a.txt': 'a\n' });
    commitAll(user, { '.gitattributes': '* text=auto\n' });
    const { taken, landing } = await carry(user, root, (tree) => put(tree, { 'a.txt': 'changed\n' }));
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
    const user = repository(root, 'user', {
      'in/a.txt': 'a\n',
      'in/not.txt': 'n\n',
      'out/b.txt': 'b\n',
      'out/c.txt': 'c\n',
    });
    git(user, 'sparse-checkout', ...how);
    const before = git(user, 'ls-files', '-t')
      .split('\n')
      .filter((line) => line.startsWith('S'));
    const { landing, commit } = await carry(user, root, (tree) => {
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

describe('repositories in unusual places', () => {
  test.each([
    ['spaces and quotes', `it's "a" dir`],
    ['other scripts', 'Straße 日本'],
    ['a colon', 'a:b'],
    ['a leading dash', '-x'],
  ])('a path with %s', async (_, name) => {
    const user = repository(root, name);
    const { landing } = await carry(user, root, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  test('a path with a line break is refused', async () => {
    const user = repository(root, 'two\nlines');
    await expect(inspectUserRepository(user)).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringMatching(/line break/) as unknown,
    });
  });

  test('inside the work tree of another repository', async () => {
    const outer = repository(root, 'outer');
    const user = repository(root, 'outer/inner');
    const before = git(outer, 'rev-parse', 'HEAD');
    const { landing } = await carry(user, root, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toEqual(LANDED);
    expect(git(outer, 'rev-parse', 'HEAD')).toBe(before);
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  test('with core.worktree, or with the git directory elsewhere', async () => {
    const user = repository(root, 'user');
    git(root, 'init', '-q', '--separate-git-dir', path.join(root, 'apart.git'), user);
    const first = await carry(user, root, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(first.landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('');
    git(user, 'config', 'core.worktree', user);
    const second = await carry(path.join(root, 'apart.git'), root, (tree) => put(tree, { 'a.txt': 'again\n' }));
    expect(second.landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('');
    expect(readFileSync(path.join(user, 'a.txt'), 'utf8')).toBe('again\n');
    expect(readdirSync(path.join(root, 'apart.git'))).not.toContain('a.txt');
  });

  test('a linked worktree that has the branch, from that and from the main one', async () => {
    const main = repository(root, 'user');
    const linked = path.join(root, 'linked');
    git(main, 'checkout', '-q', '-b', 'other');
    git(main, 'worktree', 'add', '-q', linked, 'main');
    for (const [directory, text] of [
      [linked, 'one\n'],
      [main, 'two\n'],
    ] as const) {
      const { landing } = await carry(directory, root, (tree) => put(tree, { 'a.txt': text }));
      expect(landing).toEqual(LANDED);
      expect(readFileSync(path.join(linked, 'a.txt'), 'utf8')).toBe(text);
      expect(git(linked, 'status', '--porcelain') + git(main, 'status', '--porcelain')).toBe('');
    }
  });

  test('a branch that is checked out twice is refused, since git would move only one of them', async () => {
    const main = repository(root, 'user');
    git(main, 'worktree', 'add', '-q', '--force', path.join(root, 'twin'), 'main');
    const { landing } = await carry(main, root, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/checked out twice/) as unknown,
    });
    expect(git(main, 'status', '--porcelain')).toBe('');
  });

  test('a bare repository, also one that is called .git and has linked worktrees', async () => {
    const source = repository(root, 'source');
    const bare = path.join(root, 'hub', '.git');
    git(root, 'clone', '-q', '--bare', source, bare);
    const alone = await carry(bare, root, (tree) => put(tree, { 'a.txt': 'one\n' }));
    expect(alone.landing).toEqual(LANDED);
    expect(git(bare, 'rev-parse', 'main')).toBe(alone.commit);
    const linked = path.join(root, 'hub', 'main');
    git(bare, 'worktree', 'add', '-q', linked, 'main');
    for (const directory of [linked, bare]) {
      const { landing, commit } = await carry(directory, root, (tree) => put(tree, { 'a.txt': `${directory}\n` }));
      expect(landing).toEqual(LANDED);
      expect(git(linked, 'rev-parse', 'HEAD')).toBe(commit);
      expect(git(linked, 'status', '--porcelain')).toBe('');
    }
    expect(readdirSync(path.join(root, 'hub')).sort()).toEqual(['.git', 'main']);
  });
});

describe('repositories that borrow or rewrite', () => {
  test('objects of another by alternates: all are copied', async () => {
    const source = repository(root, 'source');
    git(root, 'clone', '-q', '--shared', source, 'user');
    const user = path.join(root, 'user');
    const { landing } = await carry(user, root, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toEqual(LANDED);
    expect(git(user, 'status', '--porcelain')).toBe('');
    removeRoot(source);
    expect(git(path.join(root, 'bare.git'), 'fsck', '--connectivity-only')).not.toMatch(/missing|broken/);
  });

  test('commits by refs/replace: the true ones are worked on', async () => {
    const user = repository(root, 'user');
    const first = git(user, 'rev-parse', 'HEAD');
    commitAll(user, { 'a.txt': 'second\n' });
    const fake = git(user, 'commit-tree', 'HEAD^{tree}', '-m', 'Without a past');
    git(user, 'replace', 'HEAD', fake);
    const { landing, commit } = await carry(user, root, (tree) => put(tree, { 'a.txt': 'changed\n' }));
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
    const user = repository(root, 'user');
    put(user, { '.git/info/grafts': `${git(user, 'rev-parse', 'HEAD')}\n` });
    await expectRefusal(user, /grafts/, /convert-graft-file/);
  });

  test('refs in a reftable, which this git may not even know', async () => {
    const user = repository(root, 'user');
    git(user, 'config', 'core.repositoryformatversion', '1');
    git(user, 'config', 'extensions.refstorage', 'reftable');
    await expectRefusal(user, /reftable, which is not supported/, /refs migrate/);
  });

  const asRoot = process.getuid?.() === 0 ? test : test.skip;
  asRoot('one that belongs to another user, unless they said that they trust it', async () => {
    const user = repository(root, 'user');
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
    const user = repository(root, 'user', { 'a.txt': 'a\n', '.gitignore': 'my-hooks\n' });
    const ran = path.join(root, 'ran');
    for (const hook of ALL) {
      put(user, { [`${place}/${hook}`]: `#!/bin/sh\necho ${hook} >>'${ran}'\nexit 1\n` });
      chmodSync(path.join(user, place, hook), 0o755);
    }
    if (place !== '.git/hooks') git(user, 'config', 'core.hooksPath', path.join(user, place));
    git(user, 'config', 'core.fsmonitor', path.join(user, place, 'fsmonitor-watchman'));
    const { landing } = await carry(user, root, (tree) => put(tree, { 'a.txt': 'changed\n' }));
    expect(landing).toEqual(LANDED);
    expect(existsSync(ran)).toBe(false);
    writeFileSync(path.join(user, 'a.txt'), 'mine\n');
    expect(() => git(user, 'commit', '-qam', 'Mine')).toThrow();
    expect(readFileSync(ran, 'utf8')).toMatch(/pre-commit/);
  });
});
