import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { mergeCandidate } from '../../../activities/git/candidate.ts';
import { CheckoutPool } from '../../../activities/git/checkout-pool.ts';
import { removeAll } from '../../../activities/git/remove-tree.ts';
import { changedPaths, patch } from '../../../activities/git/diff.ts';
import { land, publish, type LandingResult } from '../../../activities/git/landing.ts';
import { snapshot } from '../../../activities/git/snapshot.ts';
import { removeWorkspace, type Workspace } from '../../../activities/git/workspace.ts';
import { author, git, makeFixture, put, type Fixture } from './support.ts';

const HOOKS = (
  'applypatch-msg commit-msg fsmonitor-watchman post-checkout post-commit post-index-change post-merge ' +
  'post-rewrite post-update pre-commit pre-merge-commit pre-push pre-receive prepare-commit-msg ' +
  'push-to-checkout reference-transaction update proc-receive post-receive sendemail-validate ' +
  'pre-auto-gc'
).split(' ');

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
    // Whoever misses an object would fetch it from there, by ssh.
    `[remote "far"]\n\turl = ssh://127.0.0.1/far.git\n\tpromisor = true\n[remote]\n\tpushDefault = far`,
    `[uploadpack]\n\tpackObjectsHook = "${canary(`${name}-pack`)}"`,
    `[url "ext::sh -c '${canary(`${name}-url`)}' %20"]\n\tinsteadOf = ${fixture.root}\n\tpushInsteadOf = ${fixture.root}`,
    `[protocol "ext"]\n\tallow = always\n[trailer "x"]\n\tcommand = "${canary(`${name}-trailer`)}"`,
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
  expect(() => git(workspace.tree, 'cat-file', 'blob', 'f'.repeat(40))).toThrow();
  expect(readdirSync(canaries)).toContain('agent-ssh');
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

  test("objects borrowed from a repository of the agent's, and from where secrets of the host lie", async () => {
    const secret = path.join(fixture.root, 'private');
    mkdirSync(secret);
    git(secret, 'init', '-q');
    put(secret, { 'secret.txt': 'secret of the host\n' });
    git(secret, 'add', '-A');
    git(secret, 'commit', '-qm', 'Secret');
    const gitDir = path.join(workspace.tree, '.git');
    put(gitDir, {
      config: poison(gitDir, 'agent'),
      'objects/info/alternates': `${path.join(secret, '.git/objects')}\n`,
      'objects/info/http-alternates': 'http://127.0.0.1:1/\n',
      'info/grafts': `${fixture.base} ${git(secret, 'rev-parse', 'HEAD')}\n`,
      [`refs/replace/${fixture.base}`]: `${git(secret, 'rev-parse', 'HEAD')}\n`,
      HEAD: `${git(secret, 'rev-parse', 'HEAD')}\n`,
      shallow: `${fixture.base}\n`,
    });
    put(workspace.tree, { 'x.txt': 'x\n' });
    expect(await exercise()).toEqual(['README.md', 'src/a.txt', 'x.txt']);
    const all = git(fixture.bare.gitDir, 'cat-file', '--batch-all-objects', '--batch');
    expect(all).not.toContain('secret of the host');
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

describe("what landed before runs nothing when the user's checkout follows", () => {
  /** Lands some files, as work that was verified. */
  async function landing(files: Record<string, string>): Promise<LandingResult> {
    const { bare, user, userDirectory } = fixture;
    const commit = fixture.commitFiles(git(userDirectory, 'rev-parse', 'main'), files);
    await publish({ bare, user, branch: 'main', commit });
    return await land({ bare, user, branch: 'main', commit });
  }

  /** Commits a pointer of a submodule on top of a commit. */
  function pointing(parent: string, name: string, pointer: string): string {
    const { root, bare } = fixture;
    const clone = path.join(root, 'pointing');
    git(root, 'clone', '-q', bare.gitDir, clone);
    git(clone, 'fetch', '-q', 'origin', '+refs/*:refs/all/*');
    git(clone, 'checkout', '-q', '--detach', parent);
    git(clone, 'update-index', '--add', '--cacheinfo', `160000,${pointer},${name}`);
    git(clone, 'commit', '-qm', 'Point');
    git(clone, 'push', '-q', 'origin', 'HEAD:refs/test/pointing');
    return git(clone, 'rev-parse', 'HEAD');
  }

  const landed = { outcome: 'landed' };
  const refused = (what: RegExp): unknown => ({
    outcome: 'refused',
    reason: expect.stringMatching(what) as unknown,
    hint: expect.stringMatching(/outside of the repository/) as unknown,
  });

  test.each<[string, [key: string, value: string], Record<string, string>, RegExp]>([
    [
      'settings that the user includes from the work tree',
      ['include.path', '../.gitconfig'],
      { '.gitconfig': '[filter "evil"]\n\tsmudge = "CANARY"\n\tclean = cat\n' },
      /the filter evil is set in .*\.gitconfig/,
    ],
    [
      'a program of the work tree that the user has as a filter',
      ['filter.evil.smudge', './tools/smudge.sh %f'],
      { 'tools/smudge.sh': '#!/bin/sh\nCANARY\n' },
      /the filter evil runs \.\/tools\/smudge\.sh/,
    ],
    [
      'a script of the work tree that the user has an interpreter run',
      ['filter.evil.clean', 'sh -e clean.sh'],
      { 'clean.sh': 'CANARY\n' },
      /the filter evil runs clean\.sh/,
    ],
  ])('%s: the landing that would run it is refused', async (_, [key, value], files, reason) => {
    git(fixture.userDirectory, 'config', key, value);
    const texts = Object.entries(files).map(([name, text]) => [name, text.replace('CANARY', canary('landed'))]);
    const first = await landing(Object.fromEntries(texts) as Record<string, string>);
    // Settings take effect with the next landing only, a program with this one.
    expect(first).toEqual(key === 'include.path' ? landed : refused(reason));
    const second = await landing({ '.gitattributes': '*.txt filter=evil\n', 'more.txt': 'more\n' });
    if (key === 'include.path') expect(second).toEqual(refused(reason));
    expect(readdirSync(canaries)).toEqual([]);
  });

  test('filters that lie elsewhere, and what looks like a path in their commands, are the user’s business', async () => {
    git(fixture.userDirectory, 'config', 'filter.trim.clean', 'sed -e s/x/y/g');
    git(fixture.userDirectory, 'config', 'filter.trim.smudge', '/bin/cat');
    git(fixture.userDirectory, 'config', 'filter.lfs.process', 'git-lfs filter-process');
    expect(await landing({ '.gitattributes': '*.txt filter=trim\n', 'new.txt': 'y\n' })).toEqual(landed);
    expect(git(fixture.userDirectory, 'status', '--porcelain')).toBe('');
  });

  test('a command for the refs of others that such settings name', async () => {
    const { root, userDirectory } = fixture;
    git(root, 'clone', '-q', '--bare', userDirectory, 'other.git');
    put(userDirectory, { '.git/objects/info/alternates': `${path.join(root, 'other.git/objects')}\n` });
    git(userDirectory, 'config', 'core.alternateRefsCommand', canary('refs'));
    expect(await landing({ 'new.txt': 'new\n' })).toEqual(landed);
    expect(readdirSync(canaries)).toEqual([]);
  });

  test('hooks and submodules that work brings along, with recursion switched on', async () => {
    git(fixture.userDirectory, 'config', 'core.hooksPath', '.githooks');
    git(fixture.userDirectory, 'config', 'submodule.recurse', 'true');
    git(fixture.userDirectory, 'config', 'submodule.active', '.');
    const hooks = HOOKS.map((hook) => [`.githooks/${hook}`, `#!/bin/sh\n${canary(hook)}\n`]);
    const modules = ['--upload-pack=touch x', 'ext::sh -c touch% x', '-u./x', '../../../etc'].map(
      (url, at) => `[submodule "../m${at}"]\n\tpath = ${url}\n\turl = ${url}\n\tupdate = "!${canary('submodule')}"\n`,
    );
    // Its directory in `.git/modules` would be one of the work tree.
    modules.push('[submodule "../../evil"]\n\tpath = vendor/evil\n\turl = ./evil\n');
    const evil = { config: `[core]\n\tfsmonitor = "${canary('evil')}"\n`, HEAD: 'ref: refs/heads/main\n' };
    const repository = { ...evil, 'objects/info/x': '', 'refs/heads/x': '' };
    const planted = Object.entries(repository).map(([name, text]) => [`evil/${name}`, text]);
    const files = Object.fromEntries([...hooks, ...planted]) as Record<string, string>;
    expect(await landing({ ...files, '.gitmodules': modules.join('') })).toEqual(landed);
    expect(await landing({ 'more.txt': 'more\n' })).toEqual(landed);
    const { bare, user, userDirectory } = fixture;
    const commit = pointing(git(userDirectory, 'rev-parse', 'main'), 'vendor/evil', fixture.base);
    expect(await land({ bare, user, branch: 'main', commit })).toEqual(landed);
    expect(readdirSync(canaries)).toEqual([]);
  });

  test('a submodule that work moves, with recursion switched on: it stays as it was, and nothing runs in it', async () => {
    const { root, bare, user, userDirectory } = fixture;
    const library = path.join(root, 'library');
    put(library, { 'lib.txt': 'lib\n' });
    for (const args of [
      ['init', '-q'],
      ['add', '-A'],
      ['commit', '-qm', 'Library'],
    ])
      git(library, ...args);
    git(userDirectory, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'vendor/lib');
    git(userDirectory, 'commit', '-qm', 'Add the library');
    const begin = await bare.importBranch(user, 'main');
    const inside = path.join(userDirectory, 'vendor/lib');
    put(inside, { 'lib.txt': 'next\n' });
    git(inside, 'commit', '-qam', 'Next');
    const next = git(inside, 'rev-parse', 'HEAD');
    git(inside, 'reset', '-q', '--hard', 'HEAD~');
    const gitDir = path.join(userDirectory, '.git/modules/vendor/lib');
    put(gitDir, { config: `${readFileSync(path.join(gitDir, 'config'), 'utf8')}${poison(gitDir, 'submodule')}` });
    git(userDirectory, 'config', 'submodule.recurse', 'true');
    const moved = pointing(begin, 'vendor/lib', next);
    expect(await land({ bare, user, branch: 'main', commit: moved })).toEqual(landed);
    expect(git(userDirectory, 'rev-parse', ':vendor/lib')).toBe(next);
    expect(readFileSync(path.join(inside, 'lib.txt'), 'utf8')).toBe('lib\n');
    expect(readdirSync(canaries)).toEqual([]);
    // Anybody else's git goes into it.
    git(userDirectory, 'read-tree', begin);
    git(userDirectory, 'read-tree', '-u', '-m', moved);
    expect(readdirSync(canaries)).not.toEqual([]);
  });

  test('a link out of the checkout that becomes a directory, and the other way round, touches nothing outside', async () => {
    const outside = path.join(fixture.root, 'outside');
    put(outside, { 'a.txt': 'precious\n', 'deep/b.txt': 'precious\n' });
    const { userDirectory, bare, user } = fixture;
    const clone = path.join(fixture.root, 'linking');
    git(fixture.root, 'clone', '-q', bare.gitDir, clone);
    const commitAll = (): string => {
      git(clone, 'add', '-A');
      git(clone, 'commit', '-qm', 'Work');
      git(clone, 'push', '-q', 'origin', 'HEAD:refs/test/link');
      return git(clone, 'rev-parse', 'HEAD');
    };
    const follow = async (): Promise<void> => {
      expect(await land({ bare, user, branch: 'main', commit: commitAll() })).toEqual(landed);
    };
    symlinkSync(outside, path.join(clone, 'out'));
    rmSync(path.join(clone, 'src'), { recursive: true });
    symlinkSync(outside, path.join(clone, 'src'));
    await follow();
    for (const name of ['out', 'src']) rmSync(path.join(clone, name));
    put(clone, { 'out/a.txt': 'evil\n', 'out/deep/b.txt': 'evil\n', 'src/a.txt': 'evil\n' });
    await follow();
    rmSync(path.join(clone, 'out'), { recursive: true });
    symlinkSync(path.join(outside, 'deep'), path.join(clone, 'out'));
    await follow();
    expect(readFileSync(path.join(outside, 'a.txt'), 'utf8')).toBe('precious\n');
    expect(readFileSync(path.join(outside, 'deep/b.txt'), 'utf8')).toBe('precious\n');
    expect(readdirSync(outside).sort()).toEqual(['a.txt', 'deep']);
    expect(git(userDirectory, 'status', '--porcelain')).toBe('');
  });
});
