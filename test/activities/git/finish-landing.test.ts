import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  chmodSync,
  existsSync,
  lstatSync,
  type Stats,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { land, type LandingResult } from '../../../activities/git/landing.ts';
import { LandingJournal, type Landing } from '../../../activities/git/landing-journal.ts';
import { lockMarker } from '../../../activities/git/push-to-checkout.ts';
import { digest, git, gitReading, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;

beforeEach(async () => {
  fixture = await makeFixture({ 'same.txt': 'same\n', 'old.txt': 'old\n', 'changed.txt': 'before\n' });
});
afterEach(() => fixture.remove());

/** A file of a tree, by its content; `link`: a symbolic link to that; `run`: executable. */
interface Entry {
  kind: 'file' | 'run' | 'link';
  text: string;
}
type Tree = Readonly<Record<string, Entry>>;

const MODES = { file: '100644', run: '100755', link: '120000' } as const;

/** Commits exactly a tree, in the user's own repository, where a push would have brought it, and in ours. */
function commitTree(tree: Tree, parent: string): string {
  const { userDirectory, bare, root } = fixture;
  const env = { GIT_INDEX_FILE: path.join(root, 'scratch-index') };
  rmSync(env.GIT_INDEX_FILE, { force: true });
  const lines = Object.entries(tree).map(([name, { kind, text }]) => {
    const id = gitReading(userDirectory, text, {}, 'hash-object', '-w', '--stdin');
    return `${MODES[kind]} ${id}\t${name}\n`;
  });
  gitReading(userDirectory, lines.join(''), env, 'update-index', '--index-info');
  const id = gitReading(userDirectory, '', env, 'write-tree');
  const commit = git(userDirectory, 'commit-tree', id, '-p', parent, '-m', 'Next');
  git(userDirectory, 'push', '-q', bare.gitDir, `${commit}:refs/test/${commit}`);
  return commit;
}

/** What lies at a path of the user's checkout, not following links; nothing below a file. */
function statOf(name: string): Stats | null {
  try {
    return lstatSync(path.join(fixture.userDirectory, name));
  } catch {
    return null;
  }
}

/** Is there room for a new file? */
function isFree(name: string): boolean {
  const above = name.split('/').slice(0, -1);
  return (
    statOf(name) === null && above.every((_, at) => statOf(above.slice(0, at + 1).join('/'))?.isDirectory() !== false)
  );
}

/** Puts on disk what a tree has at a path, or the first bytes of it; makes way for it as git would. */
function place(name: string, entry: Entry | undefined, bytes = Infinity): void {
  const file = path.join(fixture.userDirectory, name);
  if (statOf(name)?.isDirectory() === false) rmSync(file);
  if (entry === undefined) {
    for (let above = path.dirname(name); above !== '.'; above = path.dirname(above)) {
      const directory = path.join(fixture.userDirectory, above);
      if (statOf(above)?.isDirectory() !== true) continue;
      if (readdirSync(directory).length > 0) break;
      rmdirSync(directory);
    }
    return;
  }
  mkdirSync(path.dirname(file), { recursive: true });
  if (entry.kind === 'link') symlinkSync(entry.text, file);
  else writeFileSync(file, entry.text.slice(0, bytes));
  if (entry.kind === 'run') chmodSync(file, 0o755);
}

/** Says in the journal that a landing began. */
function begin(from: string, to: string, gitDir: string | null = fixture.user.gitDir): Landing {
  return new LandingJournal(fixture.bare, fixture.user.commonDir, 'main').begin({ branch: 'main', from, to, gitDir });
}

function landing(commit: string): Promise<LandingResult> {
  return land({ bare: fixture.bare, user: fixture.user, branch: 'main', commit });
}

function isUnderWay(): boolean {
  return new LandingJournal(fixture.bare, fixture.user.commonDir, 'main').read() !== null;
}

function expectAt(commit: string, untracked: readonly string[] = []): void {
  const { userDirectory } = fixture;
  expect(git(userDirectory, 'rev-parse', 'main')).toBe(commit);
  expect(git(userDirectory, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main');
  expect(git(userDirectory, 'status', '--porcelain', '-uall')).toBe(untracked.map((name) => `?? ${name}`).join('\n'));
  expect(git(userDirectory, 'diff', 'HEAD')).toBe('');
  expect(readdirSync(path.join(userDirectory, '.git')).filter((name) => /lock|signalbox/.test(name))).toEqual([]);
  expect(isUnderWay()).toBe(false);
}

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
    ['after a file was deleted', () => place('old.txt', undefined)],
    ['between the removal of a file and its new content', () => place('changed.txt', undefined)],
    ['in the middle of a file', () => place('changed.txt', TO['changed.txt'], 5)],
    ['after it made an empty file', () => place('deep/new.txt', TO['deep/new.txt'], 0)],
    ['before it wrote the index', () => Object.keys({ ...FROM, ...TO }).forEach((name) => place(name, TO[name]))],
  ])('%s is finished by the next one', async (_, half) => {
    const commit = commitTree(TO, fixture.base);
    const { id } = begin(fixture.base, commit);
    put(fixture.userDirectory, { '.git/index.lock': lockMarker(id), '.git/index.signalbox': 'x', 'notes.txt': 'mine' });
    half();
    expect((await landing(commit)).outcome).toMatch(/landed|already/);
    expectAt(commit, ['notes.txt']);
    expect(git(fixture.userDirectory, 'reflog', 'show', 'HEAD').split('\n')[0]).toMatch(/push/);
  });

  test('after the index, with the ref locked, is finished when those locks are surely stale', async () => {
    const commit = commitTree(TO, fixture.base);
    begin(fixture.base, commit);
    git(fixture.userDirectory, 'read-tree', '-u', '-m', commit);
    const locks = ['refs/heads/main.lock', 'HEAD.lock'].map((name) => path.join(fixture.userDirectory, '.git', name));
    writeFileSync(locks[0]!, `${commit}\n`);
    writeFileSync(locks[1]!, '');
    expect(await landing(commit)).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/locks a ref/) as unknown,
    });
    for (const lock of locks) utimesSync(lock, 1, 1);
    expect(await landing(commit)).toEqual({ outcome: 'already' });
    expectAt(commit);
  });

  test("after the ref, leaving a lock on the user's HEAD, is tidied up", async () => {
    const commit = commitTree(TO, fixture.base);
    begin(fixture.base, commit);
    git(fixture.userDirectory, 'read-tree', '-u', '-m', commit);
    git(fixture.userDirectory, 'update-ref', 'refs/heads/main', commit);
    put(fixture.userDirectory, { '.git/HEAD.lock': '' });
    utimesSync(path.join(fixture.userDirectory, '.git/HEAD.lock'), 1, 1);
    expect(await landing(commit)).toEqual({ outcome: 'already' });
    expectAt(commit);
  });

  test('is finished, and then the next one lands on top of it', async () => {
    const commit = commitTree(TO, fixture.base);
    const next = fixture.commitFiles(commit, { 'changed.txt': 'once more\n', 'third.txt': '3\n' });
    begin(fixture.base, commit);
    place('changed.txt', TO['changed.txt']);
    expect(await landing(next)).toEqual({ outcome: 'landed' });
    expectAt(next);
  });

  test('whose objects had not arrived is made anew', async () => {
    const commit = fixture.commitFiles(fixture.base, { 'changed.txt': 'after\n' });
    begin(fixture.base, commit);
    expect(await landing(commit)).toEqual({ outcome: 'landed' });
    expectAt(commit);
  });

  test('in a linked worktree is finished there', async () => {
    const linked = path.join(fixture.root, 'linked');
    git(fixture.userDirectory, 'checkout', '-q', '-b', 'elsewhere');
    git(fixture.userDirectory, 'worktree', 'add', '-q', linked, 'main');
    const commit = commitTree(TO, fixture.base);
    const gitDir = path.join(fixture.user.commonDir, 'worktrees', 'linked');
    const { id } = begin(fixture.base, commit, gitDir);
    writeFileSync(path.join(gitDir, 'index.lock'), lockMarker(id));
    rmSync(path.join(linked, 'old.txt'));
    put(linked, { 'changed.txt': 'after, an' });
    const before = digest(fixture.userDirectory, '.git');
    expect(await landing(commit)).toEqual({ outcome: 'already' });
    expect(git(linked, 'status', '--porcelain')).toBe('');
    expect(git(linked, 'rev-parse', 'HEAD', 'main')).toBe(`${commit}\n${commit}`);
    expect(digest(fixture.userDirectory, '.git')).toBe(before);
    expect(git(fixture.userDirectory, 'status', '--porcelain')).toBe('');
  });
});

