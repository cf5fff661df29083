import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { taskHistory } from '../../../activities/git/merged-tasks.ts';
import { mergeMessage } from '../../../core/merge-message.ts';
import { packMembers } from '../../../core/packed-train.ts';
import { projectWorld, type ProjectWorld } from '../../support/project-world.ts';
import { trainMembers } from '../../support/train-members.ts';

let world: ProjectWorld;
afterEach(() => world.remove());

const { finished, prefixesOf, merged, advance, landed, checkOf } = trainMembers(() => world);

const file = (name: string): string => readFileSync(path.join(world.repository, name), 'utf8');

describe('the train’s activities', () => {
  test('merge, check and land a member: branch, index and files follow, with the task in the message', async () => {
    world = await projectWorld({ a: 'echo two >> a.txt' });
    const member = await finished('a');
    const candidate = await merged(member);
    const { commit } = candidate;
    expect(await world.train('check', checkOf(member, commit))).toMatchObject({ failure: null });
    const advanced = await advance(candidate, member);
    expect(advanced).toMatchObject({ commit, commits: {} });
    expect(advanced).toMatchObject({ outcome: 'accepted', landing: { landed: true, tip: commit } });
    expect(world.git('rev-parse', 'main')).toBe(commit);
    expect(world.git('status', '--porcelain')).toBe('');
    expect(file('a.txt')).toBe('one\ntwo\n');
    expect(world.git('log', '-1', '--format=%B')).toContain('Signalbox-Task: a');
    // Asked again, as after a crash, it finds that all is done.
    expect(await advance(candidate, member)).toEqual(advanced);
  });

  test('merge what comes next along with what is accepted, but nothing that may take its time', async () => {
    const command = { paths: ['*.lock'], command: 'true' };
    for (const drivers of [[], [command]]) {
      world = await projectWorld({ a: 'echo a > a', b: 'echo b > b' }, { merge: { drivers } });
      const [first, second] = [await finished('a'), await finished('b')];
      const candidate = await merged(first);
      const { run } = world;
      const next = { run, members: packMembers([second]), prefixes: [{ id: 7, size: 1 }] };
      const request = { repository: run.repository, members: packMembers([first]), candidate, lane: null, next };
      const step = await world.train('accept', request);
      const then = await prefixesOf(second);
      const along = { kind: 'merged', base: candidate.commit, prefixes: [{ id: 7, size: 1 }], commits: then.commits };
      expect(step).toMatchObject({ outcome: 'accepted', next: drivers.length === 0 ? along : null });
      if (drivers.length === 0) world.remove();
    }
  });

  test('two tasks that did the same are both merged, so that later runs know both', async () => {
    world = await projectWorld({ a: 'echo two >> a.txt', b: 'echo two >> a.txt' });
    const [first, second] = [await finished('a'), await finished('b')];
    await landed(first);
    expect(await landed(second)).toMatchObject({ outcome: 'accepted', landing: { landed: true } });
    const { merges } = await taskHistory(path.join(world.repository, '.git'), world.git('rev-parse', 'main'));
    expect(merges.map(({ task, run, project }) => [project, run, task])).toEqual([
      ['world', 'r1', 'b'],
      ['world', 'r1', 'a'],
    ]);
    // Made again after a crash, the merge is found.
    expect(await merged(second)).toMatchObject({ commit: world.git('rev-parse', 'main') });
  });

  test('two that are squashed are both merged, and neither comes again', async () => {
    world = await projectWorld({ a: 'echo two >> a.txt', b: 'echo b > b.txt' }, { merge: { style: 'squash' } });
    const [first, second] = [await finished('a'), await finished('b')];
    await landed(first);
    expect(await landed(second)).toMatchObject({ outcome: 'accepted', landing: { landed: true } });
    expect(world.git('log', '--format=%s', 'main').split('\n')).toEqual(['Task b: task-b', 'Task a: task-a', 'first']);
    // Made again after a crash, both are found, also where the user went on or took it back.
    const tip = world.git('rev-parse', 'main');
    for (const member of [first, second]) expect(await merged(member)).toMatchObject({ commit: tip });
    world.git('revert', '--no-edit', 'HEAD^');
    expect(await merged(first)).toMatchObject({ commit: world.git('rev-parse', 'main') });
    const bare = await world.host.bare(world.run.repository);
    expect(bare.ref('refs/signalbox/r1/a/1')).toBe(first.commit);
  });

  test('a task cannot pose as another one by what it says of itself', async () => {
    const forged = mergeMessage({
      ...{ project: 'world', run: 'r1', task: 'z', attempt: 1, digest: 'ab'.repeat(32) },
      ...{ name: 'z', description: undefined },
    });
    const scissors = '\n# ------------------------ >8 ------------------------\n';
    world = await projectWorld({ a: 'echo two >> a.txt' }, {}, { description: `x\n\n${forged}${scissors}` });
    await landed(await finished('a'));
    const { merges } = await taskHistory(path.join(world.repository, '.git'), world.git('rev-parse', 'main'));
    expect(merges.map(({ task }) => task)).toEqual(['a']);
    const trailers = world.git('log', '-1', '--format=%(trailers:key=Signalbox-Task,valueonly)');
    expect(trailers.trim()).toBe('a');
  });

  test('a conflict comes back as evidence with the files and hunks', async () => {
    world = await projectWorld({ a: 'echo A > a.txt', b: 'echo B > a.txt' });
    const [first, second] = [await finished('a'), await finished('b')];
    await landed(first);
    const { conflicts, prefixes } = await prefixesOf(second);
    expect(prefixes).toEqual([]);
    expect(conflicts).toMatchObject([
      { member: { task: 'b', attempt: 1 }, evidence: { kind: 'conflict', attempt: 1, commit: second.commit } },
    ]);
    expect(conflicts[0]?.evidence.summary).toContain('a.txt');
    expect(conflicts[0]?.evidence.detail).toMatch(/<<<<<<<[\s\S]*A[\s\S]*B/);
  });

  test('a failed integration check says what failed', async () => {
    world = await projectWorld(
      { a: 'echo A > a.txt' },
      { checks: { doctor: 'true', integration: 'grep -q nothing a.txt' } },
    );
    const member = await finished('a');
    const { commit } = await merged(member);
    const { failure } = await world.train('check', checkOf(member, commit));
    expect(failure).toMatchObject({ check: 'integration', command: 'grep -q nothing a.txt', exitCode: 1 });
  });

  test('a candidate on a tip that moved meanwhile is not accepted', async () => {
    world = await projectWorld({ a: 'echo A > a.txt', b: 'echo B > b.txt' });
    const [first, second] = [await finished('a'), await finished('b')];
    const stale = await merged(second);
    await landed(first);
    expect(await advance(stale, second)).toEqual({ outcome: 'moved' });
    const tip = world.git('rev-parse', 'main');
    expect(await landed(second)).toMatchObject({ outcome: 'accepted' });
    expect(world.git('merge-base', '--is-ancestor', tip, 'main')).toBe('');
  });

  test('a commit that the user made during the checks is part of the next candidate, never lost', async () => {
    world = await projectWorld({ a: 'echo A > a.txt' });
    const member = await finished('a');
    const candidate = await merged(member);
    world.write('mine.txt', 'mine\n');
    world.git('add', '.');
    world.git('commit', '-qm', 'mine');
    expect(await advance(candidate, member)).toEqual({ outcome: 'moved' });
    expect(await landed(member)).toMatchObject({ outcome: 'accepted', landing: { landed: true } });
    expect([file('mine.txt'), file('a.txt')]).toEqual(['mine\n', 'A\n']);
  });

  test('refused by a dirty checkout, the work is accepted and shown, the checkout untouched; commits made then are joined', async () => {
    world = await projectWorld({ a: 'echo A > a.txt', b: 'echo B > b.txt' });
    const [first, second] = [await finished('a'), await finished('b')];
    const before = world.git('rev-parse', 'main');
    world.write('a.txt', 'my edit\n');
    expect(await landed(first)).toMatchObject({ outcome: 'accepted', landing: { landed: false, diverged: false } });
    expect([world.git('rev-parse', 'main'), file('a.txt')]).toEqual([before, 'my edit\n']);
    const shown = world.git('rev-parse', 'refs/remotes/signalbox/main');
    // The user commits something else instead: what was accepted and what they committed go together.
    world.git('checkout', '-q', '--', 'a.txt');
    world.write('mine.txt', 'mine\n');
    world.git('add', '.');
    world.git('commit', '-qm', 'mine');
    expect(await world.train('land', { repository: world.run.repository })).toMatchObject({
      landed: false,
      diverged: true,
    });
    expect(await landed()).toMatchObject({ landing: { landed: true } });
    expect([file('a.txt'), file('mine.txt')]).toEqual(['A\n', 'mine\n']);
    expect(world.git('merge-base', '--is-ancestor', shown, 'main')).toBe('');
    expect(await landed(second)).toMatchObject({ landing: { landed: true } });
  });

  test('what the user took out of their branch on purpose does not come back', async () => {
    world = await projectWorld({ a: 'echo A > a.txt', b: 'echo B > b.txt' });
    const first = world.git('rev-parse', 'main');
    await landed(await finished('a'));
    world.git('reset', '-q', '--hard', first);
    expect(await landed(await finished('b'))).toMatchObject({ landing: { landed: true } });
    expect([file('a.txt'), file('b.txt')]).toEqual(['one\n', 'B\n']);
  });

  test('nor does what they took out, or wrote anew, while a candidate was checked', async () => {
    world = await projectWorld({ a: 'echo A > a.txt', b: 'echo B > b.txt', c: 'echo C > c.txt' });
    const first = world.git('rev-parse', 'main');
    await landed(await finished('a'));
    const [second, third] = [await finished('b'), await finished('c')];
    const onWhatGoes = await merged(second);
    world.git('reset', '-q', '--hard', first);
    expect(await advance(onWhatGoes, second)).toEqual({ outcome: 'moved' });
    expect(await landed(second)).toMatchObject({ landing: { landed: true } });
    const onWhatChanges = await merged(third);
    world.git('commit', '-q', '--amend', '-m', 'in my own words');
    expect(await advance(onWhatChanges, third)).toEqual({ outcome: 'moved' });
    expect(await landed(third)).toMatchObject({ landing: { landed: true } });
    expect(world.git('log', '--format=%s', '--first-parent', '-2', 'main').split('\n')[1]).toBe('in my own words');
  });

  test('accepted work stays accepted when the user’s repository cannot be written to, and says why it did not land', async () => {
    world = await projectWorld({ a: 'echo A > a.txt' });
    const member = await finished('a');
    const candidate = await merged(member);
    const { commit } = candidate;
    // A branch of this name leaves no place for the refs below it.
    world.git('update-ref', 'refs/remotes/signalbox', 'main');
    world.write('a.txt', 'my edit\n');
    const advanced = await advance(candidate, member);
    expect(advanced).toMatchObject({ outcome: 'accepted', landing: { tip: commit, landed: false, diverged: false } });
    expect(advanced.landing?.reason).toContain('refs/remotes/signalbox');
  });

  test('commits of the user that fail the checks are joined and checked once, not at every try to land', async () => {
    world = await projectWorld({ a: 'echo A > a.txt' });
    world.write('a.txt', 'my edit\n');
    await landed(await finished('a'));
    world.git('checkout', '-q', '--', 'a.txt');
    world.write('mine.txt', 'mine\n');
    world.git('add', '.');
    world.git('commit', '-qm', 'mine');
    const joined = await merged();
    const later = { ...world.host.signature(), time: world.host.signature().time + 60 };
    jest.spyOn(world.host, 'signature').mockReturnValue(later);
    expect(await merged()).toEqual(joined);
  });
});
