import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { MergeAnswer, OpenAnswer, RequestView, WatchAnswer } from '../../../core/remote.ts';
import type { TrainMember } from '../../../core/train.ts';
import { until } from '../../support/until.ts';
import { remoteWorld, type RemoteWorld } from '../../support/remote-world.ts';

let world: RemoteWorld;
let member: TrainMember;
/** The commit that the train verified, and the tip that it was made on. */
let head: string;
let base: string;

async function begin(remote: object = {}, config: object = {}, script = 'echo two >> a.txt'): Promise<void> {
  const scripts = { a: script, b: 'echo b > b.txt' };
  world = await remoteWorld(scripts, { push: 'pull_request', ...remote }, config);
  member = await world.finished('a');
  ({ commit: head, tip: base } = await world.candidate(member));
  await world.remote('pushTask', { run: world.run, task: 'a', commit: head });
}
beforeEach(() => begin());
afterEach(() => world.close());

const open = (ready = true): Promise<OpenAnswer> => world.remote('openRequest', { member, ready });
const watch = (seen: string | null = null, environment?: MockActivityEnvironment): Promise<WatchAnswer> =>
  world.remote(
    'watchRequests',
    { requests: [{ run: world.run, task: 'a', number: 100, seen, lookAt: null }] },
    environment,
  );
const view = async (): Promise<RequestView> => (await watch()).views[0]!.view;
const merge = (): Promise<MergeAnswer> => world.remote('mergeRequest', { member, number: 100, head, base });
const written = (): string[] => world.api.log.map(({ what }) => what).filter((what) => !what.startsWith('GET'));

