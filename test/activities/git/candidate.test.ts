import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mergeCandidate, type MergeRequest } from '../../../activities/git/candidate.ts';
import { changedPaths, patch } from '../../../activities/git/diff.ts';
import { author, git, makeFixture, type Fixture } from './support.ts';

let fixture: Fixture;

beforeEach(async () => {
  fixture = await makeFixture({ 'a.txt': '1\n2\n3\n4\n5\n', 'b.txt': 'b\n' });
});
afterEach(() => fixture.remove());

function merge(tip: string, commit: string, more: Partial<MergeRequest> = {}): ReturnType<typeof mergeCandidate> {
  return mergeCandidate({ bare: fixture.bare, tip, commit, message: 'Merge task 001', author, ...more });
}

describe('merging a candidate', () => {
  test('of changes to different files makes a merge commit with both, the same one each time', async () => {
    const ours = fixture.commitFiles(fixture.base, { 'a.txt': '1\n2\n3\n4\n5\n6\n' });
    const theirs = fixture.commitFiles(fixture.base, { 'b.txt': 'changed\n' });
    const first = await merge(ours, theirs);
    expect(await merge(ours, theirs)).toEqual(first);
    if (first.kind !== 'merged') throw new Error(first.kind);
    const dates = [ours, theirs].map((commit) => git(fixture.bare.gitDir, 'log', '-1', '--format=%ct', commit));
    expect(git(fixture.bare.gitDir, 'log', '-1', '--format=%P|%s|%an|%ct|%T', first.commit)).toBe(
      `${ours} ${theirs}|Merge task 001|Signalbox|${dates.sort()[1] ?? ''}|${first.tree}`,
    );
    expect(await changedPaths(fixture.bare, ours, first.commit)).toEqual([{ path: 'b.txt', kind: 'modified' }]);
    expect(git(fixture.bare.gitDir, 'fsck', '--strict')).not.toMatch(/error/);
  });

  test('made on the very tip still makes a merge commit', async () => {
    const theirs = fixture.commitFiles(fixture.base, { 'b.txt': 'changed\n' });
    const result = await merge(fixture.base, theirs);
    if (result.kind !== 'merged') throw new Error(result.kind);
    expect((await fixture.bare.commitInfo(result.commit)).parents).toEqual([fixture.base, theirs]);
    expect(result.tree).toBe((await fixture.bare.commitInfo(theirs)).tree);
  });

  test('that the tip has already is up to date, by history and by content', async () => {
    const next = fixture.commitFiles(fixture.base, { 'b.txt': 'changed\n' });
    const twin = fixture.commitFiles(fixture.base, { 'b.txt': 'changed\n' });
    const further = fixture.commitFiles(next, { 'c.txt': 'c\n' });
    expect(await merge(next, next)).toEqual({ kind: 'up_to_date' });
    expect(await merge(next, fixture.base)).toEqual({ kind: 'up_to_date' });
    expect(await merge(further, twin)).toEqual({ kind: 'up_to_date' });
  });

  test('that conflicts names the files and shows the hunks, bounded, and moves nothing', async () => {
    const ours = fixture.commitFiles(fixture.base, { 'a.txt': '1\n2\nours\n4\n5\n' });
    const theirs = fixture.commitFiles(fixture.base, { 'a.txt': '1\n2\ntheirs\n4\n5\n', 'b.txt': 'fine\n' });
    const result = await merge(ours, theirs);
    if (result.kind !== 'conflict') throw new Error(result.kind);
    expect(result.files).toMatchObject([{ path: 'a.txt', kind: 'content' }]);
    expect(result.hunks).toMatch(/<<<<<<<[^]*ours\n[^]*=======\n\+theirs\n[^]*>>>>>>>/);
    expect(result.hunks).not.toContain('fine');
    const cut = await merge(ours, theirs, { hunksLimit: 40 });
    expect(cut.kind === 'conflict' && cut.hunks.length).toBeLessThan(100);
    expect(fixture.bare.tip('main')).toBe(fixture.base);
  });

  test('that changes what the tip deleted is a conflict with its reason', async () => {
    const clone = fixture.commitFiles(fixture.base, { 'b.txt': 'changed\n' });
    const gone = git(fixture.bare.gitDir, 'mktree', '--missing');
    expect(gone).toMatch(/^[0-9a-f]{40}$/);
    const deleted = git(
      fixture.bare.gitDir,
      ...[
        '-c',
        'user.name=x',
        '-c',
        'user.email=x@example.org',
        'commit-tree',
        gone,
        '-p',
        fixture.base,
        '-m',
        'Delete',
      ],
    );
    const result = await merge(deleted, clone);
    expect(result).toMatchObject({ kind: 'conflict', files: [{ path: 'b.txt' }] });
    expect(result.kind === 'conflict' && result.files[0]?.description).toMatch(
      /^b\.txt: deleted in the current tip, but changed in this work\./,
    );
  });
});

test('a patch is cut at its limit', async () => {
  const next = fixture.commitFiles(fixture.base, { 'long.txt': 'line\n'.repeat(100_000) });
  const cut = await patch(fixture.bare, fixture.base, next, { limit: 1000 });
  expect(cut.truncated).toBe(true);
  expect(cut.text).toHaveLength(1000);
  expect((await patch(fixture.bare, fixture.base, next, { paths: ['b.txt'] })).text).toBe('');
});