describe('a landing that was killed, and then the user', () => {
  /** Half of it moved; then the user did something that it must not touch. */
  async function expectRefusal(edit: () => void, reason: RegExp): Promise<void> {
    const commit = commitTree(TO, fixture.base);
    begin(fixture.base, commit);
    place('old.txt', undefined);
    place('deep/new.txt', TO['deep/new.txt']);
    edit();
    const before = digest(fixture.userDirectory, '.git/objects');
    expect(await landing(commit)).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(reason) as unknown,
      hint: expect.stringMatching(/reset --hard|if none does, remove/) as unknown,
    });
    expect(digest(fixture.userDirectory, '.git/objects')).toBe(before);
    expect(isUnderWay()).toBe(true);
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
    const commit = commitTree(TO, fixture.base);
    begin(fixture.base, commit);
    place('old.txt', undefined);
    git(fixture.userDirectory, 'commit', '-qam', 'Mine');
    const mine = git(fixture.userDirectory, 'rev-parse', 'HEAD');
    expect(await landing(commit)).toEqual({ outcome: 'diverged', theirs: mine });
    expectAt(mine);
  });

  test('reset the checkout, which leaves new files behind: these are known, and all lands', async () => {
    const commit = commitTree(TO, fixture.base);
    begin(fixture.base, commit);
    place('old.txt', undefined);
    place('deep/new.txt', TO['deep/new.txt']);
    git(fixture.userDirectory, 'reset', '-q', '--hard');
    expect((await landing(commit)).outcome).toMatch(/landed|already/);
    expectAt(commit);
  });

  test('went to another branch: the branch follows, and that checkout is left alone', async () => {
    const commit = commitTree(TO, fixture.base);
    begin(fixture.base, commit);
    place('old.txt', undefined);
    git(fixture.userDirectory, 'checkout', '-q', '-b', 'feature');
    const before = digest(fixture.userDirectory, '.git');
    expect(await landing(commit)).toEqual({ outcome: 'landed' });
    expect(digest(fixture.userDirectory, '.git')).toBe(before);
    expect(git(fixture.userDirectory, 'rev-parse', 'main', 'HEAD')).toBe(`${commit}\n${fixture.base}`);
  });

  test('only edited a file before anything moved, which is told as any other edit', async () => {
    const commit = commitTree(TO, fixture.base);
    begin(fixture.base, commit);
    put(fixture.userDirectory, { 'same.txt': 'my words\n' });
    expect(await landing(commit)).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/not clean/) as unknown,
    });
    expect(isUnderWay()).toBe(false);
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
  expect(await landing(commit)).toMatchObject({
    outcome: 'refused',
    reason: expect.stringMatching(/could not follow, and is as it was .*filter 'false' failed/) as unknown,
  });
  expect(digest(userDirectory, '.git')).toBe(before);
  expectAt(base);
  git(userDirectory, 'config', 'filter.broken.smudge', 'cat');
  expect(await landing(commit)).toEqual({ outcome: 'landed' });
  expectAt(commit);
});

