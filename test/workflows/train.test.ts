import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { membersOf, type TrainQueue } from '../../core/train-queue.ts';
import { FakeWorld } from '../support/fake-activities.ts';
import { createTimeSkippingEnvironment } from '../support/time-skipping.ts';
import { withTrain } from '../support/train-alone.ts';
import { runInput, startRun, untilStatus, withWorkers } from '../support/workflow-world.ts';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await createTimeSkippingEnvironment();
});
afterAll(() => env.teardown());

const isEmpty = (queue: TrainQueue): boolean => membersOf(queue).length === 0;

describe('the train', () => {
  test('lands what comes while others are checked together with them, in order, as often as need be', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      world.hanging.add('merge-a');
      await submit('a');
      await until(() => world.count('check merge-a') === 1);
      for (const task of ['b', 'c']) await submit(task);
      // The second place takes what has come since; its tree holds the first one too.
      await until(() => world.merged.length >= 2);
      world.release('merge-a');
      await until(isEmpty);
      expect(world.merged).toEqual(['a', 'b', 'c']);
      expect(world.mostChecking).toBe(2);
    });
  });

  test('lands at most once a second', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      for (const task of ['a', 'b', 'c']) {
        await submit(task);
        await until(() => world.merged.includes(task));
      }
      await until(isEmpty);
      const { events } = await handle().fetchHistory();
      const begun = (events ?? []).filter(
        (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'land',
      );
      const times = begun.map(({ eventTime }) => Number(eventTime?.seconds) * 1000 + Number(eventTime?.nanos) / 1e6);
      // What is accepted while one is waited for lands together.
      expect(times.length).toBeGreaterThanOrEqual(2);
      expect(times.length).toBe(world.landings);
      for (const [index, time] of times.slice(1).entries()) expect(time - times[index]!).toBeGreaterThanOrEqual(990);
    });
  });

  test('lands again at once when somebody who mended what was in the way says so', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      const refusal = { tip: '', landed: false, reason: 'not clean', hint: 'stash it', diverged: false };
      world.refusals = [refusal, refusal];
      await submit('a');
      await until(({ unlanded }) => unlanded !== null && world.landings === 2);
      await handle().signal('resume');
      await until(({ unlanded }) => unlanded === null);
      const events = (await handle().fetchHistory()).events ?? [];
      const asked = events.findIndex(
        (event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'resume',
      );
      const seconds = new Map(
        events.map(({ timerStartedEventAttributes: timer }) => [
          timer?.timerId,
          Number(timer?.startToFireTimeout?.seconds ?? 0),
        ]),
      );
      // What it would have waited for by itself.
      const waited = events.slice(asked).map((event) => seconds.get(event.timerFiredEventAttributes?.timerId) ?? 0);
      expect(Math.max(...waited)).toBeLessThan(2);
    });
  });

  test('finds the culprit, sends it back, and lands those before and behind it', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      world.isRed = (commit) => commit.split('-').includes('c');
      world.hanging.add('merge-a');
      await submit('a');
      for (const task of ['b', 'c', 'd', 'e']) await submit(task);
      await until(({ lanes }) => lanes[0]?.members.length === 5);
      world.release('merge-a');
      const queue = await until(isEmpty);
      expect(world.merged).toEqual(['a', 'b', 'd', 'e']);
      const answer = queue.answered.find(({ key }) => key.includes('..c..'))?.result;
      expect(answer).toMatchObject({ outcome: 'rejected', evidence: { kind: 'failed_integration' } });
    });
  });

  /** What the train had done, in order, but for landings, which go on beside. */
  const steps = async (handle: WorkflowHandle): Promise<string[]> =>
    ((await handle.fetchHistory()).events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) => {
      const name = scheduled?.activityType?.name;
      return name == null || name === 'land' ? [] : [name];
    });

  test('who comes while the first is merged rides with it; who comes then is not waited for', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      world.whenMerging = async () => {
        world.whenMerging = () => Promise.resolve();
        await submit('b', { slots: 1 });
        await submit('c', { slots: 1 });
      };
      world.hanging.add('merge-a-b-c');
      await submit('a', { slots: 1 });
      await until(() => world.count('check merge-a-b-c') === 1);
      await submit('d', { slots: 1 });
      world.release('merge-a-b-c');
      await until(isEmpty);
      expect(world.merged).toEqual(['a', 'b', 'c', 'd']);
      const list = await steps(handle());
      expect(list).toEqual(['candidates', 'candidates', 'check', 'accept', 'check', 'accept']);
      expect(world.count('check merge-a')).toBe(0);
    });
  });

  test('a search behind what is accepted begins before that is over, and is not merged again', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      const tasks = Array.from('abcdefghijklmnop');
      world.isRed = (commit) => commit.endsWith('-p');
      let isFirst = true;
      world.whenMerging = async () => {
        if (!isFirst) return;
        isFirst = false;
        for (const task of tasks.slice(1)) await submit(task);
      };
      // The train hears of the acceptance only when more than the first two run.
      world.whenAccepted = async () => {
        world.whenAccepted = () => Promise.resolve();
        await until(() => world.calls.filter((call) => call.startsWith('check ')).length > 2);
      };
      await submit('a');
      await until(isEmpty);
      expect(world.merged).toEqual(tasks.slice(0, -1));
      const list = await steps(handle());
      expect(list.slice(0, list.indexOf('accept')).filter((step) => step === 'check').length).toBeGreaterThan(2);
      // Nothing is merged but once for those who came first, and with them all for the others.
      expect(list.filter((step) => step === 'candidates')).toHaveLength(2);
    });
  });

  test('what comes next is merged along with what is accepted', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      world.hanging.add('merge-a');
      await submit('a', { slots: 1 });
      await until(() => world.count('check merge-a') === 1);
      await submit('b', { slots: 1 });
      world.release('merge-a');
      await until(isEmpty);
      expect(world.merged).toEqual(['a', 'b']);
      expect(await steps(handle())).toEqual(['candidates', 'check', 'accept', 'check', 'accept']);
    });
  });

  test('what comes next is merged anew where somebody came or left meanwhile', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      world.hanging.add('merge-a');
      await submit('a', { slots: 1 });
      await until(() => world.count('check merge-a') === 1);
      const second = await submit('b', { slots: 1 });
      world.whenAccepted = async () => {
        world.whenAccepted = () => Promise.resolve();
        await handle().signal('withdraw', second);
        await submit('c', { slots: 1 });
      };
      world.release('merge-a');
      await until(isEmpty);
      expect(world.merged).toEqual(['a', 'c']);
      expect(await steps(handle())).toEqual(['candidates', 'check', 'accept', 'candidates', 'check', 'accept']);
    });
  });

  test('a member that is withdrawn while it is checked does not land; those with it do', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      world.hanging.add('merge-a').add('merge-a-b');
      const first = await submit('a');
      await submit('b');
      await until(() => world.count('check merge-a') === 1);
      await handle().signal('withdraw', first);
      const queue = await until(isEmpty);
      expect(world.merged).toEqual(['b']);
      expect(queue.answered.map(({ result }) => result.outcome)).toEqual(['withdrawn', 'merged']);
    });
  });

  test('continued as new in the middle of a check, goes on with it', async () => {
    await withTrain(env, async ({ world, submit, handle, until }) => {
      world.hanging.add('merge-a');
      const member = await submit('a');
      await until(() => world.count('check merge-a') === 1);
      const { runId } = await handle().describe();
      for (let sent = 0; sent < 2100; sent += 100)
        await Promise.all(Array.from({ length: 100 }, () => handle().signal('submit', member)));
      while ((await handle().describe()).runId === runId) await new Promise((resolve) => setTimeout(resolve, 50));
      await until(() => world.count('check merge-a') === 2);
      world.release('merge-a');
      await until(isEmpty);
      expect(world.merged).toEqual(['a']);
    });
  });

  test('continued as new while somebody asks again and again, answers them all', async () => {
    await withTrain(env, async ({ submit, handle, until }) => {
      const member = await submit('a');
      await until(isEmpty);
      const { runId } = await handle().describe();
      // An answer for each: more come while those before are told.
      const ask = async (): Promise<void> => {
        for (let sent = 0; sent < 40; sent += 1) await handle().signal('submit', member);
      };
      await Promise.all(Array.from({ length: 40 }, ask));
      while ((await handle().describe()).runId === runId) await new Promise((resolve) => setTimeout(resolve, 50));
      expect((await until(({ outbox }) => outbox.length === 0)).answered).toHaveLength(1);
    });
  });

  test('lanes are checked at the same time, and land independently of each other', async () => {
    await withTrain(env, async ({ world, submit, until }) => {
      world.hanging.add('merge-a');
      await submit('a', { lane: 'web' });
      await until(() => world.count('check merge-a') === 1);
      await submit('b', { lane: 'server' });
      await until(() => world.merged.includes('b'));
      // What belongs to no lane waits for what came before it.
      await submit('c');
      await submit('d', { lane: 'server' });
      await until(({ lanes }) => lanes.length === 3);
      expect(world.merged).toEqual(['b']);
    });
  });
});

