import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { mergeCandidate } from '../../../activities/git/candidate.ts';
import { CheckoutPool } from '../../../activities/git/checkout-pool.ts';
import { removeAll } from '../../../activities/git/remove-tree.ts';
import { changedPaths, patch } from '../../../activities/git/diff.ts';
import { land, publish } from '../../../activities/git/landing.ts';
import { snapshot } from '../../../activities/git/snapshot.ts';
import { removeWorkspace, type Workspace } from '../../../activities/git/workspace.ts';
import { author, git, makeFixture, put, type Fixture } from './support.ts';

const HOOKS = [
  ...[
    'applypatch-msg',
    'commit-msg',
    'fsmonitor-watchman',
    'post-checkout',
    'post-commit',
    'post-index-change',
    'post-merge',
  ],
  ...['post-rewrite', 'post-update', 'pre-commit', 'pre-merge-commit', 'pre-push', 'pre-receive', 'prepare-commit-msg'],
  ...[
    'push-to-checkout',
    'reference-transaction',
    'update',
    'proc-receive',
    'post-receive',
    'sendemail-validate',
    'pre-auto-gc',
  ],
];

let fixture: Fixture;
let workspace: Workspace & { directory: string };
let canaries: string;

beforeEach(async () => {
  fixture = await makeFixture();
  workspace = await fixture.workspace();
  canaries = path.join(fixture.root, 'canaries');
  mkdirSync(canaries);
});
afterEach(() => fixture.remove());

/** A shell command that shows that it was run. */
function canary(name: string): string {
  return `touch '${path.join(canaries, name)}'; cat`;
}

function script(file: string, name: string): void {
  put(path.dirname(file), { [path.basename(file)]: `#!/bin/sh\n${canary(name)}\n` });
  chmodSync(file, 0o755);
}

/** Configuration that makes an unwary git run commands. */
function poison(gitDir: string, name: string): string {
  for (const hook of HOOKS) script(path.join(gitDir, 'hooks', hook), `${name}-${hook}`);
  const settings = [
    `[core]\n\tfsmonitor = "${canary(`${name}-fsmonitor`)}"\n\thooksPath = ${gitDir}/hooks`,
    `\tsshCommand = "${canary(`${name}-ssh`)}"\n\tpager = "${canary(`${name}-pager`)}"\n\teditor = "${canary(`${name}-editor`)}"`,
    `\talternateRefsCommand = "${canary(`${name}-refs`)}"\n\tattributesFile = ${gitDir}/evil-attributes`,
    `[filter "evil"]\n\tclean = "${canary(`${name}-clean`)}"\n\tsmudge = "${canary(`${name}-smudge`)}"\n\trequired = true`,
    `[filter "worse"]\n\tprocess = "${canary(`${name}-process`)}"`,
    `[diff]\n\texternal = "${canary(`${name}-external`)}"`,
    `[diff "evil"]\n\ttextconv = "${canary(`${name}-textconv`)}"\n\tcommand = "${canary(`${name}-diff`)}"`,
    `[merge "evil"]\n\tdriver = "${canary(`${name}-driver`)}"`,
    `[uploadpack]\n\tpackObjectsHook = "${canary(`${name}-pack`)}"`,
    `[gpg]\n\tprogram = "${canary(`${name}-gpg`)}"\n[commit]\n\tgpgSign = true\n[credential]\n\thelper = "!${canary(`${name}-cred`)}"`,
  ].join('\n');
  put(gitDir, {
    'evil-attributes': '* filter=evil diff=evil merge=evil\n',
    'info/attributes': '* filter=evil diff=evil merge=evil\n',
  });
  return `${settings}\n`;
}

/** Does with the work tree all that Signalbox ever does on the host, and checks that no canary came to life. */
async function exercise(): Promise<string[]> {
  const { bare, base, user } = fixture;
  const pool = new CheckoutPool({ bare, directory: path.join(fixture.root, 'pool') });
  const request = { bare, workspaceDirectory: workspace.directory, message: 'Work', author };
  const taken = await snapshot({ ...request, parent: base, ref: 'refs/signalbox/r/t/1' });
  put(workspace.tree, { 'src/a.txt': 'again\n' });
  const second = await snapshot({ ...request, parent: taken.commit, ref: 'refs/signalbox/r/t/1' });
  await changedPaths(bare, base, second.commit);
  await patch(bare, base, second.commit);
  const other = fixture.commitFiles(base, {
    'other.txt': 'o\n',
    '.gitattributes': '* filter=evil diff=evil merge=evil\n',
  });
  await mergeCandidate({ bare, tip: other, commit: second.commit, message: 'Merge', author });
  const merged = await mergeCandidate({ bare, tip: base, commit: second.commit, message: 'Merge', author });
  if (merged.kind !== 'merged') throw new Error(merged.kind);
  const checkout = await pool.acquire('check', merged.commit);
  put(checkout.directory, { '.git/config': poison(path.join(checkout.directory, '.git'), 'checkout') });
  pool.release('check');
  await pool.acquire('check', base);
  await publish({ bare, user, branch: 'main', commit: merged.commit });
  expect(await land({ bare, user, branch: 'main', commit: merged.commit })).toEqual({ outcome: 'landed' });
  await removeWorkspace(workspace.directory, pool);
  await pool.acquire('next', merged.commit);
  expect(readdirSync(canaries)).toEqual([]);
  return git(bare.gitDir, 'ls-tree', '-r', '--name-only', second.commit).split('\n');
}