describe('opening', () => {
  test('makes a draft with the task’s report, and then one that is ready, never a second one', async () => {
    expect(await open(false)).toMatchObject({ outcome: 'opened', number: 100, draft: true, graceMs: 60_000 });
    const [pull] = world.api.state.pulls;
    expect(pull).toMatchObject({ title: 'a: task-a', draft: true, head: 'signalbox/r1/a', base: 'main' });
    expect(pull!.body).toMatch(/are still to pass[\s\S]*a\.txt \| \+1 -0[\s\S]*Task `a` of run `r1`/);
    expect(await open(true)).toMatchObject({ outcome: 'updated', number: 100, draft: false });
    expect(pull!.body).toContain('passed on exactly this tree');
    expect(await open(true)).toMatchObject({ outcome: 'updated', draft: false });
    expect(world.api.state.pulls).toHaveLength(1);
  });

  test('tells reviewers what the task changes besides code, and what the sandbox of its run lets through', async () => {
    await world.close();
    const script = 'mkdir -p .github/workflows; echo on > .github/workflows/ci.yml; echo all: > Makefile';
    await begin({}, { checks: { doctor: 'make' }, sandbox: { env: ['NPM_TOKEN'] } }, script);
    await open();
    expect(world.api.state.pull(100).body).toMatch(
      new RegExp(
        'changes what the checks run: Makefile\\nchanges CI: \\.github/workflows/ci\\.yml\\n```[\\s\\S]*' +
          'looser than the default one:\\n\\n```\\nbackend local: [\\s\\S]*env NPM_TOKEN: steps can read',
      ),
    );
  });

  test('finds its own where the repository has another owner by now', async () => {
    await open();
    world.api.state.owner = 'crew';
    expect(await open()).toMatchObject({ outcome: 'updated', number: 100 });
    expect(world.api.state.pulls).toHaveLength(1);
  });

  test('again with nothing new changes nothing', async () => {
    await open();
    world.api.log.length = 0;
    await open();
    expect(written()).toEqual([]);
  });

  test('keeps a person’s title, and what they wrote around our text', async () => {
    await open(false);
    const pull = world.api.state.pull(100);
    pull.title = 'Mine';
    pull.body = `Before.\n\n${pull.body ?? ''}\n\nAfter.`;
    await open(true);
    expect(pull.title).toBe('Mine');
    expect(pull.body).toMatch(/^Before\.\n\n<!-- signalbox: begin[\s\S]*passed on exactly[\s\S]*end -->\n\nAfter\.$/);
  });

  test('sets labels, and asks reviewers once it is ready; one who cannot be asked holds up nothing', async () => {
    await world.close();
    await begin({ labels: ['agent', 'fast'], reviewers: ['ada', 'stranger', 'team/railway'] });
    world.api.state.strangers = ['stranger'];
    await open(false);
    expect(world.api.state.pull(100)).toMatchObject({ labels: ['agent', 'fast'], reviewers: [] });
    await open(true);
    await open(true);
    expect(world.api.state.pull(100)).toMatchObject({ reviewers: ['ada', 'railway'] });
  });

  test('is no draft where the repository has none', async () => {
    world.api.state.drafts = false;
    expect(await open(false)).toMatchObject({ outcome: 'opened', draft: false });
  });

  test('finds its own request if only the answer was lost', async () => {
    world.api.faults.push({ when: /POST .*\/pulls$/, answer: 'late' });
    expect(await open()).toMatchObject({ number: 100 });
    expect(world.api.state.pulls).toHaveLength(1);
  });

  test.each([
    ['closed', () => world.api.state.close(100, 'ada')],
    ['merged', () => void world.api.state.merge(100, 'ada', { method: 'merge', message: 'by hand' })],
  ])('that was cut off, of one that is %s by then, finds it, and opens no second one', async (state, end) => {
    await open();
    end();
    const known = { number: null, head };
    const again = await world.remote('openRequest', { member, ready: true, known });
    expect(again).toMatchObject({ outcome: 'updated', number: 100 });
    expect(world.api.state.pulls).toHaveLength(1);
    expect(await view()).toMatchObject({ state });
    const moved = { number: 100, head: 'f'.repeat(40) };
    expect(await world.remote('openRequest', { member, ready: true, known: moved })).toEqual(again);
  });

  test('of the next attempt’s commit is a new one where a person closed that of the last', async () => {
    await open();
    world.api.state.close(100, 'ada');
    const known = { number: null, head: 'f'.repeat(40) };
    expect(await world.remote('openRequest', { member, ready: true, known })).toMatchObject({ number: 101 });
  });

  test('asks reviewers where there are no drafts, and after a crash before they were asked', async () => {
    await world.close();
    await begin({ reviewers: ['ada'] });
    world.api.state.drafts = false;
    await open(false);
    expect(world.api.state.pull(100).reviewers).toEqual([]);
    world.api.faults.push({ when: /requested_reviewers/, answer: { status: 403, message: 'no' } });
    expect(await open(true)).toMatchObject({ outcome: 'refused' });
    await open(true);
    expect(world.api.state.pull(100).reviewers).toEqual(['ada']);
    const pull = world.api.state.pull(100);
    Object.assign(pull, { reviewers: [], body: pull.body?.replaceAll('\n', '\r\n') });
    await open(true);
    expect(world.api.state.pull(100).reviewers).toEqual([]);
  });

  test('goes on after errors of the server and cut lines, and tells them when they stay', async () => {
    world.api.faults.push({ answer: { status: 502 } }, { answer: 'cut' }, { answer: { status: 503 } });
    expect(await open()).toMatchObject({ outcome: 'opened' });
    world.api.faults.push(...Array.from({ length: 40 }, () => ({ answer: { status: 502, message: 'bad gateway' } })));
    expect(await open()).toMatchObject({
      outcome: 'refused',
      reason: 'could not open a pull request: bad gateway',
      passing: true,
    });
    expect(world.api.faults.length).toBe(36);
  });

  test.each([
    [401, 'does not take the token from GH_TOKEN', 'Set GH_TOKEN'],
    [403, 'the token from GH_TOKEN may not open a pull request: no rights', 'write contents and pull requests'],
    [404, 'shows no such thing to the token', 'Check the URL of the remote'],
    [422, 'said 422: no rights', 'Mend what it says'],
  ])('%i is told in words, with what mends it, and not tried again', async (status, reason, hint) => {
    world.api.faults.push({ when: /POST .*pulls$/, answer: { status, message: 'no rights' } });
    expect(await open()).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining(reason),
      hint: expect.stringContaining(hint),
      passing: false,
    });
    expect(written()).toEqual(['POST /repos/team/project/pulls']);
  });

  test('a limit that lasts is told as one that passes', async () => {
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 3600) };
    world.api.faults.push({ answer: { status: 403, headers, message: 'API rate limit exceeded' } });
    expect(await open()).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('limits how much is asked'),
      passing: true,
    });
  });
});

