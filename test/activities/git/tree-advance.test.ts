import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeCleanTree, scrubTree } from '../../../activities/git/clean-tree.ts';
import { commitContent, readLooseObject, writeLooseObject } from '../../../activities/git/objects.ts';
import { removeAll } from '../../../activities/git/remove-tree.ts';
import { treeDifference } from '../../../activities/git/tree-difference.ts';
import { serializeTree, TREE_MODE, type TreeEntry } from '../../../activities/git/tree-objects.ts';
import { author, digest, git, gitReading, makeFixture, type Fixture } from './support.ts';

/** The content of a file, or what else is at its place. */
type Content = string | { executable: string } | { link: string };
type Files = Record<string, Content>;

let fixture: Fixture;
beforeAll(async () => {
  fixture = await makeFixture();
});
afterAll(() => fixture.remove());

/** Writes a commit with exactly these files, all of it loose, as merging does. */
function commit(files: Files): string {
  const tree = writeTree(Object.entries(files));
  return writeLooseObject(
    fixture.bare.gitDir,
    'commit',
    commitContent({ tree, parents: [], message: 'State', author, committer: author }),
  );
}

function writeTree(files: readonly [string, Content][]): string {
  const { gitDir } = fixture.bare;
  const below = new Map<string, [string, Content][]>();
  const entries: TreeEntry[] = [];
  for (const [name, content] of files) {
    const slash = name.indexOf('/');
    if (slash > 0) {
      const directory = name.slice(0, slash);
      below.set(directory, [...(below.get(directory) ?? []), [name.slice(slash + 1), content]]);
      continue;
    }
    const [mode, text] =
      typeof content === 'string'
        ? ['100644', content]
        : 'link' in content
          ? ['120000', content.link]
          : ['100755', content.executable];
    entries.push({ mode, name, object: writeLooseObject(gitDir, 'blob', Buffer.from(text)) });
  }
  for (const [name, inside] of below) entries.push({ mode: TREE_MODE, name, object: writeTree(inside) });
  return writeLooseObject(gitDir, 'tree', serializeTree(entries));
}

let trees = 0;

/** A work tree with its index, and what git did for it. */
class Place {
  readonly tree = path.join(fixture.root, `tree-${(trees += 1)}`);
  readonly indexFile = `${this.tree}.index`;

  /** @returns the git commands that were run for it */
  async become(of: string, spoil?: () => void): Promise<string[]> {
    const spy = jest.spyOn(fixture.bare, 'git');
    try {
      const { tree, indexFile } = this;
      const scrubbed = await scrubTree(tree, indexFile);
      spoil?.();
      await makeCleanTree({ bare: fixture.bare, tree, indexFile, commit: of, scrubbed });
      return spy.mock.calls.map(([[command = '']]) => command);
    } finally {
      spy.mockRestore();
    }
  }

  async start(of: string): Promise<void> {
    mkdirSync(this.tree, { recursive: true });
    await this.become(of);
  }

  git(...args: string[]): string {
    const { tree, indexFile } = this;
    const places = { GIT_DIR: fixture.bare.gitDir, GIT_WORK_TREE: tree, GIT_INDEX_FILE: indexFile };
    const env = { ...places, GIT_TEST_CHECK_CACHE_TREE: '1', GIT_LITERAL_PATHSPECS: '1' };
    return gitReading(tree, '', env, ...args);
  }

  /** Is all as in a fresh checkout, and does git agree without looking at any file? */
  async requireExactly(of: string): Promise<void> {
    const listed = this.git('ls-files', '-s').replaceAll(' 0\t', '\t');
    expect(listed).toBe(this.git('ls-tree', '-r', of).replaceAll(' blob ', ' '));
    expect(this.git('diff-files')).toBe('');
    const tree = this.git('rev-parse', `${of}^{tree}`);
    expect((await scrubTree(this.tree, this.indexFile)).held).toBe(tree);
    const fresh = new Place();
    await fresh.start(of);
    expect(digest(this.tree)).toBe(digest(fresh.tree));
    // Git compares the trees that the index notes with those that its entries make.
    copyFileSync(this.indexFile, fresh.indexFile);
    expect(fresh.git('update-index', '--force-write-index')).toBe('');
    expect(fresh.git('write-tree')).toBe(tree);
    removeAll(fresh.tree);
  }
}

const BASE: Files = {
  'README.md': 'hello',
  'a/one.txt': '1',
  'a/b/two.txt': '2',
  'a/b/three.txt': '3',
  'tools/run': { executable: 'go' },
};

