import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { lockMarker } from '../../../activities/git/push-to-checkout.ts';
import { HalfMovedWorld, type Entry, type Tree } from './half-moved-world.ts';
import { digest, git, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;
let world: HalfMovedWorld;

beforeEach(async () => {
  fixture = await makeFixture({ 'same.txt': 'same\n', 'old.txt': 'old\n', 'changed.txt': 'before\n' });
  world = new HalfMovedWorld(fixture);
});
afterEach(() => fixture.remove());

const FROM: Tree = {
  'same.txt': { kind: 'file', text: 'same\n' },
  'old.txt': { kind: 'file', text: 'old\n' },
  'changed.txt': { kind: 'file', text: 'before\n' },
};
const TO: Tree = {
  'same.txt': { kind: 'file', text: 'same\n' },
  'changed.txt': { kind: 'file', text: 'after, and longer\n' },
  'deep/new.txt': { kind: 'file', text: 'new\n' },
};

describe('a landing that was killed', () => {
  test.each<[string, () => void]>([
    ['before anything moved', () => undefined],
    ['after a file was deleted', () => world.place('old.txt', undefined)],
    ['between the removal of a file and its new content', () => world.place('changed.txt', undefined)],
    ['in the middle of a file', () => world.place('changed.txt', TO['changed.txt'], 5)],
    ['after it made an empty file', () => world.place('deep/new.txt', TO['deep/new.txt'], 0)],
    ['before it wrote the index', () => Object.keys({ ...FROM, ...TO }).forEach((name) => world.place(name, TO[name]))],
  ])('%s is finished by the next one', async (_, half) => {
    const commit = world.commitTree(TO, fixture.base);
    const { id } = world.begin(fixture.base, commit);
    put(fixture.userDirectory, { '.git/index.lock': lockMarker(id), '.git/index.signalbox': 'x', 'notes.txt': 'mine' });
    half();
    expect((await world.landing(commit)).outcome).toMatch(/landed|already/);
    world.expectAt(commit, ['notes.txt']);
    expect(git(fixture.userDirectory, 'reflog', 'show', 'HEAD').split('\n')[0]).toMatch(/push/);
  });

  test('after the index, with the ref locked, is finished when those locks are surely stale', async () => {
    const commit = world.commitTree(TO, fixture.base);
    world.begin(fixture.base, commit);
    git(fixture.userDirectory, 'read-tree', '-u', '-m', commit);
    const locks = ['refs/heads/main.lock', 'HEAD.lock'].map((name) => path.join(fixture.userDirectory, '.git', name));
    writeFileSync(locks[0]!, `${commit}\n`);
    writeFileSync(locks[1]!, '');
    expect(await world.landing(commit)).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/locks a ref/) as unknown,
    });
    for (const lock of locks) utimesSync(lock, 1, 1);
    expect(await world.landing(commit)).toEqual({ outcome: 'already' });
    world.expectAt(commit);
  });

  test("after the ref, leaving a lock on the user's HEAD, is tidied up", async () => {
    const commit = world.commitTree(TO, fixture.base);
    world.begin(fixture.base, commit);
    git(fixture.userDirectory, 'read-tree', '-u', '-m', commit);
    git(fixture.userDirectory, 'update-ref', 'refs/heads/main', commit);
    put(fixture.userDirectory, { '.git/HEAD.lock': '' });
    utimesSync(path.join(fixture.userDirectory, '.git/HEAD.lock'), 1, 1);
    expect(await world.landing(commit)).toEqual({ outcome: 'already' });
    world.expectAt(commit);
  });

  test('is finished, and then the next one lands on top of it', async () => {
    const commit = world.commitTree(TO, fixture.base);
    const next = fixture.commitFiles(commit, { 'changed.txt': 'once more\n', 'third.txt': '3\n' });
    world.begin(fixture.base, commit);
    world.place('changed.txt', TO['changed.txt']);
    expect(await world.landing(next)).toEqual({ outcome: 'landed' });
    world.expectAt(next);
  });

  test('whose objects had not arrived is made anew', async () => {
    const commit = fixture.commitFiles(fixture.base, { 'changed.txt': 'after\n' });
    world.begin(fixture.base, commit);
    expect(await world.landing(commit)).toEqual({ outcome: 'landed' });
    world.expectAt(commit);
  });

  test('in a linked worktree is finished there', async () => {
    const linked = path.join(fixture.root, 'linked');
    git(fixture.userDirectory, 'checkout', '-q', '-b', 'elsewhere');
    git(fixture.userDirectory, 'worktree', 'add', '-q', linked, 'main');
    const commit = world.commitTree(TO, fixture.base);
    const gitDir = path.join(fixture.user.commonDir, 'worktrees', 'linked');
    const { id } = world.begin(fixture.base, commit, gitDir);
    writeFileSync(path.join(gitDir, 'index.lock'), lockMarker(id));
    rmSync(path.join(linked, 'old.txt'));
    put(linked, { 'changed.txt': 'after, an' });
    const before = digest(fixture.userDirectory, '.git');
    expect(await world.landing(commit)).toEqual({ outcome: 'already' });
    expect(git(linked, 'status', '--porcelain')).toBe('');
    expect(git(linked, 'rev-parse', 'HEAD', 'main')).toBe(`${commit}\n${commit}`);
    expect(digest(fixture.userDirectory, '.git')).toBe(before);
    expect(git(fixture.userDirectory, 'status', '--porcelain')).toBe('');
  });
});

