import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { trivialMerge } from '../../../activities/git/trivial-merge.ts';
import { git, makeFixture, type Fixture } from './support.ts';

/** How many random merges are compared; more find more. */
const RUNS = Number(process.env['SIGNALBOX_MERGES'] ?? 100);

let fixture: Fixture;
beforeAll(async () => {
  fixture = await makeFixture({ 'a.txt': 'a\n' });
});
afterAll(() => fixture.remove());

/** Files by path, each `[mode, content]`. */
type Files = Record<string, readonly [string, string]>;

/** Contents long enough that git takes a moved one for renamed, and few, so that both sides write the same at times. */
const CONTENTS = ['one', 'two', 'three'].map((word) => `${word}\n`.repeat(12));
const NAMES = ['a', 'a.b', 'a-b', 'é', 'z'];
const DIRECTORIES = ['', 'd/', 'd/e/', 'f/', 'f/g/h/'];

const file = fc.tuple(fc.constantFrom(...DIRECTORIES), fc.constantFrom(...NAMES)).map((parts) => parts.join(''));
const entry = fc.tuple(fc.constantFrom('100644', '100644', '100755', '120000'), fc.constantFrom(...CONTENTS));

/** What a side does: writes a file, removes one, or moves one, or a directory. */
const edit = fc.oneof(
  { weight: 6, arbitrary: fc.record({ write: file, entry }) },
  { weight: 1, arbitrary: fc.record({ remove: file }) },
  { weight: 1, arbitrary: fc.record({ move: file, to: file }) },
  {
    weight: 1,
    arbitrary: fc.record({ move: fc.constantFrom(...DIRECTORIES), to: fc.constantFrom(...DIRECTORIES, 'n/') }),
  },
);
const edits = fc.array(edit, { minLength: 1, maxLength: 3 });
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

/** The files after edits; what lies where a directory must be, or the other way round, gives way. */
function edited(files: Files, all: readonly Edit[]): Files {
  const result = new Map(Object.entries(files));
  const put = (name: string, what: readonly [string, string]): void => {
    for (const other of [...result.keys()])
      if (other.startsWith(`${name}/`) || name.startsWith(`${other}/`)) result.delete(other);
    result.set(name, what);
  };
  for (const one of all) {
    if ('write' in one) put(one.write, one.entry);
    else if ('remove' in one) result.delete(one.remove);
    else {
      const moved = [...result].filter(
        ([name]) => name === one.move || (/^$|\/$/.test(one.move) && name.startsWith(one.move)),
      );
      for (const [name] of moved) result.delete(name);
      for (const [name, what] of moved) put(one.to + name.slice(one.move.length), what);
    }
  }
  return Object.fromEntries(result);
}

/** Makes commits, each with all its files, on others of them, or on none; loose, as fresh ones are. */
function commit(list: readonly { files: Files; parents: readonly number[] }[]): string[] {
  const stream = list.map(({ files, parents }, index) => {
    const [first, ...others] = parents.map((parent) => `:${parent + 1}`);
    return [
      `commit refs/test/${index}`,
      `mark :${index + 1}`,
      'committer T <t@example.org> 1700000000 +0000',
      'data 1\nx',
      ...(first === undefined ? [] : [`from ${first}`]),
      ...others.map((parent) => `merge ${parent}`),
      'deleteall',
      ...Object.entries(files).map(([name, [mode, text]]) => `M ${mode} inline ${name}\ndata ${text.length}\n${text}`),
      '',
    ].join('\n');
  });
  const args = ['-c', 'fastimport.unpackLimit=100000', 'fast-import', '--quiet', '--force', '--done'];
  const marks = list.map((_, index) => `get-mark :${index + 1}\n`).join('');
  const { stdout, stderr } = spawnSync('git', args, {
    cwd: fixture.bare.gitDir,
    input: `${stream.join('')}${marks}done\n`,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

/** What git makes of it: the tree, or `null` for a conflict. */
function byGit(ours: string, theirs: string): string | null {
  const { status, stdout } = spawnSync('git', ['merge-tree', '--write-tree', ours, theirs], {
    cwd: fixture.bare.gitDir,
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : null;
}

describe('a trivial merge', () => {
  test('has the very tree that git would make, for whatever the two sides changed, moved and removed', async () => {
    let trivial = 0;
    let asked = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(file, entry), { maxLength: 8 }), edits, edits, edits, async (...given) => {
        const [start, first, second, their] = given;
        const base = edited(
          {},
          start.map(([write, what]) => ({ write, entry: what })),
        );
        // The tip merged somebody's work before; theirs is two commits.
        const one = edited(base, first);
        const both = edited(one, second);
        const half = edited(base, their.slice(0, 1));
        const commits = [
          { files: base, parents: [] },
          { files: one, parents: [0] },
          { files: both, parents: [0, 1] },
          { files: half, parents: [0] },
          { files: edited(half, their.slice(1)), parents: [3] },
        ];
        const [, , tip = '', , work = ''] = commit(commits);
        const merged = await trivialMerge(fixture.bare, tip, work);
        asked += 1;
        if (merged === null) return;
        trivial += 1;
        expect(merged).toBe(byGit(tip, work));
      }),
      { numRuns: RUNS },
    );
    expect(trivial).toBeGreaterThan(asked / 4);
    expect(git(fixture.bare.gitDir, 'fsck', '--strict', '--no-dangling')).toBe('');
  });

  test('is none where git would move one side’s new file with a directory that the other renamed', async () => {
    const text = (word: string) => ['100644', `${word}\n`.repeat(12)] as const;
    const base: Files = { 'd/a': text('a'), 'd/b': text('b'), other: text('o') };
    const renamed: Files = { 'n/a': text('a'), 'n/b': text('b'), other: text('o') };
    const added: Files = { ...base, 'd/c': text('c') };
    const [, ours = '', theirs = ''] = commit([
      { files: base, parents: [] },
      { files: renamed, parents: [0] },
      { files: added, parents: [0] },
    ]);
    expect(byGit(ours, theirs)).toBeNull();
    expect(await trivialMerge(fixture.bare, ours, theirs)).toBeNull();
    expect(await trivialMerge(fixture.bare, theirs, ours)).toBeNull();
  });

  test('does not bring back what was merged and reverted since', async () => {
    const files = (word: string): Files => ({ a: ['100644', word] });
    const [, work = '', , tip = ''] = commit([
      { files: files('1'), parents: [] },
      { files: files('2'), parents: [0] },
      { files: files('2'), parents: [0, 1] },
      { files: files('1'), parents: [2] },
    ]);
    expect(await trivialMerge(fixture.bare, tip, work)).toBeNull();
    expect(byGit(tip, work)).toBe((await fixture.bare.commitInfo(tip)).tree);
  });

  test('is not tried where the commits have more than one last common ancestor, or none', async () => {
    const files = (word: string): Files => ({ [word]: ['100644', word] });
    const [, , , left = '', right = '', alone = ''] = commit([
      { files: files('0'), parents: [] },
      { files: files('1'), parents: [0] },
      { files: files('2'), parents: [0] },
      { files: files('3'), parents: [1, 2] },
      { files: files('4'), parents: [2, 1] },
      { files: files('5'), parents: [] },
    ]);
    expect(await trivialMerge(fixture.bare, left, right)).toBeNull();
    expect(await trivialMerge(fixture.bare, left, alone)).toBeNull();
  });
});