const names = ['a', 'b.txt', 'c c', 'd/x', 'd/y', 'e', 'e/f', 'ü"\\', 'e/g/h'] as const;
const entry = fc.record<Entry>({
  kind: fc.constantFrom('file', 'file', 'file', 'run', 'link'),
  text: fc.constantFrom('one', 'two, longer', 'three\n', 'lines\nof\ntext\n'),
});
/** A tree in which no name is a file and a directory. */
const tree = fc.dictionary(fc.constantFrom(...names), entry, { maxKeys: 7 }).map((found): Tree => {
  const all = Object.keys(found);
  const kept = Object.entries(found).filter(([name]) => !all.some((other) => name.startsWith(`${other}/`)));
  return { ...Object.fromEntries(kept), 'same.txt': { kind: 'file', text: 'same\n' } };
});
const EDITS = ['nothing', 'nothing', 'unmoved', 'moved', 'staged', 'in the way', 'beside', 'executable'] as const;

test('whatever had moved when a landing was killed, and whatever was edited since: all of it lands, or nothing is touched', async () => {
  const property = fc.asyncProperty(
    tree,
    tree,
    fc.array(fc.constantFrom('still', 'to', 'nothing', 'begun'), { minLength: 9, maxLength: 9 }),
    fc.constantFrom(...EDITS),
    fc.nat(8),
    fc.boolean(),
    async (before, after, states, edit, which, locked) => {
      const { userDirectory, base } = fixture;
      const from = commitTree(before, base);
      const to = commitTree(after, from);
      git(userDirectory, 'reset', '-q', '--hard', from);
      git(userDirectory, 'clean', '-qfdx');
      await fixture.bare.importBranch(fixture.user, 'main');
      const { id } = begin(from, to);
      if (locked) put(userDirectory, { '.git/index.lock': lockMarker(id) });

      const moved = [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
      const gone = moved.filter((_, at) => states[at] !== 'still');
      for (const name of gone) place(name, undefined);
      for (const [at, name] of moved.entries()) {
        const made = after[name];
        if (made === undefined || !gone.includes(name) || states[at] === 'nothing' || !isFree(name)) continue;
        place(name, made, states[at] === 'begun' && made.kind !== 'link' ? 2 : Infinity);
      }

      const [target = 'same.txt'] = moved.slice(which % Math.max(1, moved.length));
      const isFile = statOf(target)?.isFile() === true;
      const room = isFree(target) && after[target] !== undefined;
      const edits: Record<(typeof EDITS)[number], () => boolean> = {
        nothing: () => false,
        beside: () => (put(userDirectory, { 'beside.txt': 'mine\n' }), false),
        unmoved: () => (put(userDirectory, { 'same.txt': 'my own words\n' }), true),
        moved: () => isFile && (put(userDirectory, { [target]: 'my own words\n' }), true),
        staged: () => (put(userDirectory, { mine: 'm' }), git(userDirectory, 'update-index', '--add', 'mine'), true),
        'in the way': () => room && (put(userDirectory, { [target]: 'precious\n' }), true),
        executable: () => (chmodSync(path.join(userDirectory, 'same.txt'), 0o755), true),
      };
      if (edit === 'staged' && locked) rmSync(path.join(userDirectory, '.git/index.lock'));
      const edited = edits[edit]();
      const state = digest(userDirectory, '.git');
      const index = git(userDirectory, 'ls-files', '-s');
      const { outcome } = await landing(to);
      expect(existsSync(path.join(userDirectory, '.git/index.lock'))).toBe(false);
      if (edited) {
        expect(outcome).toBe('refused');
        expect(digest(userDirectory, '.git')).toBe(state);
        expect(git(userDirectory, 'ls-files', '-s')).toBe(index);
        expect(git(userDirectory, 'rev-parse', 'main')).toBe(from);
      } else {
        expect(outcome).toMatch(/landed|already/);
        expectAt(to, edit === 'beside' ? ['beside.txt'] : []);
        if (edit === 'beside') expect(readFileSync(path.join(userDirectory, 'beside.txt'), 'utf8')).toBe('mine\n');
      }
      rmSync(new LandingJournal(fixture.bare, fixture.user.commonDir, 'main').directory, {
        recursive: true,
        force: true,
      });
    },
  );
  await fc.assert(property, { numRuns: Number(process.env['LANDING_RUNS'] ?? 25) });
}, 240_000);