const names = fc.constantFrom('x', 'y.txt', 'z-1', '.env', 'long'.repeat(20));
const paths = fc.array(names, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const states = fc
  .dictionary(paths, fc.oneof(fc.constantFrom('', 'a', 'bb'), fc.record({ executable: fc.constantFrom('a', 'b') })), {
    maxKeys: 12,
  })
  .map((files): Files => {
    const list = Object.keys(files);
    // Nothing is a file and a directory.
    const kept = list.filter((one) => !list.some((other) => other.startsWith(`${one}/`)));
    return { kept: 'x', ...Object.fromEntries(kept.map((one) => [one, files[one]!])) };
  });

describe('a tree that becomes another', () => {
  test('is what a fresh checkout is, whatever comes, goes or changes, and git is not asked', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(states, { minLength: 2, maxLength: 5 }), async (all) => {
        const place = new Place();
        const [first, ...rest] = all.map(commit) as [string, ...string[]];
        await place.start(first);
        for (const next of rest) {
          expect(await place.become(next)).toEqual([]);
          await place.requireExactly(next);
        }
        removeAll(place.tree);
      }),
      { numRuns: 25 },
    );
  });

  test.each<[string, Files]>([
    ['a link', { 'a/link': { link: '../../outside' } }],
    ['a file that says how others are converted', { '.gitattributes': '* text eol=crlf' }],
    ['such a file somewhere below', { 'a/b/.gitattributes': '* ident' }],
    ['a name that is not plain', { 'a/two words': 'x' }],
    ['very many files', Object.fromEntries(Array.from({ length: 501 }, (_, n) => [`many/${n}`, `${n}`]))],
  ])('is left to git where %s comes', async (_, more) => {
    const place = new Place();
    await place.start(commit(BASE));
    const next = commit({ ...BASE, ...more });
    expect(await place.become(next)).toContain('read-tree');
    expect(place.git('write-tree')).toBe(place.git('rev-parse', `${next}^{tree}`));
    expect(place.git('diff-files')).toBe('');
    removeAll(place.tree);
  });

  test.each(['GIT~1', '.git', '.Git/hooks/run', 'a/..'])('is refused by git with the name %s in it', async (name) => {
    const place = new Place();
    await place.start(commit(BASE));
    await expect(place.become(commit({ ...BASE, [name]: 'x' }))).rejects.toThrow('invalid path');
    removeAll(place.tree);
  });

  test('is left to git where its files are converted already', async () => {
    const converted = { ...BASE, '.gitattributes': '*.txt text eol=crlf' };
    const place = new Place();
    await place.start(commit(converted));
    expect(await place.become(commit({ ...converted, 'a/one.txt': '1\n' }))).toContain('read-tree');
    expect(readFileSync(path.join(place.tree, 'a/one.txt'), 'utf8')).toBe('1\r\n');
  });

  test('is left to git where an object is in a pack', async () => {
    const place = new Place();
    const [one, other] = [commit(BASE), commit({ ...BASE, 'README.md': 'packed' })];
    await place.start(one);
    const blob = git(fixture.bare.gitDir, 'rev-parse', `${other}:README.md`);
    gitReading(fixture.bare.gitDir, `${blob}\n`, {}, 'pack-objects', '-q', 'objects/pack/pack');
    removeAll(path.join(fixture.bare.gitDir, 'objects', blob.slice(0, 2), blob.slice(2)));
    expect(readLooseObject(fixture.bare.gitDir, blob)).toBeNull();
    expect(await place.become(other)).toContain('read-tree');
    await place.requireExactly(other);
  });

  test('has nothing else in it, where something came in between', async () => {
    const place = new Place();
    await place.start(commit(BASE));
    const next = commit({ ...BASE, 'a/new.txt': 'new' });
    const spoil = (): void => writeFileSync(path.join(place.tree, 'a/new.txt'), 'somebody else');
    expect(await place.become(next, spoil)).toContain('read-tree');
    await place.requireExactly(next);
  });

  test('of which a part was changed when its maker died is scrubbed like any other', async () => {
    const place = new Place();
    await place.start(commit(BASE));
    const before = readFileSync(place.indexFile);
    const next = commit({ ...BASE, 'a/new.txt': 'new', 'README.md': 'other' });
    await place.become(next);
    // The index is written last.
    writeFileSync(place.indexFile, before);
    const third = commit({ ...BASE, 'a/one.txt': 'third' });
    await place.become(third);
    await place.requireExactly(third);
  });
});

test('a difference names what is gone, and directories whose trees are others', () => {
  const [one, other] = [commit(BASE), commit({ 'README.md': 'hello', 'a/one.txt': 'other', tools: 'a file now' })];
  const tree = (of: string): string => git(fixture.bare.gitDir, 'rev-parse', `${of}^{tree}`);
  const difference = treeDifference(fixture.bare, tree(one), tree(other));
  const files = difference!.files.map(({ path: name, file }) => `${name} ${file?.mode.toString(8) ?? 'gone'}`);
  expect(files.sort()).toEqual([
    'a/b/three.txt gone',
    'a/b/two.txt gone',
    'a/one.txt 100644',
    'tools 100644',
    'tools/run gone',
  ]);
  expect(difference!.directories.map(({ path: name, tree: of }) => `${name} ${of === null}`).sort()).toEqual([
    ' false',
    'a false',
    'a/b true',
    'tools true',
  ]);
});
