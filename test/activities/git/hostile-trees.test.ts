import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import path from 'node:path';
import { CheckoutPool } from '../../../activities/git/checkout-pool.ts';
import { removeAll, removeTrees } from '../../../activities/git/remove-tree.ts';
import { snapshot, type Snapshot, type SnapshotRequest } from '../../../activities/git/snapshot.ts';
import { removeWorkspace, type Workspace } from '../../../activities/git/workspace.ts';
import { author, git, makeFixture, makeRoot, put, removeRoot, type Fixture } from './support.ts';

let fixture: Fixture;
let workspace: Workspace & { directory: string };

beforeEach(async () => {
  fixture = await makeFixture({ '.gitignore': '*.log\n', 'README.md': 'hello\n', 'src/a.txt': 'a\n' });
  workspace = await fixture.workspace();
});
afterEach(() => fixture.remove());

function take(options: Partial<SnapshotRequest> = {}): Promise<Snapshot> {
  const { bare, base } = fixture;
  const request = { bare, workspaceDirectory: workspace.directory, parent: base, message: 'Work', author };
  return snapshot({ ...request, ref: 'refs/signalbox/run/task/1', ...options });
}

function listing(commit: string): string[] {
  return git(fixture.bare.gitDir, 'ls-tree', '-r', '-z', '--name-only', commit).split('\0').slice(0, -1);
}

function pipe(name: string): void {
  mkdirSync(path.dirname(path.join(workspace.tree, name)), { recursive: true });
  execFileSync('mkfifo', [path.join(workspace.tree, name)]);
}

function mknod(file: string, what: readonly string[]): void {
  execFileSync('mknod', [file, ...what], { stdio: 'pipe' });
}

/** As root, but not in every container. */
const canMakeDevices = ((): boolean => {
  const directory = makeRoot();
  try {
    mknod(path.join(directory, 'null'), ['c', '1', '3']);
    return true;
  } catch {
    return false;
  } finally {
    removeRoot(directory);
  }
})();

function sparse(name: string, bytes: number): void {
  put(workspace.tree, { [name]: '' });
  truncateSync(path.join(workspace.tree, name), bytes);
}

/** A chain of directories that is longer than any path that the system takes, with a file at its end. */
function dig(directory: string): void {
  const script =
    'cd "$1"; i=0; while [ $i -lt 300 ]; do mkdir "$2" && cd "$2" || exit 1; i=$((i+1)); done; echo x >end';
  execFileSync('bash', ['-c', script, 'bash', directory, 'd'.repeat(20)], { cwd: directory });
}

const GIBIBYTE = 1024 ** 3;
const SPECIAL = 'is neither a file, a directory nor a symbolic link';
const TOO_LARGE = 'is larger than 104857600 bytes';