describe('a landing that was killed goes on under the settings of the checkout', () => {
  test('core.autocrlf: all files end up with its line endings', async () => {
    const { userDirectory, base } = fixture;
    git(userDirectory, 'config', 'core.autocrlf', 'true');
    const commit = world.commitTree(TO, base);
    world.begin(base, commit);
    put(userDirectory, { 'changed.txt': 'after, and longer\r\n', 'deep/new.txt': 'new\r' });
    expect(await world.landing(commit)).toEqual({ outcome: 'already' });
    world.expectAt(commit);
    expect(readFileSync(path.join(userDirectory, 'deep/new.txt'), 'latin1')).toBe('new\r\n');
  });

  test('attributes of which half have moved', async () => {
    const { userDirectory, base } = fixture;
    const file = (text: string): Entry => ({ kind: 'file', text });
    const from = world.commitTree(
      { ...FROM, '.gitattributes': file('*.old text eol=crlf\n'), 'a.old': file('1\n') },
      base,
    );
    git(userDirectory, 'reset', '-q', '--hard', from);
    await fixture.bare.importBranch(fixture.user, 'main');
    const attributes = file('*.new text eol=crlf\n');
    const commit = world.commitTree(
      { ...FROM, '.gitattributes': attributes, 'a.old': file('2\n'), 'b.new': file('3\n') },
      from,
    );
    for (const half of [{ 'b.new': '3\r\n' }, { '.gitattributes': attributes.text }, { 'b.new': '3\r' }]) {
      git(userDirectory, 'reset', '-q', '--hard', from);
      git(userDirectory, 'clean', '-qfd');
      world.begin(from, commit);
      put(userDirectory, half);
      expect(await world.landing(commit)).toEqual({ outcome: 'already' });
      world.expectAt(commit);
      expect(readFileSync(path.join(userDirectory, 'b.new'), 'latin1')).toBe('3\r\n');
    }
  });

  test.each([['--no-sparse-index'], ['--sparse-index']])('a sparse checkout, %s, stays sparse', async (kind) => {
    const { userDirectory, base } = fixture;
    const file = (text: string): Entry => ({ kind: 'file', text });
    const from = world.commitTree(
      { 'in/a': file('1\n'), 'in/b': file('1\n'), 'out/a': file('1\n'), 'out/b': file('1\n') },
      base,
    );
    git(userDirectory, 'reset', '-q', '--hard', from);
    git(userDirectory, 'sparse-checkout', 'set', '--cone', kind, 'in');
    await fixture.bare.importBranch(fixture.user, 'main');
    const commit = world.commitTree(
      { 'in/a': file('2\n'), 'in/b': file('2\n'), 'out/a': file('2\n'), 'out/c': file('2\n'), 'in/c': file('2\n') },
      from,
    );
    world.begin(from, commit);
    put(userDirectory, { 'in/a': '2\n' });
    expect(await world.landing(commit)).toEqual({ outcome: 'already' });
    world.expectAt(commit);
    expect(readdirSync(userDirectory).sort()).toEqual(['.git', 'in']);
    expect(readdirSync(path.join(userDirectory, 'in'))).toEqual(['a', 'b', 'c']);
    expect(git(userDirectory, 'ls-files', '-t')).toBe('H in/a\nH in/b\nH in/c\nS out/a\nS out/c');
  });
});

