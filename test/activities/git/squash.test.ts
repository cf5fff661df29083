import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { joinUserBranch, mergeCandidate, type MergeRequest } from '../../../activities/git/candidate.ts';
import { mergeMessage } from '../../../core/merge-message.ts';
import { author, git, makeFixture, put, type Fixture } from './support.ts';

let fixture: Fixture;

beforeEach(async () => {
  fixture = await makeFixture({ 'a.txt': '1\n2\n3\n4\n5\n', 'b.txt': 'b\n' });
});
afterEach(() => fixture.remove());

function messageOf(task: string, attempt = 1): string {
  const note = { project: 'demo', run: 'r1', task, attempt, digest: 'ab'.repeat(32) };
  return mergeMessage({ ...note, name: task, description: undefined, style: 'squash' });
}

function squash(
  tip: string,
  commit: string,
  message: string,
  more: Partial<MergeRequest> = {},
): ReturnType<typeof mergeCandidate> {
  return mergeCandidate({ bare: fixture.bare, tip, commit, message, author, style: 'squash', ...more });
}

async function squashed(...request: Parameters<typeof squash>): Promise<string> {
  const result = await squash(...request);
  if (result.kind !== 'merged') throw new Error(result.kind);
  return result.commit;
}

function show(format: string, commit: string): string {
  return git(fixture.bare.gitDir, 'log', '-1', `--format=${format}`, commit);
}

describe('squashing a candidate', () => {
  test('makes one commit on the tip with what the work changed, the same one each time', async () => {
    const ours = fixture.commitFiles(fixture.base, { 'a.txt': '1\n2\n3\n4\n5\n6\n' });
    const theirs = fixture.commitFiles(fixture.base, { 'b.txt': 'changed\n' });
    const people = { author: { name: 'Ada', email: 'a@b' }, committer: { name: 'Bot', email: 'b@c' } };
    const commit = await squashed(ours, theirs, messageOf('b'), people);
    expect(await squashed(ours, theirs, messageOf('b'), people)).toBe(commit);
    expect(show('%P|%s|%an <%ae>|%cn <%ce>', commit)).toBe(`${ours}|Task b: b|Ada <a@b>|Bot <b@c>`);
    expect(git(fixture.bare.gitDir, 'show', '--format=', '--name-only', commit)).toBe('b.txt');
    expect(git(fixture.bare.gitDir, 'fsck', '--strict')).not.toMatch(/error/);
  });

  test('made on the very tip does not contain the agent’s commit either', async () => {
    const theirs = fixture.commitFiles(fixture.base, { 'b.txt': 'changed\n' });
    const commit = await squashed(fixture.base, theirs, messageOf('b'));
    expect(show('%P', commit)).toBe(fixture.base);
    expect(await fixture.bare.isAncestor(theirs, commit)).toBe(false);
  });

  test('is not done again where the history has it, whatever became of its lines since', async () => {
    const theirs = fixture.commitFiles(fixture.base, { 'b.txt': 'changed\n' });
    const landed = await squashed(fixture.base, theirs, messageOf('b'));
    const changed = fixture.commitFiles(await kept(landed), { 'b.txt': 'further\n' });
    const reverted = fixture.commitFiles(changed, { 'b.txt': 'b\n' });
    for (const tip of [landed, changed, reverted])
      expect(await squash(tip, theirs, messageOf('b'), { evenIfEmpty: true })).toEqual({ kind: 'up_to_date' });
    // Another attempt at the task is another matter.
    const again = fixture.commitFiles(reverted, { 'b.txt': 'better\n' });
    expect(await squash(reverted, again, messageOf('b', 2))).toMatchObject({ kind: 'merged' });
  });

  test('of what others have done already makes an empty commit if asked for, so that later runs know', async () => {
    const theirs = fixture.commitFiles(fixture.base, { 'b.txt': 'changed\n' });
    const twin = fixture.commitFiles(fixture.base, { 'b.txt': 'changed\n' });
    const landed = await squashed(fixture.base, twin, messageOf('twin'));
    expect(await squash(landed, theirs, messageOf('b'))).toEqual({ kind: 'up_to_date' });
    const empty = await squashed(landed, theirs, messageOf('b'), { evenIfEmpty: true });
    expect(show('%P %T', empty)).toBe(`${landed} ${show('%T', landed)}`);
  });

  test('leaves what the user committed a merge: their commits stay theirs', async () => {
    const theirs = fixture.commitFiles(fixture.base, { 'a.txt': 'agent\n' });
    const acceptedTip = await squashed(fixture.base, theirs, messageOf('a'));
    put(fixture.userDirectory, { 'mine.txt': 'mine\n' });
    git(fixture.userDirectory, 'add', '-A');
    git(fixture.userDirectory, 'commit', '-q', '-m', 'Mine');
    const userTip = await fixture.bare.importBranch(fixture.user, 'main');
    const request = { bare: fixture.bare, branch: 'main', userTip, acceptedTip, author };
    const joined = await joinUserBranch(request);
    if (joined.kind !== 'candidate') throw new Error(joined.kind);
    expect(show('%P', joined.commit)).toBe(`${acceptedTip} ${userTip}`);
    expect(await joinUserBranch(request)).toEqual(joined);
  });
});

/** Gives a commit a ref, so that a clone finds it. */
async function kept(commit: string): Promise<string> {
  await fixture.bare.moveRef(`refs/test/kept-${commit}`, commit, null);
  return commit;
}