test('the canaries of these tests would run, if anybody ran git in the tree', () => {
  const gitDir = path.join(workspace.tree, '.git');
  put(gitDir, { config: poison(gitDir, 'agent') });
  put(workspace.tree, { 'src/a.txt': 'changed\n' });
  expect(() => git(workspace.tree, 'commit', '-qam', 'Work')).toThrow();
  expect(readdirSync(canaries).length).toBeGreaterThan(2);
});

describe('nothing that an agent planted runs on the host', () => {
  test('hooks, monitor, filters, drivers and programs in its own .git', async () => {
    const gitDir = path.join(workspace.tree, '.git');
    put(gitDir, { config: poison(gitDir, 'agent') });
    put(workspace.tree, {
      '.gitattributes': '* filter=evil diff=evil merge=evil\n*.txt filter=worse\n',
      'x.txt': 'x\n',
    });
    expect(await exercise()).toContain('x.txt');
  });

  test('a nested repository with its own monitor, whose files become plain ones', async () => {
    const nested = path.join(workspace.tree, 'vendor/lib');
    put(nested, { 'lib.c': 'int x;\n', '.gitattributes': '* filter=evil\n' });
    git(nested, 'init', '-q');
    git(nested, 'add', '-A');
    git(nested, 'commit', '-qm', 'Nested');
    put(path.join(nested, '.git'), { config: poison(path.join(nested, '.git'), 'nested') });
    put(nested, { 'lib.c': 'int y;\n' });
    expect(await exercise()).toEqual(expect.arrayContaining(['vendor/lib/.gitattributes', 'vendor/lib/lib.c']));
  });

  test('a nested repository in the place of a tracked file, and one in the place of a tracked directory', async () => {
    for (const name of ['README.md', 'src']) {
      const nested = path.join(workspace.tree, name);
      removeAll(nested);
      mkdirSync(nested);
      git(nested, 'init', '-q');
      put(nested, { 'inside.txt': 'x\n' });
      git(nested, 'add', '-A');
      git(nested, 'commit', '-qm', 'Nested');
      put(path.join(nested, '.git'), { config: poison(path.join(nested, '.git'), 'nested') });
    }
    expect(await exercise()).toEqual(['README.md/inside.txt', 'src/a.txt', 'src/inside.txt']);
  });

  test('a .git that is a symbolic link to a poisoned repository', async () => {
    const elsewhere = path.join(fixture.root, 'elsewhere');
    mkdirSync(elsewhere);
    git(elsewhere, 'init', '-q');
    put(path.join(elsewhere, '.git'), { config: poison(path.join(elsewhere, '.git'), 'linked') });
    removeAll(path.join(workspace.tree, '.git'));
    symlinkSync(path.join(elsewhere, '.git'), path.join(workspace.tree, '.git'));
    await exercise();
    expect(existsSync(path.join(elsewhere, '.git/config'))).toBe(true);
  });

  test('a .git file that points to a poisoned repository', async () => {
    const elsewhere = path.join(fixture.root, 'elsewhere');
    mkdirSync(elsewhere);
    git(elsewhere, 'init', '-q');
    put(path.join(elsewhere, '.git'), { config: poison(path.join(elsewhere, '.git'), 'file') });
    removeAll(path.join(workspace.tree, '.git'));
    writeFileSync(path.join(workspace.tree, '.git'), `gitdir: ${path.join(elsewhere, '.git')}\n`);
    await exercise();
  });

  test('configuration by include.path, and configuration files in the tree', async () => {
    const evil = poison(path.join(workspace.tree, '.git'), 'included');
    put(workspace.tree, { 'evil.config': evil, '.gitconfig': evil, '.config/git/config': evil, '.gitmodules': evil });
    put(workspace.tree, { '.git/config': `[include]\n\tpath = ${path.join(workspace.tree, 'evil.config')}\n` });
    await exercise();
  });

  test('a bare repository in the tree, and a .git that points to the host store', async () => {
    mkdirSync(path.join(workspace.tree, 'embedded'));
    git(path.join(workspace.tree, 'embedded'), 'init', '-q', '--bare');
    put(path.join(workspace.tree, 'embedded'), { config: poison(path.join(workspace.tree, 'embedded'), 'embedded') });
    removeAll(path.join(workspace.tree, '.git'));
    symlinkSync(fixture.bare.gitDir, path.join(workspace.tree, '.git'));
    await exercise();
    expect(git(fixture.bare.gitDir, 'fsck')).not.toMatch(/error|missing/);
    expect(existsSync(path.join(fixture.bare.gitDir, 'HEAD'))).toBe(true);
  });
});

test('links planted in a used checkout lead no clean-up astray', async () => {
  const { bare, base, root } = fixture;
  const pool = new CheckoutPool({ bare, directory: path.join(root, 'pool') });
  const precious = path.join(root, 'precious');
  put(precious, { 'a.txt': 'precious\n', 'deep/x.txt': 'x\n' });
  const { directory } = await pool.acquire('one', base);
  rmSync(path.join(directory, 'src'), { recursive: true });
  symlinkSync(precious, path.join(directory, 'src'));
  removeAll(path.join(directory, '.git'));
  symlinkSync(precious, path.join(directory, '.git'));
  symlinkSync(precious, path.join(directory, 'extra'));
  pool.release('one');
  const again = await pool.acquire('two', base);
  expect(again.directory).not.toBe(directory);
  expect(git(again.directory, 'status', '--porcelain', '--ignored')).toBe('');
  expect(readdirSync(precious).sort()).toEqual(['a.txt', 'deep']);
});
