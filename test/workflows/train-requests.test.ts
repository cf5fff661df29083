import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { membersOf, type TrainQueue } from '../../core/train-queue.ts';
import type { Ride } from '../../core/train.ts';
import { realServer } from '../support/real-server.ts';
import { withTrain } from '../support/train-alone.ts';

// The server for skipped time stands still where a cancelled watch and an answer cross.
let env: Awaited<ReturnType<typeof realServer>>;
beforeAll(async () => {
  env = await realServer({});
});
afterAll(() => env.teardown());

const REQUESTED: Partial<Ride> = { push: 'pull_request' };
const isEmpty = (queue: TrainQueue): boolean => membersOf(queue).length === 0;
const answers = (queue: TrainQueue): string[] =>
  queue.answered.map(({ key, result }) => `${key.split('..')[2] ?? ''} ${result.outcome}`);

describe('a train into a remote with pull requests', () => {
  test('opens a draft for each task, makes it ready when green, waits for its checks, merges through it, and follows', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      const remote = world.far;
      await submit('a', REQUESTED);
      await until(({ requests }) => requests[0]?.request.phase === 'waiting');
      expect(remote.calls).toEqual(['push a work-a', 'open a draft', 'push a merge-a', 'open a ready']);
      expect(world.tip).toBe('base');
      remote.pass('a');
      const queue = await until(isEmpty);
      expect(world.tip).toBe('remote-merge-a');
      expect(queue.answered[0]?.result).toMatchObject({ outcome: 'merged', commit: 'remote-merge-a' });
    });
  });

  test('makes the others anew on what one of them became, and never merges a stale one', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      const remote = world.far;
      await submit('a', REQUESTED);
      await submit('b', REQUESTED);
      await until(({ requests }) => requests.filter(({ request }) => request.phase === 'waiting').length === 2);
      remote.pass('a');
      await until(({ requests }) => requests.length === 1);
      remote.pass('b');
      const queue = await until(isEmpty);
      expect(answers(queue)).toEqual(['a merged', 'b merged']);
      expect(remote.requests).toHaveLength(2);
      expect(world.tip).toBe('remote-merge-b');
    });
  });

  test('follows when a person merges, and sends back what a person closed, or what fails there', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      const remote = world.far;
      for (const task of ['a', 'b', 'c']) {
        await submit(task, REQUESTED);
        await until(({ requests }) => requests.some(({ member }) => member.task === task));
        await until(({ requests }) => requests.every(({ request }) => request.phase === 'waiting'));
      }
      remote.merge(1);
      await until(({ requests }) => !requests.some(({ member }) => member.task === 'a'));
      Object.assign(remote.requests[1]!, { state: 'closed', by: 'ada' });
      const failed = [{ name: 'ci', summary: 'no', url: null, output: 'expected 1' }];
      remote.requests[2]!.checks = { total: 1, pending: [], failed };
      const queue = await until(isEmpty);
      expect(answers(queue).sort()).toEqual(['a merged', 'b rejected', 'c rejected']);
      expect(world.tip).toBe('remote-merge-a');
    });
  });

  test('tries again when the remote cannot be reached', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      // The draft is not tried again.
      world.far.refusals = 2;
      await submit('a', REQUESTED);
      await until(({ requests }) => requests[0]?.request.refusals === 1);
      await until(({ requests }) => requests[0]?.request.number === 1);
      world.far.pass('a');
      expect(answers(await until(isEmpty))).toEqual(['a merged']);
    });
  });

  test('shows nothing unverified of a later attempt on a request that was made ready', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      const remote = world.far;
      const member = await submit('a', REQUESTED);
      await until(({ requests }) => requests[0]?.request.phase === 'waiting');
      const failed = [{ name: 'ci', summary: 'no', url: null, output: 'expected 1' }];
      remote.requests[0]!.checks = { total: 1, pending: [], failed };
      await until(isEmpty);
      remote.calls.length = 0;
      remote.requests[0]!.checks = { total: 1, pending: ['ci'], failed: [] };
      await handle().signal('submit', { ...member, attempt: 2, commit: 'work-2' });
      await until(({ requests }) => requests[0]?.request.phase === 'waiting');
      expect(remote.calls).toEqual(['open a draft', 'push a merge-a', 'open a ready']);
      expect(remote.requests).toHaveLength(1);
    });
  });

  test('lands what the user’s repository refused while other requests wait', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      const remote = world.far;
      await submit('a', REQUESTED);
      await submit('b', REQUESTED);
      await until(({ requests }) => requests.filter(({ request }) => request.phase === 'waiting').length === 2);
      const reason = 'your checkout has uncommitted work';
      world.refusals = [{ landed: false, tip: '', reason, hint: null, diverged: false }];
      remote.pass('a');
      await until(({ unlanded }) => unlanded?.news.reason === reason);
      const { requests } = await until(({ unlanded }) => unlanded === null);
      expect(requests.map(({ member }) => member.task)).toEqual(['b']);
      expect(world.calls.filter((call) => call === 'land')).toHaveLength(2);
    });
  });

  test('follows the remote while a landing is under way, and lands what came of both', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      let release = (): void => undefined;
      world.beforeLanding = () => new Promise((resolve) => (release = resolve));
      await submit('a');
      await until(() => world.landings === 1);
      await submit('b', REQUESTED);
      await until(({ requests }) => requests[0]?.request.phase === 'waiting');
      world.far.pass('b');
      await until(({ arrivals }) => arrivals.length === 2);
      world.beforeLanding = () => Promise.resolve();
      release();
      expect(answers(await until(isEmpty))).toEqual(['a merged', 'b merged']);
      expect(world.landings).toBe(2);
    });
  });

  test('looks at one that the remote refuses to show when it is time, not at once', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      const remote = world.far;
      await submit('a', REQUESTED);
      // What the first look showed is known when the second one begins.
      await until(() => remote.looks === 2);
      remote.blindness = { outcome: 'refused', reason: 'no rights', hint: 'Get some.', passing: false };
      const blind = await until(({ requests }) => requests[0]?.request.blind === true);
      expect(blind.requests[0]?.request).toMatchObject({ waits: 'no rights. Get some.', person: true, refusals: 1 });
      const { looks } = remote;
      await until(({ requests }) => requests[0]?.request.refusals === 2);
      expect(remote.looks).toBe(looks + 1);
    });
  });

  test('a task that is withdrawn is answered, and its request stays with the people', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      const member = await submit('a', REQUESTED);
      await until(({ requests }) => requests[0]?.request.phase === 'waiting');
      await handle().signal('withdraw', member);
      expect(answers(await until(isEmpty))).toEqual(['a withdrawn']);
      expect(world.far.requests[0]).toMatchObject({ state: 'open' });
    });
  });

  test('a task that is withdrawn while the remote merges it is told how that ended', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      const remote = world.far;
      const merges: (() => void)[] = [];
      remote.beforeMerge = () => new Promise((resolve) => merges.push(resolve));
      const first = await submit('a', REQUESTED);
      await until(({ requests }) => requests[0]?.request.phase === 'waiting');
      remote.pass('a');
      await until(({ requests }) => requests[0]?.isMerging === true && merges.length === 1);
      await handle().signal('withdraw', first);
      const queue = await until(({ requests }) => requests[0]?.isLeaving === true);
      expect(answers(queue)).toEqual([]);
      merges[0]!();
      expect(answers(await until(isEmpty))).toEqual(['a merged']);
      expect(world.tip).toBe('remote-merge-a');

      const second = await submit('b', REQUESTED);
      await until(({ requests }) => requests[0]?.request.phase === 'waiting');
      remote.pass('b');
      await until(({ requests }) => requests[0]?.isMerging === true && merges.length === 2);
      await handle().signal('withdraw', second);
      await until(({ requests }) => requests[0]?.isLeaving === true);
      // Somebody pushed: the remote does not merge it.
      remote.tip = 'pushed';
      merges[1]!();
      expect(answers(await until(isEmpty))).toEqual(['a merged', 'b withdrawn']);
      expect(remote.calls.filter((call) => call === 'merge b')).toHaveLength(1);
    });
  });

  test('a task that is withdrawn when its merge cannot be followed is told at once that it is merged', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      world.isRed = (commit) => commit === 'remote-merge-a';
      const member = await submit('a', REQUESTED);
      await until(({ requests }) => requests[0]?.request.phase === 'waiting');
      world.far.merge(1);
      await until(({ halt, requests }) => halt?.kind === 'tip' && requests[0]?.pause !== null);
      await handle().signal('withdraw', member);
      const queue = await until(({ answered, outbox }) => answered.length === 1 && outbox.length === 0);
      expect(answers(queue)).toEqual(['a merged']);
      expect(world.tip).toBe('base');
    });
  });

  test('a task whose work the tip holds already, as a new train finds, is merged without another request', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      world.held.set('a', 'base');
      await submit('a', REQUESTED);
      const queue = await until(({ answered, outbox }) => answered.length === 1 && outbox.length === 0);
      expect(answers(queue)).toEqual(['a merged']);
      expect(world.far.calls.filter((call) => call.endsWith(' ready'))).toEqual([]);
      expect(world.landings).toBe(1);
    });
  });

  test('a task whose branch a person pushed to, and merged, is found merged without a push', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      const remote = world.far;
      remote.foreign.add('a');
      remote.tip = 'merged by hand';
      world.held.set('a', 'merged by hand');
      await submit('a', REQUESTED);
      const queue = await until(({ answered, outbox }) => answered.length === 1 && outbox.length === 0);
      expect(answers(queue)).toEqual(['a merged']);
      expect([world.tip, remote.requests]).toEqual(['merged by hand', []]);
    });
  });

  test('a task whose branch a person pushed to waits for them, and is merged when the branch is free', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      const remote = world.far;
      remote.foreign.add('a');
      await submit('a', REQUESTED);
      await until(({ requests }) => requests[0]?.request.refusals === 1 && requests[0].todo === null);
      expect(remote.calls.filter((call) => call === 'follow')).toHaveLength(1);
      remote.foreign.clear();
      await until(() => remote.requests.length === 1);
      remote.pass('a');
      expect(answers(await until(isEmpty))).toEqual(['a merged']);
    });
  });
});
