import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { mergeCandidate } from '../../../activities/git/candidate.ts';
import { CheckoutPool } from '../../../activities/git/checkout-pool.ts';
import { removeAll } from '../../../activities/git/remove-tree.ts';
import { changedPaths, patch } from '../../../activities/git/diff.ts';
import { land, publish } from '../../../activities/git/landing.ts';
import { snapshot } from '../../../activities/git/snapshot.ts';
import { removeWorkspace, type Workspace } from '../../../activities/git/workspace.ts';
import { careless, carelessReading, Canaries, HOOKS } from './canaries.ts';
import { author, git, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;
let workspace: Workspace & { directory: string };
let canaries: Canaries;

beforeEach(async () => {
  fixture = await makeFixture();
  workspace = await fixture.workspace();
  canaries = new Canaries(fixture.root);
});
afterEach(() => fixture.remove());

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
  put(checkout.directory, { '.git/config': canaries.poison(path.join(checkout.directory, '.git'), 'checkout') });
  canaries.expectToFire(checkout.directory, 'checkout-fsmonitor');
  pool.release('check');
  await pool.acquire('check', base);
  await publish({ bare, user, branch: 'main', commit: merged.commit });
  expect(await land({ bare, user, branch: 'main', commit: merged.commit })).toEqual({ outcome: 'landed' });
  await removeWorkspace(workspace.directory, pool);
  await pool.acquire('next', merged.commit);
  expect(canaries.woken).toEqual([]);
  return git(bare.gitDir, 'ls-tree', '-r', '--name-only', second.commit).split('\n');
}

test('each of the canaries of these tests runs where a careless git is used', () => {
  const gitDir = path.join(workspace.tree, '.git');
  const { tree } = workspace;
  put(gitDir, { config: canaries.poison(gitDir, 'agent') });
  careless(tree, ['config', 'core.bare', 'false'], ['config', 'receive.denyCurrentBranch', 'updateInstead']);
  const unsigned = ['-c', 'commit.gpgSign=false'];
  const commit = [...unsigned, 'commit', '-qa'];
  put(tree, { 'src/a.txt': 'changed\n' });
  careless(tree, ['diff'], ['diff', '--no-ext-diff'], [...commit, '-m', 'Work'], [...commit, '--amend', '-m', 'Again']);
  careless(tree, [...commit, '--allow-empty'], ['commit', '--allow-empty', '-m', 'Signed']);
  const work = git(tree, 'rev-parse', 'HEAD');
  careless(tree, ['repack', '-q']);
  careless(tree, ['checkout', '-q', '-B', 'other', `${work}~1`]);
  put(tree, { 'src/a.txt': 'changed in another way\n' });
  careless(tree, [...commit, '-m', 'Other'], [...unsigned, 'merge', '-q', '--no-edit', work]);
  careless(tree, ['push', '-q', '.', 'HEAD:refs/heads/pushed'], ['checkout', '-q', '-B', 'behind', 'HEAD~1']);
  careless(tree, ['push', '-q', '.', 'other:behind'], ['fetch', '-q', '.', 'other'], ['fetch', fixture.bare.gitDir]);
  careless(
    tree,
    ['repack', '-q'],
    ['-c', 'gc.autoPackLimit=1', 'gc', '--auto', '-q'],
    ['cat-file', 'blob', 'f'.repeat(40)],
  );
  careless(tree, ['format-patch', '-q', '-1', '-o', fixture.root, work], ['checkout', '-q', `${work}~1`]);
  careless(tree, [...unsigned, 'am', '-q', path.join(fixture.root, '0001-Again.patch')]);
  carelessReading(tree, 'protocol=https\nhost=example.org\n\n', 'credential', 'fill');
  carelessReading(tree, 'Title\n\nText\n', 'interpret-trailers');
  rmSync(path.join(gitDir, 'info/attributes'));
  put(tree, { '.gitattributes': '*.txt filter=worse\n', 'x.txt': 'x\n', 'README.md': 'changed\n' });
  careless(tree, ['add', 'x.txt'], ['-c', 'core.attributesFile=/dev/null', 'diff']);
  // These want a mailer, a setting of receivers that is not there, another name, a terminal, or to be the user's own.
  const dormant = ['sendemail-validate', 'proc-receive', 'fsmonitor-watchman', 'pager', 'pack'];
  const others =
    'fsmonitor ssh pager editor refs clean smudge process external textconv diff driver pack url trailer gpg cred';
  const expected = [...HOOKS, ...others.split(' ')].filter((name) => !dormant.includes(name));
  expect(canaries.woken).toEqual(expected.map((name) => `agent-${name}`).sort());
});