describe('watching', () => {
  beforeEach(() => open());

  test('tells a request once, and then only news; asking again costs nothing of the limit', async () => {
    const first = await watch();
    expect(first.views).toMatchObject([{ task: 'a', run: 'r1', view: { state: 'open', head, mergeable: 'yes' } }]);
    world.api.log.length = 0;
    const second = watch(first.views[0]!.stamp);
    await until(() => world.api.log.length > 20);
    expect(new Set(world.api.log.map(({ status }) => status))).toEqual(new Set([304]));
    world.api.state.report(head, { name: 'build', status: 'in_progress', conclusion: null });
    expect((await second).views[0]!.view.checks).toEqual({ total: 1, pending: ['build'], failed: [] });
  });

  test('joins check runs, over pages, with commit statuses', async () => {
    for (let at = 0; at < 130; at += 1) world.api.state.report(head, { name: `run-${at}` });
    world.api.state.report(head, { name: 'skips', conclusion: 'skipped' });
    world.api.state.report(head, { name: 'waits', conclusion: 'action_required' });
    const status = { context: 'ci/old', state: 'pending', description: null, target_url: null } as const;
    world.api.state.statuses.set(head, [status]);
    expect((await view()).checks).toEqual({ total: 133, pending: ['ci/old', 'waits'], failed: [] });
  });

  test('tells a failed check with its summary, link and notes, bounded', async () => {
    const output = { title: '3 tests failed', summary: 'x'.repeat(100_000), text: null };
    world.api.state.report(head, { name: 'test', conclusion: 'failure', html_url: 'https://ci.test/1', output });
    const id = world.api.state.runs.get(head)![0]!.id;
    world.api.state.notes.set(id, [{ path: 'a.txt', start_line: 2, message: 'two is too many' }]);
    const { failed } = (await view()).checks;
    expect(failed).toMatchObject([{ name: 'test', summary: '3 tests failed', url: 'https://ci.test/1' }]);
    expect(failed[0]!.output).toMatch(/characters left out[\s\S]*a\.txt:2: two is too many$/);
    expect(failed[0]!.output.length).toBeLessThan(4000);
  });

  test('tells the end of a failed job’s log, which lies on a host that is not shown the token', async () => {
    world.api.state.report(head, { name: 'job', conclusion: 'failure', app: { slug: 'github-actions' } });
    const stamp = '2026-01-02T03:04:05.678Z ';
    const lines = [
      'begin',
      'x'.repeat(9000),
      'expected 1, got 2',
      '##[error]Process completed with exit code 1.',
      'end',
    ];
    const id = Number(world.api.state.runs.get(head)![0]!.id);
    world.api.state.logs.set(id, lines.map((line) => stamp + line).join('\n'));
    const [failed] = (await view()).checks.failed;
    expect(failed!.output).toMatch(/x\nexpected 1, got 2\n##\[error\]Process completed with exit code 1\.$/);
    expect(failed!.output.length).toBeLessThan(2000);
    expect(world.api.storeSaw).toEqual([null]);
  });

  test('waits for required checks that have not appeared; others do not count if only those do', async () => {
    world.api.state.required = ['build'];
    world.api.state.ruled = ['lint'];
    world.api.state.report(head, { name: 'lint' });
    world.api.state.report(head, { name: 'extra', conclusion: 'failure' });
    expect((await view()).checks).toMatchObject({ total: 3, pending: ['build'], failed: [{ name: 'extra' }] });
    await world.close();
    await begin({ checks: 'required' });
    await open();
    world.api.state.required = ['build'];
    world.api.state.report(head, { name: 'extra', conclusion: 'failure' });
    expect((await view()).checks).toEqual({ total: 1, pending: ['build'], failed: [] });
  });

  test('tells who closed it, or merged it and as what', async () => {
    world.api.state.close(100, 'ada');
    expect(await view()).toMatchObject({ state: 'closed', by: 'ada', mergeCommit: null });
    world.api.state.pull(100).open = true;
    const commit = world.api.state.merge(100, 'bob', { method: 'merge', message: 'by hand' });
    expect(await view()).toMatchObject({ state: 'merged', by: 'bob', mergeCommit: commit });
  });

  test('ends at once when it is cancelled, and lets go when the worker does', async () => {
    const { views } = await watch();
    const environment = new MockActivityEnvironment();
    const waiting = watch(views[0]!.stamp, environment);
    await until(() => world.api.log.length > 20);
    environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
    expect(await waiting).toEqual({ views: [], refusal: null });
    const other = new MockActivityEnvironment();
    const again = watch(views[0]!.stamp, other);
    other.cancel('WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true }));
    await expect(again).rejects.toThrow();
  });

  test('tells a request that is due although nothing changed', async () => {
    const { views } = await watch();
    const request = { run: world.run, task: 'a', number: 100, seen: views[0]!.stamp, lookAt: Date.now() + 50 };
    expect((await world.remote('watchRequests', { requests: [request] })).views).toEqual(views);
  });

  test('what is wrong with one request hides none of the others', async () => {
    world.api.faults.push({ when: /GET .*pulls\/7$/, answer: { status: 404 } });
    const request = { run: world.run, task: 'a', number: 100, seen: null, lookAt: null };
    const requests = [{ ...request, task: 'b', number: 7 }, request];
    expect(await world.remote('watchRequests', { requests })).toMatchObject({
      views: [{ task: 'a', view: { number: 100 } }],
      refusal: { passing: false },
      unseen: [{ task: 'b', run: 'r1' }],
    });
  });

  test('tells why it sees nothing', async () => {
    world.env['GH_TOKEN'] = 'wrong';
    expect(await watch()).toMatchObject({ views: [], refusal: { outcome: 'refused', passing: false } });
  });
});

describe('merging', () => {
  beforeEach(() => open());

  test('makes the remote’s merge of exactly the verified commit; asked again it is the same', async () => {
    const merged = await merge();
    const commit = world.far('rev-parse', 'main');
    expect(merged).toEqual({ outcome: 'merged', commit });
    expect(world.far('rev-parse', `${commit}^{tree}`)).toBe(world.far('rev-parse', `${head}^{tree}`));
    expect(world.far('log', '-1', '--format=%P %B', commit)).toMatch(
      new RegExp(`^${base} ${head} Merge task a: task-a\\n[\\s\\S]*Signalbox-Task: a`),
    );
    expect(await merge()).toEqual(merged);
  });

  test('squashes where that is the style', async () => {
    await world.close();
    await begin({}, { merge: { style: 'squash' } });
    await open();
    await merge();
    expect(world.far('log', '-1', '--format=%P %s', 'main')).toBe(`${base} Task a: task-a`);
  });

  test('counts as done if only the answer was lost', async () => {
    world.api.faults.push({ when: /PUT/, answer: 'late' });
    expect(await merge()).toEqual({ outcome: 'merged', commit: world.far('rev-parse', 'main') });
  });

  test('does not happen when head or base are others than those that were verified', async () => {
    const now = world.elsewhere('theirs.txt');
    expect(await merge()).toEqual({ outcome: 'moved', what: 'base', now });
    base = now;
    const pushed = world.elsewhere('more.txt', 'signalbox/r1/a');
    expect(await merge()).toEqual({ outcome: 'moved', what: 'head', now: pushed });
    expect(world.far('rev-parse', 'main')).toBe(now);
    expect(written().filter((what) => what.startsWith('PUT'))).toEqual([]);
  });

  test('that the remote wants a review for is told as blocked, once', async () => {
    world.api.state.mergeableState = 'blocked';
    expect(await merge()).toEqual({
      outcome: 'blocked',
      reason: 'GitHub does not merge it: At least 1 approving review is required.',
    });
    expect(written().filter((what) => what.startsWith('PUT'))).toHaveLength(1);
  });

  test('of one that was closed is told', async () => {
    world.api.state.close(100, 'ada');
    expect(await merge()).toEqual({ outcome: 'closed' });
  });
});

describe('following', () => {
  const follow = (contains: string | null): ReturnType<RemoteWorld['remote']> =>
    world.remote('followRemote', { run: world.run, contains });

  test('a merge makes a candidate of it, which the train accepts and lands as any other', async () => {
    await open();
    const merged = (await merge()) as { outcome: 'merged'; commit: string };
    const { commit } = merged;
    expect(await follow(commit)).toEqual({ outcome: 'ahead', commit, tip: base });
    const { run, task, attempt } = member;
    const check = { run, task, attempt, lane: null, commit, session: 's/1' };
    expect(await world.train('check', check)).toMatchObject({ failure: null });
    const landed = await world.advance({ commit, base: commit, tip: base });
    expect(landed).toMatchObject({ outcome: 'accepted', landing: { landed: true, tip: commit } });
    expect(world.git('rev-parse', 'main')).toBe(commit);
    expect(await follow(commit)).toEqual({ outcome: 'same', tip: commit });
  });

  test('what others merged there makes a candidate, too', async () => {
    const commit = world.elsewhere('theirs.txt');
    expect(await follow(null)).toEqual({ outcome: 'ahead', commit, tip: base });
  });

  test('a branch that lost the merge, or went another way, is told and not followed', async () => {
    const commit = world.elsewhere('theirs.txt');
    expect(await follow(head)).toMatchObject({
      outcome: 'apart',
      commit,
      reason: expect.stringContaining('does not hold'),
    });
    world.write('mine.txt', 'mine\n');
    world.git('add', '.');
    world.git('commit', '-qm', 'Mine');
    await world.train('land', { repository: world.run.repository });
    await world.candidate(await world.finished('b'));
    expect(await follow(null)).toMatchObject({
      outcome: 'apart',
      reason: expect.stringContaining('the other way round'),
    });
  });
});