describe('files that would hold up whoever reads them are passed over', () => {
  test.each<[string, () => void, Record<string, string>]>([
    ['a pipe in the place of .gitignore', () => pipe('sub/.gitignore'), { 'sub/.gitignore': SPECIAL }],
    [
      'a pipe in the place of the .gitignore at the top',
      () => {
        rmSync(path.join(workspace.tree, '.gitignore'));
        put(workspace.tree, { 'sub/.gitignore': 'x\n' });
        pipe('.gitignore');
      },
      { '.gitignore': SPECIAL },
    ],
    ['a pipe in the place of .gitattributes', () => pipe('.gitattributes'), { '.gitattributes': SPECIAL }],
    [
      'a pipe in the place of .gitattributes, where Git LFS has files',
      () => {
        put(workspace.tree, { '.gitattributes': '*.bin filter=lfs\n', 'sub/x.bin': 'content' });
        pipe('sub/.gitattributes');
      },
      { 'sub/.gitattributes': SPECIAL, 'sub/x.bin': 'belongs into Git LFS, which takes in nothing from here' },
    ],
    ['a pipe in the place of .gitmodules', () => pipe('.gitmodules'), { '.gitmodules': SPECIAL }],
    [
      'a socket in the place of .gitignore',
      () => {
        const listen = 'require("net").createServer().listen(".gitignore", () => process.kill(process.pid, "SIGKILL"))';
        mkdirSync(path.join(workspace.tree, 'sub'));
        expect(() =>
          execFileSync(process.execPath, ['-e', listen], { cwd: path.join(workspace.tree, 'sub') }),
        ).toThrow();
      },
      { 'sub/.gitignore': SPECIAL },
    ],
    [
      'a file of 10 GiB, of which nothing is on the disk',
      () => sparse('huge.bin', 10 * GIBIBYTE),
      { 'huge.bin': TOO_LARGE },
    ],
    [
      'a .gitignore of 10 GiB',
      () => sparse('sub/.gitignore', 10 * GIBIBYTE),
      {
        'sub/.gitignore': 'is larger than 1048576 bytes, and was renamed to sub/.gitignore.too-large',
        'sub/.gitignore.too-large': TOO_LARGE,
      },
    ],
    [
      'a .gitattributes of 10 GiB',
      () => sparse('.gitattributes', 10 * GIBIBYTE),
      {
        '.gitattributes': 'is larger than 1048576 bytes, and was renamed to .gitattributes.too-large',
        '.gitattributes.too-large': TOO_LARGE,
      },
    ],
    [
      'links to pipes and to devices that never end, where rules are read',
      () => {
        pipe('a.pipe');
        mkdirSync(path.join(workspace.tree, 'sub'));
        symlinkSync('../a.pipe', path.join(workspace.tree, 'sub/.gitignore'));
        symlinkSync('/dev/zero', path.join(workspace.tree, '.gitattributes'));
      },
      { 'a.pipe': SPECIAL },
    ],
  ])('%s', async (_, plant, leftOut) => {
    plant();
    put(workspace.tree, { 'sub/work.txt': 'work\n', 'sub/trace.log': 'ignored\n' });
    const taken = await take();
    expect(listing(taken.commit)).toContain('sub/work.txt');
    const told = taken.leftOut.filter(({ reason }) => reason !== 'is ignored');
    expect(Object.fromEntries(told.map((one) => [one.path, one.reason]))).toEqual(leftOut);
    // And the tree can be used again, for which git reads it once more.
    const pool = new CheckoutPool({ bare: fixture.bare, directory: path.join(fixture.root, 'pool') });
    await removeWorkspace(workspace.directory, pool);
    const { directory } = await pool.acquire('next', taken.commit);
    expect(git(directory, 'status', '--porcelain', '--ignored')).toBe('');
  });

  (canMakeDevices ? test : test.skip)('devices, which root can make', async () => {
    const { tree } = workspace;
    mkdirSync(path.join(tree, 'sub'));
    const zero = ['c', '1', '5'];
    for (const name of ['zero', 'sub/.gitignore', '.gitattributes']) mknod(path.join(tree, name), zero);
    mknod(path.join(tree, 'disk'), ['b', '7', '0']);
    rmSync(path.join(tree, 'src/a.txt'));
    mknod(path.join(tree, 'src/a.txt'), zero);
    put(tree, { 'sub/work.txt': 'work\n' });
    const taken = await take();
    const devices = ['.gitattributes', 'disk', 'src/a.txt', 'sub/.gitignore', 'zero'];
    expect(taken.leftOut.map(({ path }) => path).sort()).toEqual(devices);
    expect(new Set(taken.leftOut.map(({ reason }) => reason))).toEqual(new Set([SPECIAL]));
    expect(listing(taken.commit)).toEqual(['.gitignore', 'README.md', 'sub/work.txt']);
    await removeWorkspace(workspace.directory);
    expect(existsSync(workspace.directory)).toBe(false);
  });

  test('rules that are too many are kept as a plain file, and in the place of a tracked file show as its deletion', async () => {
    const rules = '*a*b*c\n'.repeat(200_000);
    put(workspace.tree, { '.gitignore': rules, 'work.txt': 'work\n' });
    const taken = await take();
    expect(taken.changes).toEqual([
      { path: '.gitignore', kind: 'deleted' },
      { path: '.gitignore.too-large', kind: 'added' },
      { path: 'work.txt', kind: 'added' },
    ]);
    expect(git(fixture.bare.gitDir, 'cat-file', '-s', `${taken.commit}:.gitignore.too-large`)).toBe(
      String(rules.length),
    );
    expect((await take()).commit).toBe(taken.commit);
  });

  test('rules that git is not done with in time end the snapshot with a reason, and its processes', async () => {
    const rules = Array.from({ length: 60_000 }, (_, at) => `*a*b*${at}*d`).join('\n');
    put(workspace.tree, { '.gitignore': rules });
    for (let at = 0; at < 900; at += 1) put(workspace.tree, { [`src/${'ab'.repeat(100)}${at}`]: '' });
    await expect(take({ timeoutMs: 300 })).rejects.toMatchObject({
      code: 'refused',
      message: 'the work tree could not be taken in within 0.3 s',
      hint: expect.stringMatching(/gitignore/) as unknown,
    });
  });
});