describe('a landing that was killed, and then the user', () => {
  /** Half of it moved; then the user did something that it must not touch. */
  async function expectRefusal(edit: () => void, reason: RegExp): Promise<void> {
    const commit = world.commitTree(TO, fixture.base);
    world.begin(fixture.base, commit);
    world.place('old.txt', undefined);
    world.place('deep/new.txt', TO['deep/new.txt']);
    edit();
    const before = digest(fixture.userDirectory, '.git/objects');
    expect(await world.landing(commit)).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(reason) as unknown,
      hint: expect.stringMatching(/reset --hard|if none does, remove/) as unknown,
    });
    expect(digest(fixture.userDirectory, '.git/objects')).toBe(before);
    expect(world.isUnderWay()).toBe(true);
  }

  test('changed a file that the landing does not touch', () =>
    expectRefusal(
      () => put(fixture.userDirectory, { 'same.txt': 'my words\n' }),
      /broke off .* same\.txt was changed/,
    ));

  test('changed a file that had moved', () =>
    expectRefusal(
      () => put(fixture.userDirectory, { 'deep/new.txt': 'new\nand mine\n' }),
      /deep\/new\.txt was changed/,
    ));

  test('changed a file that had not moved yet', () =>
    expectRefusal(() => put(fixture.userDirectory, { 'changed.txt': 'before\nmine\n' }), /changed\.txt was changed/));

  test('staged something', () =>
    expectRefusal(() => {
      put(fixture.userDirectory, { 'mine.txt': 'mine\n' });
      git(fixture.userDirectory, 'add', 'mine.txt');
    }, /other changes are staged/));

  test('made a file executable', () =>
    expectRefusal(() => chmodSync(path.join(fixture.userDirectory, 'deep/new.txt'), 0o755), /new\.txt was changed/));

  test('runs a command of theirs that holds the index', () =>
    expectRefusal(() => put(fixture.userDirectory, { '.git/index.lock': '' }), /index of .* is locked/));

  test('committed all of it, which is theirs to do: the next landing joins it', async () => {
    const commit = world.commitTree(TO, fixture.base);
    world.begin(fixture.base, commit);
    world.place('old.txt', undefined);
    git(fixture.userDirectory, 'commit', '-qam', 'Mine');
    const mine = git(fixture.userDirectory, 'rev-parse', 'HEAD');
    expect(await world.landing(commit)).toEqual({ outcome: 'diverged', theirs: mine });
    world.expectAt(mine);
  });

  test('reset the checkout, which leaves new files behind: these are known, and all lands', async () => {
    const commit = world.commitTree(TO, fixture.base);
    world.begin(fixture.base, commit);
    world.place('old.txt', undefined);
    world.place('deep/new.txt', TO['deep/new.txt']);
    git(fixture.userDirectory, 'reset', '-q', '--hard');
    expect((await world.landing(commit)).outcome).toMatch(/landed|already/);
    world.expectAt(commit);
  });

  test('went to another branch: the branch follows, and that checkout is left alone', async () => {
    const commit = world.commitTree(TO, fixture.base);
    world.begin(fixture.base, commit);
    world.place('old.txt', undefined);
    git(fixture.userDirectory, 'checkout', '-q', '-b', 'feature');
    const before = digest(fixture.userDirectory, '.git');
    expect(await world.landing(commit)).toEqual({ outcome: 'landed' });
    expect(digest(fixture.userDirectory, '.git')).toBe(before);
    expect(git(fixture.userDirectory, 'rev-parse', 'main', 'HEAD')).toBe(`${commit}\n${fixture.base}`);
  });

  test('only edited a file before anything moved, which is told as any other edit', async () => {
    const commit = world.commitTree(TO, fixture.base);
    world.begin(fixture.base, commit);
    put(fixture.userDirectory, { 'same.txt': 'my words\n' });
    expect(await world.landing(commit)).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/not clean/) as unknown,
    });
    expect(world.isUnderWay()).toBe(false);
  });
});

test('a landing that fails in the middle of the files, as a filter does, takes them back', async () => {
  const { userDirectory, base } = fixture;
  git(userDirectory, 'config', 'filter.broken.smudge', 'false');
  git(userDirectory, 'config', 'filter.broken.clean', 'cat');
  git(userDirectory, 'config', 'filter.broken.required', 'true');
  const files = { '.gitattributes': '*.bin filter=broken\n', 'a.txt': 'a\n', 'changed.txt': 'after\n', 'z.bin': 'z\n' };
  const commit = fixture.commitFiles(base, files);
  const before = digest(userDirectory, '.git');
  expect(await world.landing(commit)).toMatchObject({
    outcome: 'refused',
    reason: expect.stringMatching(/could not follow, and is as it was .*filter 'false' failed/) as unknown,
  });
  expect(digest(userDirectory, '.git')).toBe(before);
  world.expectAt(base);
  git(userDirectory, 'config', 'filter.broken.smudge', 'cat');
  expect(await world.landing(commit)).toEqual({ outcome: 'landed' });
  world.expectAt(commit);
});
