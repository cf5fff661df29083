import { afterEach, describe, expect, test } from '@jest/globals';
import { newRequest, type RequestEvent, type RequestState, type RequestStep } from '../../../core/pull-request.ts';
import { driveRequest, watchedRequests, type TrackedRequest } from '../../../core/request-drive.ts';
import type { TrainMember } from '../../../core/train.ts';
import { remoteWorld, type RemoteWorld } from '../../support/remote-world.ts';

let world: RemoteWorld;
let member: TrainMember;
let tracked: TrackedRequest;
let step: RequestStep;
afterEach(() => world.close());

async function happen(event: RequestEvent): Promise<void> {
  const turn = await driveRequest(tracked, event, {
    remote: {
      openRequest: (input) => world.remote('openRequest', input),
      mergeRequest: (input) => world.remote('mergeRequest', input),
    },
    mayMerge: () => true,
    now: Date.now,
  });
  tracked = { ...tracked, request: turn.state };
  step = turn.step;
}

/** The integration checks pass on a commit. */
async function check(commit: string): Promise<void> {
  const { run, task, attempt } = member;
  const request = { run, task, attempt, lane: null, commit, session: 's/1' };
  expect(await world.train('check', request)).toMatchObject({ failure: null });
}

/** Makes a candidate of the member, checks it as the train does, and pushes it. */
async function verify(before: RequestState | null): Promise<void> {
  const { commit, tip } = await world.candidate(member);
  await check(commit);
  expect(await world.remote('pushTask', { run: world.run, task: 'a', commit })).toMatchObject({ outcome: 'pushed' });
  tracked = { member, base: tip, request: before ?? newRequest(commit, Date.now()) };
  await happen({ type: 'pushed', at: Date.now(), head: commit });
}

async function begin(): Promise<void> {
  world = await remoteWorld({ a: 'echo two >> a.txt' }, { push: 'pull_request', grace: '6s' });
  member = await world.finished('a');
  await verify(null);
}

/** Watches until something is to be done. */
async function watch(): Promise<void> {
  do {
    const { views } = await world.remote('watchRequests', { requests: watchedRequests([tracked], Date.now()) });
    for (const { view, stamp } of views) await happen({ type: 'seen', at: Date.now(), view, stamp });
  } while (step.do === 'wait' && tracked.request.waits === null);
}

/** Brings what the remote has to the user's branch, as the train does. */
async function follow(contains: string | null): Promise<string> {
  const found = await world.remote('followRemote', { run: world.run, contains });
  if (found.outcome !== 'ahead') throw new Error(JSON.stringify(found));
  const { commit, tip } = found;
  await check(commit);
  expect(await world.advance({ commit, base: commit, tip })).toMatchObject({ outcome: 'accepted' });
  return commit;
}

describe('the life of a task’s pull request', () => {
  test('green: the train merges through it, follows, and the user’s branch has the remote’s merge', async () => {
    await begin();
    const { head } = tracked.request;
    world.api.state.report(head, { name: 'ci', status: 'queued', conclusion: null });
    await watch();
    expect(tracked.request).toMatchObject({ phase: 'waiting', waits: 'waits for its checks: ci' });
    world.api.state.report(head, { name: 'ci' });
    await watch();
    expect(step).toEqual({ do: 'follow', commit: world.far('rev-parse', 'main') });
    const commit = await follow(step.do === 'follow' ? step.commit : null);
    expect(world.git('rev-parse', 'main')).toBe(commit);
    expect(world.git('status', '--porcelain')).toBe('');
    expect(world.git('rev-parse', `${commit}^{tree}`)).toBe(world.git('rev-parse', `${head}^{tree}`));
  });

  test('without any check it is merged when the grace is over', async () => {
    await begin();
    await watch();
    expect(tracked.request.waits).toBe('waits for its first check');
    await watch();
    expect(step).toMatchObject({ do: 'follow' });
  });

  test('merged by a person: it is followed', async () => {
    await begin();
    world.api.state.report(tracked.request.head, { name: 'ci', status: 'queued', conclusion: null });
    const commit = world.api.state.merge(100, 'ada', { method: 'squash', message: 'By hand' });
    await watch();
    expect(step).toEqual({ do: 'follow', commit });
    expect(await follow(commit)).toBe(commit);
    expect(world.git('rev-parse', 'main')).toBe(commit);
  });

  test('closed by a person: it goes back to its task, and nothing was merged', async () => {
    await begin();
    const before = world.far('rev-parse', 'main');
    world.api.state.close(100, 'ada');
    await watch();
    expect(step).toMatchObject({ do: 'reject', evidence: { kind: 'rejected', attempt: 1 } });
    expect(world.far('rev-parse', 'main')).toBe(before);
  });

  test('a red check goes back to its task as evidence', async () => {
    await begin();
    const output = { title: 'unit tests', summary: 'expected 1, got 2', text: null };
    world.api.state.report(tracked.request.head, { name: 'ci', conclusion: 'failure', output });
    await watch();
    expect(step).toMatchObject({
      do: 'reject',
      evidence: { kind: 'failed_integration', detail: expect.stringContaining('expected 1, got 2') },
    });
  });

  test('the branch moved meanwhile: it is built anew on what others did, and only that is merged', async () => {
    await begin();
    const first = tracked.request.head;
    world.api.state.report(first, { name: 'ci' });
    world.elsewhere('theirs.txt');
    await watch();
    expect(step).toMatchObject({ do: 'rebuild' });
    await follow(null);
    await verify(tracked.request);
    const { head } = tracked.request;
    expect(head).not.toBe(first);
    expect(world.api.state.pulls).toHaveLength(1);
    world.api.state.report(head, { name: 'ci' });
    await watch();
    expect(step).toMatchObject({ do: 'follow' });
    const commit = await follow(null);
    expect(world.git('ls-tree', '--name-only', commit).split('\n')).toContain('theirs.txt');
    expect(world.git('rev-parse', `${commit}^2`)).toBe(head);
  });

  test('a limit, a lost merge and a lost answer change nothing of how it ends', async () => {
    await begin();
    world.api.state.report(tracked.request.head, { name: 'ci' });
    world.api.faults.push({ when: /PUT/, answer: { status: 502 } }, { when: /PUT/, answer: 'late' });
    await watch();
    expect(step).toEqual({ do: 'follow', commit: world.far('rev-parse', 'main') });
  });
});