describe('very many files', () => {
  const COUNT = 100_000;

  function fill(directory: string): void {
    const script = `for (let at = 0; at < ${COUNT}; at += 1) {
      if (at % 1000 === 0) require('fs').mkdirSync(String(at / 1000), { recursive: true });
      require('fs').writeFileSync(Math.floor(at / 1000) + '/' + at, '');
    }`;
    mkdirSync(directory, { recursive: true });
    execFileSync(process.execPath, ['-e', script], { cwd: directory });
  }

  test('100,000 of them are taken in, and removed while this process attends to other things', async () => {
    fill(path.join(workspace.tree, 'many'));
    const taken = await take();
    expect(taken.changes).toHaveLength(COUNT);
    let turns = 0;
    const others = setInterval(() => (turns += 1), 1);
    await removeWorkspace(workspace.directory);
    clearInterval(others);
    expect(turns).toBeGreaterThan(10);
    expect(existsSync(workspace.directory)).toBe(false);
  }, 300_000);

  test('more than the bound are refused with what to do, ignored ones do not count, and nothing of the ref moves', async () => {
    put(workspace.tree, { '.gitignore': 'library/\n' });
    for (let at = 0; at < 1200; at += 1) put(workspace.tree, { [`library/${at}`]: '', [`src/${at}`]: '' });
    await expect(take({ maxFiles: 1000 })).rejects.toMatchObject({
      code: 'refused',
      message: 'the work tree holds more than 1000 new files',
      hint: expect.stringMatching(/gitignore/) as unknown,
    });
    expect(fixture.bare.refExists('refs/signalbox/run/task/1')).toBe(false);
    expect((await take({ maxFiles: 1300 })).changes).toHaveLength(1201);
  });
});

describe('paths that are longer than the system takes', () => {
  test('are left out of the snapshot with a reason, the rest is kept', async () => {
    dig(workspace.tree);
    put(workspace.tree, { 'work.txt': 'work\n' });
    const taken = await take();
    expect(taken.changes).toEqual([{ path: 'work.txt', kind: 'added' }]);
    expect(taken.leftOut).toEqual([
      { path: expect.stringMatching(/^ddd/) as unknown, reason: 'has a path of more than 1000 bytes' },
    ]);
  });

  test('keep neither a workspace from being removed nor its tree from being used again', async () => {
    const pool = new CheckoutPool({ bare: fixture.bare, directory: path.join(fixture.root, 'pool') });
    dig(workspace.tree);
    await removeWorkspace(workspace.directory, pool);
    const { directory } = await pool.acquire('next', fixture.base);
    expect(git(directory, 'status', '--porcelain', '--ignored')).toBe('');
    const second = await fixture.workspace('second');
    dig(second.tree);
    await removeTrees([second.directory]);
    expect(existsSync(second.directory)).toBe(false);
  });

  test('are removed without following a link, whatever modes they have', () => {
    const outside = path.join(fixture.root, 'outside');
    put(outside, { 'precious.txt': 'precious\n' });
    const directory = path.join(fixture.root, 'deep');
    mkdirSync(path.join(directory, 'locked/inner'), { recursive: true });
    dig(directory);
    symlinkSync(outside, path.join(directory, 'd'.repeat(20), 'link'));
    chmodSync(path.join(directory, 'locked/inner'), 0o000);
    chmodSync(path.join(directory, 'locked'), 0o100);
    removeAll(directory);
    expect(lstatSync(directory, { throwIfNoEntry: false })).toBeUndefined();
    expect(readdirSync(outside)).toEqual(['precious.txt']);
  });
});