describe('nothing that an agent planted runs on the host', () => {
  test('hooks, monitor, filters, drivers and programs in its own .git', async () => {
    const gitDir = path.join(workspace.tree, '.git');
    put(gitDir, { config: canaries.poison(gitDir, 'agent') });
    put(workspace.tree, {
      '.gitattributes': '* filter=evil diff=evil merge=evil\n*.txt filter=worse\n',
      'x.txt': 'x\n',
    });
    canaries.expectToFire(workspace.tree, 'agent-fsmonitor');
    expect(await exercise()).toContain('x.txt');
  });

  test('a nested repository with its own monitor, whose files become plain ones', async () => {
    const nested = path.join(workspace.tree, 'vendor/lib');
    put(nested, { 'lib.c': 'int x;\n', '.gitattributes': '* filter=evil\n' });
    git(nested, 'init', '-q');
    git(nested, 'add', '-A');
    git(nested, 'commit', '-qm', 'Nested');
    put(path.join(nested, '.git'), { config: canaries.poison(path.join(nested, '.git'), 'nested') });
    put(nested, { 'lib.c': 'int y;\n' });
    canaries.expectToFire(nested, 'nested-clean');
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
      put(path.join(nested, '.git'), { config: canaries.poison(path.join(nested, '.git'), 'nested') });
      canaries.expectToFire(nested, 'nested-fsmonitor');
    }
    expect(await exercise()).toEqual(['README.md/inside.txt', 'src/a.txt', 'src/inside.txt']);
  });

  test('a .git that is a symbolic link to a poisoned repository', async () => {
    const elsewhere = path.join(fixture.root, 'elsewhere');
    mkdirSync(elsewhere);
    git(elsewhere, 'init', '-q');
    put(path.join(elsewhere, '.git'), { config: canaries.poison(path.join(elsewhere, '.git'), 'linked') });
    removeAll(path.join(workspace.tree, '.git'));
    symlinkSync(path.join(elsewhere, '.git'), path.join(workspace.tree, '.git'));
    canaries.expectToFire(workspace.tree, 'linked-fsmonitor');
    await exercise();
    expect(existsSync(path.join(elsewhere, '.git/config'))).toBe(true);
  });

  test('a .git file that points to a poisoned repository', async () => {
    const elsewhere = path.join(fixture.root, 'elsewhere');
    mkdirSync(elsewhere);
    git(elsewhere, 'init', '-q');
    put(path.join(elsewhere, '.git'), { config: canaries.poison(path.join(elsewhere, '.git'), 'file') });
    removeAll(path.join(workspace.tree, '.git'));
    writeFileSync(path.join(workspace.tree, '.git'), `gitdir: ${path.join(elsewhere, '.git')}\n`);
    canaries.expectToFire(workspace.tree, 'file-fsmonitor');
    await exercise();
  });

  test('configuration by include.path, and configuration files in the tree', async () => {
    const evil = canaries.poison(path.join(workspace.tree, '.git'), 'included');
    put(workspace.tree, { 'evil.config': evil, '.gitconfig': evil, '.config/git/config': evil, '.gitmodules': evil });
    put(workspace.tree, { '.git/config': `[include]\n\tpath = ${path.join(workspace.tree, 'evil.config')}\n` });
    canaries.expectToFire(workspace.tree, 'included-fsmonitor');
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
      config: canaries.poison(gitDir, 'agent'),
      'objects/info/alternates': `${path.join(secret, '.git/objects')}\n`,
      'objects/info/http-alternates': 'http://127.0.0.1:1/\n',
      'info/grafts': `${fixture.base} ${git(secret, 'rev-parse', 'HEAD')}\n`,
      [`refs/replace/${fixture.base}`]: `${git(secret, 'rev-parse', 'HEAD')}\n`,
      HEAD: `${git(secret, 'rev-parse', 'HEAD')}\n`,
      shallow: `${fixture.base}\n`,
    });
    put(workspace.tree, { 'x.txt': 'x\n' });
    const borrowed = git(secret, 'rev-parse', 'HEAD:secret.txt');
    expect(git(workspace.tree, 'cat-file', 'blob', borrowed)).toBe('secret of the host');
    canaries.expectToFire(workspace.tree, 'agent-fsmonitor');
    expect(await exercise()).toEqual(['README.md', 'src/a.txt', 'x.txt']);
    const all = git(fixture.bare.gitDir, 'cat-file', '--batch-all-objects', '--batch');
    expect(all).not.toContain('secret of the host');
  });

  test('a bare repository in the tree, and a .git that points to the host store', async () => {
    mkdirSync(path.join(workspace.tree, 'embedded'));
    git(path.join(workspace.tree, 'embedded'), 'init', '-q', '--bare');
    put(path.join(workspace.tree, 'embedded'), {
      config: canaries.poison(path.join(workspace.tree, 'embedded'), 'embedded'),
    });
    canaries.expectToFire(path.join(workspace.tree, 'embedded'), 'embedded-ssh', [
      ['cat-file', 'blob', 'f'.repeat(40)],
    ]);
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