describe('a run whose train stands', () => {
  test('waits for a person when the tip is red by itself, blames nobody, and goes on when told to', async () => {
    const world = new FakeWorld([{ id: 'a' }]);
    let broken = true;
    world.isRed = () => broken;
    world.tipChecks = [failedTip()];
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      const waiting = await untilStatus(handle, (run) => run.status === 'waiting');
      expect(waiting.reason).toMatch(/the train stands: .*`npm test` fails on the accepted tip .*nobody is blamed/);
      expect(waiting.reason).toContain('signalbox run resume');
      broken = false;
      await handle.signal('resume');
      const result = await handle.result();
      expect(result).toMatchObject({ status: 'completed', reason: null });
      expect(result.tasks['a']).toMatchObject({ status: 'merged', attempts: 1 });
    });
  });

  test('goes on by itself when the branch has moved', async () => {
    const world = new FakeWorld([{ id: 'a' }]);
    let broken = true;
    world.isRed = () => broken;
    world.tipChecks = [failedTip()];
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilStatus(handle, (run) => run.status === 'waiting');
      broken = false;
      world.tip = 'mended';
      expect((await handle.result()).tasks['a']).toMatchObject({ status: 'merged', attempts: 1 });
    });
  });

  test('is told with each task when the checks prove nothing; under `block`, nothing is merged', async () => {
    const world = new FakeWorld([{ id: 'a' }]);
    world.ride = { ...world.ride, canary: 'warn' };
    world.canaries = [false];
    await withWorkers(env, world, async () => {
      const result = await (await startRun(env, runInput(world))).result();
      expect(result.tasks['a']?.warnings).toEqual([expect.stringContaining('prove nothing')]);
      world.ride = { ...world.ride, canary: 'block' };
      world.canaries = [false, true];
      const handle = await startRun(env, runInput(world));
      const waiting = await untilStatus(handle, (run) => run.status === 'waiting');
      expect(waiting.reason).toContain('prove nothing');
      await handle.signal('resume');
      expect((await handle.result()).status).toBe('completed');
    });
  });

  function failedTip(): Awaited<ReturnType<ReturnType<FakeWorld['activities']>['checkTip']>> {
    const failure = { check: 'integration', command: 'npm test', exitCode: 1, signal: null } as const;
    return { failure: { ...failure, timedOut: false, outOfMemory: false, output: 'no' }, commands: 1, durationMs: 1 };
  }
});
