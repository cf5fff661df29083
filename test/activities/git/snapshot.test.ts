import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { removeAll } from '../../../activities/git/remove-tree.ts';
import { snapshot, type Snapshot } from '../../../activities/git/snapshot.ts';
import type { Workspace } from '../../../activities/git/workspace.ts';
import { author, git, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;
let workspace: Workspace & { directory: string };

const ref = 'refs/signalbox/run/task/1';
const files = {
  'README.md': 'hello\n',
  'src/a.txt': 'a\n',
  'src/deep/b.txt': 'b\n',
  '.gitignore': '*.log\nnode_modules/\n',
};

beforeEach(async () => {
  fixture = await makeFixture(files);
  workspace = await fixture.workspace();
});
afterEach(() => fixture.remove());

function take(options: { parent?: string; maxFileSize?: number } = {}): Promise<Snapshot> {
  const { bare, base } = fixture;
  return snapshot({
    bare,
    workspaceDirectory: workspace.directory,
    parent: base,
    ref,
    message: 'Work',
    author,
    ...options,
  });
}

function listing(commit: string): string[] {
  return git(fixture.bare.gitDir, 'ls-tree', '-r', '--name-only', commit).split('\n');
}

describe('a snapshot', () => {
  test('holds what was added, changed, deleted or became of another kind', async () => {
    put(workspace.tree, { 'src/new.txt': 'new\n', 'src/a.txt': 'b\n' });
    rmSync(path.join(workspace.tree, 'src/deep'), { recursive: true });
    rmSync(path.join(workspace.tree, 'README.md'));
    symlinkSync('src/a.txt', path.join(workspace.tree, 'README.md'));
    const taken = await take();
    expect(taken.changes).toEqual([
      { path: 'README.md', kind: 'type' },
      { path: 'src/a.txt', kind: 'modified' },
      { path: 'src/deep/b.txt', kind: 'deleted' },
      { path: 'src/new.txt', kind: 'added' },
    ]);
    expect(fixture.bare.ref(ref)).toBe(taken.commit);
    expect(git(fixture.bare.gitDir, 'fsck', '--strict')).toBe('');
    expect(git(fixture.bare.gitDir, 'log', '-1', '--format=%an %ae %at %s %P', taken.commit)).toBe(
      `Signalbox signalbox@example.org 1700000000 Work ${fixture.base}`,
    );
  });

  test('of the same state is the same commit, and leaves the ref alone', async () => {
    put(workspace.tree, { 'src/a.txt': 'b\n' });
    const first = await take();
    const again = await snapshot({
      bare: fixture.bare,
      workspaceDirectory: workspace.directory,
      parent: fixture.base,
      ref,
      message: 'Later',
      author: { ...author, time: author.time + 9 },
    });
    expect(again).toEqual(first);
  });

  test('of an untouched tree is its parent, kept by the ref', async () => {
    expect(await take()).toMatchObject({ commit: fixture.base, unchanged: true, changes: [], leftOut: [] });
    expect(fixture.bare.ref(ref)).toBe(fixture.base);
  });

  test('on top of an earlier one holds only what came since', async () => {
    put(workspace.tree, { 'src/a.txt': 'b\n' });
    const first = await take();
    put(workspace.tree, { 'src/c.txt': 'c\n' });
    const second = await take({ parent: first.commit });
    expect(second.changes).toEqual([{ path: 'src/c.txt', kind: 'added' }]);
    expect(fixture.bare.ref(ref)).toBe(second.commit);
  });

  test('finds a change of the same size whose modification time was put back', async () => {
    const file = path.join(workspace.tree, 'src/a.txt');
    writeFileSync(file, 'z\n');
    utimesSync(file, 1_600_000_000, 1_600_000_000);
    expect((await take()).changes).toEqual([{ path: 'src/a.txt', kind: 'modified' }]);
  });

  test('finds a change of the same size whose modification time was put back to what it was', async () => {
    const file = path.join(workspace.tree, 'src/a.txt');
    const { atime, mtime } = statSync(file);
    writeFileSync(file, 'z\n');
    utimesSync(file, atime, mtime);
    expect((await take()).changes).toEqual([{ path: 'src/a.txt', kind: 'modified' }]);
  });

  test('finds every change of the same size in the instant after the workspace was made', async () => {
    for (let round = 0; round < 5; round += 1) {
      const fresh = await fixture.workspace(`fast-${round}`);
      writeFileSync(path.join(fresh.tree, 'src/a.txt'), 'z\n');
      const taken = await snapshot({
        bare: fixture.bare,
        workspaceDirectory: fresh.directory,
        parent: fixture.base,
        ref: `refs/signalbox/run/task/${10 + round}`,
        message: 'Work',
        author,
      });
      expect(taken.changes).toEqual([{ path: 'src/a.txt', kind: 'modified' }]);
    }
  });

  test('takes directories in the place of files, and files in the place of directories', async () => {
    rmSync(path.join(workspace.tree, 'README.md'));
    put(workspace.tree, { 'README.md/now/a/directory.txt': 'x\n' });
    rmSync(path.join(workspace.tree, 'src'), { recursive: true });
    put(workspace.tree, { src: 'now a file\n' });
    expect(listing((await take()).commit)).toEqual(['.gitignore', 'README.md/now/a/directory.txt', 'src']);
  });

  test('removes a file whose place an empty directory took', async () => {
    rmSync(path.join(workspace.tree, 'README.md'));
    mkdirSync(path.join(workspace.tree, 'README.md'));
    expect((await take()).changes).toEqual([{ path: 'README.md', kind: 'deleted' }]);
  });

  test('records the executable bit and dangling links, and survives unreadable files and directories', async () => {
    chmodSync(path.join(workspace.tree, 'README.md'), 0o755);
    symlinkSync('/nowhere', path.join(workspace.tree, 'dangling'));
    put(workspace.tree, { 'secret.txt': 's\n', 'closed/x.txt': 'x\n' });
    chmodSync(path.join(workspace.tree, 'secret.txt'), 0o000);
    chmodSync(path.join(workspace.tree, 'closed'), 0o000);
    const { commit } = await take();
    expect(git(fixture.bare.gitDir, 'ls-tree', commit, 'README.md', 'dangling').replaceAll(/ \w+ \w+\t/g, ' ')).toBe(
      '100755 README.md\n120000 dangling',
    );
    expect(listing(commit)).toContain('closed/x.txt');
    expect(listing(commit)).toContain('secret.txt');
  });

  test('leaves ignored new files out, says so, and keeps tracked ones that are ignored by now', async () => {
    put(workspace.tree, {
      'trace.log': 'x',
      '.gitignore': '*.log\nsrc/\nlibrary/\n',
      'src/a.txt': 'changed\n',
      'src/x.txt': 'x',
    });
    for (let count = 0; count < 1100; count += 1) put(workspace.tree, { [`library/${count}.js`]: '' });
    const taken = await take();
    expect(taken.changes.map((change) => change.path)).toEqual(['.gitignore', 'src/a.txt']);
    expect(taken.leftOut).toEqual(
      expect.arrayContaining(
        ['trace.log', 'src/x.txt', 'library'].map((name) => ({ path: name, reason: 'is ignored' })),
      ),
    );
  });

  test('takes large new directories, but for what their own ignore rules say', async () => {
    for (let count = 0; count < 1100; count += 1) put(workspace.tree, { [`big/${count}.js`]: '' });
    put(workspace.tree, { 'big/.gitignore': '1.js\n' });
    const taken = await take();
    expect(taken.changes).toHaveLength(1100);
    expect(taken.leftOut).toEqual([{ path: 'big/1.js', reason: 'is ignored' }]);
  });

  test('holds names that git or a shell would read as something else', async () => {
    const names = [
      ':(top)x',
      ':!y',
      '*',
      '-f',
      '--',
      'line\nbreak',
      'tab\there',
      '"quoted"',
      ' space ',
      'back\\slash',
      'ä€𝄞',
    ];
    for (const name of names) put(workspace.tree, { [name]: name, [`dir/${name}/file`]: name });
    writeFileSync(Buffer.concat([Buffer.from(`${workspace.tree}/`), Buffer.from([0x66, 0xff, 0xfe])]), 'not UTF-8');
    const taken = await take();
    expect(taken.leftOut).toEqual([]);
    expect(taken.changes).toHaveLength(2 * names.length + 1);
    expect(taken.changes.map((change) => change.path)).toEqual(expect.arrayContaining(names));
  });

  test('normalises line endings as the project says', async () => {
    put(workspace.tree, { '.gitattributes': '*.txt text\n', 'crlf.txt': 'a\r\nb\r\n', 'crlf.bin': 'a\r\n' });
    const { commit } = await take();
    expect(git(fixture.bare.gitDir, 'cat-file', '-s', `${commit}:crlf.txt`)).toBe('4');
    expect(git(fixture.bare.gitDir, 'cat-file', '-s', `${commit}:crlf.bin`)).toBe('3');
  });

  test('is refused when the work tree was replaced by a symbolic link', async () => {
    renameSync(workspace.tree, `${workspace.tree}.away`);
    symlinkSync('/etc', workspace.tree);
    await expect(take()).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('what git cannot hold', () => {
  test('is left out with a reason, and the rest is kept', async () => {
    const { tree } = workspace;
    put(tree, { '.GIT/config': '', 'git~1/x': '', 'src/.git /x': '', 'src/.Git': 'gitdir: /\n', 'good.txt': 'good\n' });
    symlinkSync('README.md', path.join(tree, '.gitmodules'));
    execFileSync('mkfifo', [path.join(tree, 'pipe')]);
    writeFileSync(path.join(tree, 'huge.bin'), '');
    truncateSync(path.join(tree, 'huge.bin'), 2_000_000);
    put(tree, { '.gitattributes': '*.enc working-tree-encoding=UTF-16\n', 'bad.enc': 'not UTF-16' });
    const taken = await take({ maxFileSize: 1_000_000 });
    expect(taken.changes.map((change) => change.path)).toEqual(['.gitattributes', 'bad.enc', 'good.txt']);
    expect(taken.leftOut.map((left) => left.path).sort()).toEqual(
      ['.GIT', '.gitmodules', 'git~1', 'huge.bin', 'pipe', 'src/.Git', 'src/.git '].sort(),
    );
  });

  test('in the place of a tracked file counts as its deletion; an oversize one keeps its last content', async () => {
    const { tree } = workspace;
    rmSync(path.join(tree, 'src/a.txt'));
    execFileSync('mkfifo', [path.join(tree, 'src/a.txt')]);
    rmSync(path.join(tree, 'src/deep'), { recursive: true });
    execFileSync('mkfifo', [path.join(tree, 'src/deep')]);
    truncateSync(path.join(tree, 'README.md'), 2000);
    const taken = await take({ maxFileSize: 1000 });
    expect(taken.changes).toEqual([
      { path: 'src/a.txt', kind: 'deleted' },
      { path: 'src/deep/b.txt', kind: 'deleted' },
    ]);
    expect(taken.leftOut).toHaveLength(3);
  });
});

describe('symbolic links', () => {
  test('to directories outside are recorded and never followed', async () => {
    const outside = path.join(fixture.root, 'outside');
    put(outside, { 'b.txt': 'secret of the host\n', 'deep/b.txt': 'secret\n' });
    rmSync(path.join(workspace.tree, 'src'), { recursive: true });
    symlinkSync(outside, path.join(workspace.tree, 'src'));
    const { commit } = await take();
    expect(listing(commit)).toEqual(['.gitignore', 'README.md', 'src']);
    expect(git(fixture.bare.gitDir, 'cat-file', 'blob', `${commit}:src`)).toBe(outside);
  });
});

test('random trees come back as they were', async () => {
  const name = fc.stringMatching(/^[a-z]{1,3}$/);
  const file = fc.record({
    at: fc.array(name, { minLength: 1, maxLength: 4 }),
    text: fc.string(),
    executable: fc.boolean(),
  });
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(file, { maxLength: 12 }), async (wanted) => {
      for (const entry of Object.keys(files)) removeAll(path.join(workspace.tree, entry.split('/')[0] ?? ''));
      for (const { at, text, executable } of wanted) {
        const target = path.join(workspace.tree, ...at);
        try {
          put(workspace.tree, { [at.join('/')]: text });
          chmodSync(target, executable ? 0o755 : 0o644);
        } catch {
          // A name that is a file already cannot also be a directory.
        }
      }
      count += 1;
      const taken = await snapshot({
        bare: fixture.bare,
        workspaceDirectory: workspace.directory,
        parent: fixture.base,
        ref: `refs/signalbox/run/random/${count}`,
        message: 'Work',
        author,
      });
      const back = await fixture.workspace(`back-${count}`, taken.commit);
      const compare = execFileSync('diff', ['-r', '--no-dereference', '--exclude=.git', workspace.tree, back.tree], {
        encoding: 'utf8',
      });
      expect(compare).toBe('');
      expect(readFileSync(path.join(back.tree, '.git', 'HEAD'), 'utf8')).toContain('refs/heads/');
      for (const { at } of wanted) removeAll(path.join(workspace.tree, at[0] ?? ''));
    }),
    { numRuns: 25 },
  );
});