describe('names that stand for git directories on some file system', () => {
  test.each([
    ['in capitals', '.GIT'],
    ['mixed', '.gIt'],
    ['as Windows shortens it', 'git~1'],
    ['with a dot that Windows drops', '.git.'],
    ['with a space that Windows drops', '.git '],
    ['as a stream of NTFS', '.git::$INDEX_ALLOCATION'],
    ['with a zero-width character that HFS+ ignores', '.g\u200cit'],
    ['with a direction mark that HFS+ ignores', '.git\u200f'],
    ['with a byte order mark', '\ufeff.git'],
    ['behind a backslash', 'a\\.git'],
  ])('%s are left out, with all below them', async (_, name) => {
    put(workspace.tree, {
      [`src/${name}/hooks/pre-commit`]: '#!/bin/sh\n',
      [`${name}/config`]: '[core]\n',
      'x.txt': 'x\n',
    });
    const taken = await take();
    expect(taken.changes).toEqual([{ path: 'x.txt', kind: 'added' }]);
    expect(taken.leftOut.map(({ path: left }) => left).sort()).toEqual([name, `src/${name}`].sort());
  });

  test.each([
    ['a letter of another script', '.g\u0456t'],
    ['a dotless i', '.g\u0131t'],
    ['a full-width dot', '\uff0egit'],
  ])('%s makes a name like any other', async (_, name) => {
    put(workspace.tree, { [`${name}/config`]: '[core]\n' });
    expect((await take()).changes).toEqual([{ path: `${name}/config`, kind: 'added' }]);
  });
});

describe('a directory that becomes a link between the walk and the reading', () => {
  test('gives nothing of what lies outside', async () => {
    const outside = path.join(fixture.root, 'outside');
    put(outside, { 'a.txt': 'secret of the host\n', 'new.txt': 'secret of the host\n' });
    put(workspace.tree, { 'src/a.txt': 'changed\n', 'src/new.txt': 'new\n', 'other.txt': 'other\n' });
    // Git as it is found on the PATH swaps the directory the moment before it reads the paths that the walk found.
    const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
    const bin = path.join(fixture.root, 'bin');
    const swap = `[ "$1" = update-index ] && [ ! -L '${workspace.tree}/src' ] && rm -r '${workspace.tree}/src' && ln -s '${outside}' '${workspace.tree}/src'`;
    put(bin, { git: `#!/bin/sh\n${swap}\nexec '${real}' "$@"\n` });
    chmodSync(path.join(bin, 'git'), 0o755);
    const before = process.env['PATH'];
    process.env['PATH'] = `${bin}:${before ?? ''}`;
    let taken: Snapshot;
    try {
      taken = await take();
    } finally {
      process.env['PATH'] = before;
    }
    expect(lstatSync(path.join(workspace.tree, 'src')).isSymbolicLink()).toBe(true);
    expect(listing(taken.commit)).toContain('other.txt');
    const all = git(fixture.bare.gitDir, 'cat-file', '--batch-all-objects', '--batch');
    expect(all).not.toContain('secret of the host');
    expect(readFileSync(path.join(outside, 'a.txt'), 'utf8')).toBe('secret of the host\n');
  });
});
