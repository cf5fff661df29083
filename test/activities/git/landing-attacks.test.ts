import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { land, publish, type LandingResult } from '../../../activities/git/landing.ts';
import { careless, Canaries, HOOKS } from './canaries.ts';
import { git, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;
let canaries: Canaries;

beforeEach(async () => {
  fixture = await makeFixture();
  canaries = new Canaries(fixture.root);
});
afterEach(() => fixture.remove());

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
    const texts = Object.entries(files).map(([name, text]) => [
      name,
      text.replace('CANARY', canaries.command('landed')),
    ]);
    const first = await landing(Object.fromEntries(texts) as Record<string, string>);
    // Settings take effect with the next landing only, a program with this one.
    expect(first).toEqual(key === 'include.path' ? landed : refused(reason));
    const second = await landing({ '.gitattributes': '*.txt filter=evil\n', 'more.txt': 'more\n' });
    if (key === 'include.path') expect(second).toEqual(refused(reason));
    expect(canaries.woken).toEqual([]);
    // Whoever brings it all into that checkout by git runs it.
    const clone = path.join(fixture.root, 'clone-1');
    git(clone, 'config', key, value);
    put(clone, { '.gitattributes': '*.txt filter=evil\n', 'more.txt': 'more\n' });
    careless(clone, ['add', 'more.txt']);
    rmSync(path.join(clone, 'more.txt'));
    careless(clone, ['checkout', 'more.txt']);
    expect(canaries.woken).toEqual(['landed']);
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
    git(userDirectory, 'config', 'core.alternateRefsCommand', canaries.command('refs'));
    canaries.expectToFire(userDirectory, 'refs', [['fetch', '-q', fixture.bare.gitDir]]);
    expect(await landing({ 'new.txt': 'new\n' })).toEqual(landed);
    expect(canaries.woken).toEqual([]);
  });

  test('hooks and submodules that work brings along, with recursion switched on', async () => {
    git(fixture.userDirectory, 'config', 'core.hooksPath', '.githooks');
    git(fixture.userDirectory, 'config', 'submodule.recurse', 'true');
    git(fixture.userDirectory, 'config', 'submodule.active', '.');
    const hooks = HOOKS.map((hook) => [`.githooks/${hook}`, `#!/bin/sh\n${canaries.command(hook)}\n`]);
    const modules = ['--upload-pack=touch x', 'ext::sh -c touch% x', '-u./x', '../../../etc'].map(
      (url, at) =>
        `[submodule "../m${at}"]\n\tpath = ${url}\n\turl = ${url}\n\tupdate = "!${canaries.command('submodule')}"\n`,
    );
    // Its directory in `.git/modules` would be one of the work tree.
    modules.push('[submodule "../../evil"]\n\tpath = vendor/evil\n\turl = ./evil\n');
    const evil = { config: `[core]\n\tfsmonitor = "${canaries.command('evil')}"\n`, HEAD: 'ref: refs/heads/main\n' };
    const repository = { ...evil, 'objects/info/x': '', 'refs/heads/x': '' };
    const planted = Object.entries(repository).map(([name, text]) => [`evil/${name}`, text]);
    const files = Object.fromEntries([...hooks, ...planted]) as Record<string, string>;
    expect(await landing({ ...files, '.gitmodules': modules.join('') })).toEqual(landed);
    expect(await landing({ 'more.txt': 'more\n' })).toEqual(landed);
    const { bare, user, userDirectory } = fixture;
    const commit = pointing(git(userDirectory, 'rev-parse', 'main'), 'vendor/evil', fixture.base);
    expect(await land({ bare, user, branch: 'main', commit })).toEqual(landed);
    expect(canaries.woken).toEqual([]);
    careless(userDirectory, ['commit', '-q', '--allow-empty', '-m', 'Mine']);
    expect(canaries.woken).toEqual(expect.arrayContaining(['pre-commit', 'reference-transaction']));
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
    put(gitDir, {
      config: `${readFileSync(path.join(gitDir, 'config'), 'utf8')}${canaries.poison(gitDir, 'submodule')}`,
    });
    git(userDirectory, 'config', 'submodule.recurse', 'true');
    const moved = pointing(begin, 'vendor/lib', next);
    expect(await land({ bare, user, branch: 'main', commit: moved })).toEqual(landed);
    expect(git(userDirectory, 'rev-parse', ':vendor/lib')).toBe(next);
    expect(readFileSync(path.join(inside, 'lib.txt'), 'utf8')).toBe('lib\n');
    expect(canaries.woken).toEqual([]);
    // Anybody else's git goes into it.
    git(userDirectory, 'read-tree', begin);
    git(userDirectory, 'read-tree', '-u', '-m', moved);
    expect(canaries.woken).not.toEqual([]);
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
