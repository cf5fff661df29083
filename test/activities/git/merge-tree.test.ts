import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { runMergeTree } from '../../../activities/git/merge-tree.ts';
import { git, makeFixture, type Fixture } from './support.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = await makeFixture({ 'a.txt': 'a\n', 'b.txt': 'b\n' });
});
afterEach(() => fixture.remove());

test('many merges at once, clean ones and conflicts, each get their own answer', async () => {
  const work = Array.from({ length: 12 }, (_, index) =>
    fixture.commitFiles(fixture.base, { [index % 3 === 0 ? 'a.txt' : `new-${index}.txt`]: `${index}\n` }),
  );
  const ours = fixture.commitFiles(fixture.base, { 'a.txt': 'ours\n' });
  const merges = await Promise.all(work.map((theirs) => runMergeTree(fixture.bare, ours, theirs, {})));
  expect(merges.map(({ clean }) => clean)).toEqual(work.map((_, index) => index % 3 !== 0));
  for (const [index, { tree, clean, entries }] of merges.entries()) {
    expect(entries.map(({ path }) => path)).toEqual(clean ? [] : ['a.txt', 'a.txt', 'a.txt']);
    if (!clean) continue;
    expect(git(fixture.bare.gitDir, 'show', `${tree}:new-${index}.txt`)).toBe(`${index}`);
    expect(git(fixture.bare.gitDir, 'show', `${tree}:a.txt`)).toBe('ours');
  }
});

test('what cannot be merged at all fails with what git says of it', async () => {
  const merge = runMergeTree(fixture.bare, fixture.base, '1'.repeat(40), {});
  await expect(merge).rejects.toThrow(/merge-tree/);
  const work = fixture.commitFiles(fixture.base, { 'c.txt': 'c\n' });
  expect((await runMergeTree(fixture.bare, fixture.base, work, {})).clean).toBe(true);
});
