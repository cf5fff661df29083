import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { carry, changesOf, commitAll, LANDED, repository } from './carrying.ts';
import { git, makeRoot, put, removeRoot } from './support.ts';

let root: string;

beforeEach(() => {
  root = makeRoot();
});
afterEach(() => removeRoot(root));

describe('Git LFS', () => {
  const hasLfs = spawnSync('git', ['lfs', 'version']).status === 0;
  const withLfs = hasLfs ? test : test.skip;
  const ATTRIBUTES = '*.bin filter=lfs diff=lfs merge=lfs -text\n';
  const POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n/;

  function withFiles(): string {
    const user = repository(root, 'user');
    git(user, 'lfs', 'install', '--local');
    commitAll(user, { '.gitattributes': ATTRIBUTES, 'data.bin': 'the data\n', 'other.bin': 'other data\n' });
    return user;
  }

  withLfs('agents and checks see pointers, which pass through unchanged; the checkout keeps its contents', async () => {
    const user = withFiles();
    const { landing, taken, checkout } = await carry(user, root, (tree) => {
      expect(readFileSync(path.join(tree, 'data.bin'), 'utf8')).toMatch(POINTER);
      put(tree, { 'a.txt': 'changed\n' });
    });
    expect(changesOf(taken)).toEqual(['modified a.txt']);
    expect(readFileSync(path.join(checkout, 'data.bin'), 'utf8')).toMatch(POINTER);
    expect(landing).toEqual(LANDED);
    expect(readFileSync(path.join(user, 'data.bin'), 'utf8')).toBe('the data\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  withLfs(
    'a pointer that moves, or changes to that of a known file, brings the content into the checkout',
    async () => {
      const user = withFiles();
      const { landing } = await carry(user, root, (tree) => {
        const other = readFileSync(path.join(tree, 'other.bin'), 'utf8');
        git(tree, 'mv', 'data.bin', 'moved.bin');
        put(tree, { 'other.bin': readFileSync(path.join(tree, 'moved.bin'), 'utf8'), 'third.bin': other });
      });
      expect(landing).toEqual(LANDED);
      expect(readFileSync(path.join(user, 'moved.bin'), 'utf8')).toBe('the data\n');
      expect(readFileSync(path.join(user, 'other.bin'), 'utf8')).toBe('the data\n');
      expect(readFileSync(path.join(user, 'third.bin'), 'utf8')).toBe('other data\n');
      expect(git(user, 'status', '--porcelain')).toBe('');
    },
  );

  withLfs('content that an agent puts in the place of a pointer, or beside it, is left out and told', async () => {
    const user = withFiles();
    const { landing, taken, commit } = await carry(user, root, (tree) =>
      put(tree, { 'data.bin': 'by the agent\n', 'deep/new.bin': 'by the agent\n', 'a.txt': 'changed\n' }),
    );
    expect(changesOf(taken)).toEqual(['modified a.txt']);
    expect(taken.leftOut).toEqual([
      { path: 'data.bin', reason: expect.stringMatching(/Git LFS/) as unknown },
      { path: 'deep/new.bin', reason: expect.stringMatching(/Git LFS/) as unknown },
    ]);
    expect(git(user, 'show', `${commit}:data.bin`)).toMatch(POINTER);
    expect(landing).toEqual(LANDED);
    expect(readFileSync(path.join(user, 'data.bin'), 'utf8')).toBe('the data\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
  });

  withLfs('a pointer to an object that is nowhere holds the landing back, and the checkout is as it was', async () => {
    const user = withFiles();
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 9\n`;
    const { landing } = await carry(user, root, (tree) => put(tree, { 'a.txt': 'changed\n', 'data.bin': pointer }));
    expect(landing).toMatchObject({ outcome: 'refused', reason: expect.stringMatching(/is as it was/) as unknown });
    expect(readFileSync(path.join(user, 'data.bin'), 'utf8')).toBe('the data\n');
    expect(git(user, 'status', '--porcelain')).toBe('');
  });
});
