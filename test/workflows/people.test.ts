import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { RunDescription } from '../../core/description.ts';
import type { Decision } from '../../core/person.ts';
import type { run } from '../../workflows/run.ts';
import { FakeWorld } from '../support/fake-activities.ts';
import { createTimeSkippingEnvironment } from '../support/time-skipping.ts';
import { failureOf, runInput, startRun, untilStatus, withWorkers } from '../support/workflow-world.ts';

type RunHandle = WorkflowHandle<typeof run>;

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await createTimeSkippingEnvironment();
});
afterAll(async () => {
  await env.teardown();
});

/** Waits until a task waits for a person. @returns the id of the wait */
async function untilAsked(handle: RunHandle, task: string, id = 1): Promise<void> {
  await untilStatus(handle, (status) => status.tasks[task]?.wait?.id === id);
}

async function decide(
  handle: RunHandle,
  task: string,
  outcome: Decision['outcome'],
  more: Partial<Decision> = {},
): Promise<unknown> {
  const decision: Decision = { wait: 1, outcome, text: null, inputs: {}, by: 'person', ...more };
  return await handle.executeUpdate('decideTask', { args: [{ task, decision }] });
}

async function refusalOf(update: Promise<unknown>): Promise<string> {
  const error: unknown = await update.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
  return (error as WorkflowUpdateFailedError).cause?.message ?? '';
}

describe('a person', () => {
  // The first one, since time is not skipped any more once an earlier test has left something running.
  test('who misses the deadline has the default counted as the answer', async () => {
    const world = new FakeWorld([{ id: 'a', approval: 'start' }, { id: 'b' }]);
    await withWorkers(env, world, async () => {
      const people = { deadlineMs: 3600 * 1000, outcome: 'reject' } as const;
      const handle = await startRun(env, runInput(world, { people }));
      const result = await failureOf(handle);
      expect(result.tasks['a']).toMatchObject({ status: 'cancelled', reason: 'not started: nobody answered in time' });
      expect(result.tasks['b']).toMatchObject({ status: 'merged' });
    });
  });

  test('lets a task start, once: a second and a late word are refused with the reason', async () => {
    const world = new FakeWorld([{ id: 'a', approval: 'start' }], { a: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilAsked(handle, 'a');
      expect(await handle.query<RunDescription>('status')).toMatchObject({ status: 'waiting' });
      expect(world.notices).toEqual(['start a']);
      expect(await refusalOf(decide(handle, 'a', 'answer', { text: 'x' }))).toMatch(/approve or reject/);
      await decide(handle, 'a', 'approve');
      expect(await refusalOf(decide(handle, 'a', 'approve'))).toBe('a does not wait for a person');
      while (world.count('turn a') === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      world.release('a');
      expect((await handle.result()).status).toBe('completed');
    });
  });

  test('answers an agent, whose next turn goes on the same thread with the answer', async () => {
    const world = new FakeWorld([{ id: 'a' }], { a: { turns: [[{ question: 'tabs or spaces?' }, {}]] } });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilAsked(handle, 'a');
      const { tasks } = await handle.query<RunDescription>('status');
      expect(tasks['a']).toMatchObject({
        status: 'waiting_for_person',
        wait: { kind: 'question', question: 'tabs or spaces?' },
      });
      await decide(handle, 'a', 'answer', { text: 'spaces' });
      expect((await handle.result()).tasks['a']).toMatchObject({ status: 'merged', attempts: 1, turns: 2 });
    });
    expect(world.turns[1]).toMatchObject({
      thread: 'thread-a',
      evidence: [{ kind: 'answer', summary: 'you asked: tabs or spaces?', detail: 'spaces' }],
    });
  });

  test('approves a merge; guidance instead begins another attempt with it', async () => {
    const world = new FakeWorld([{ id: 'a', approval: 'merge', attempts: 1 }]);
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilAsked(handle, 'a');
      expect(world.count('candidate a')).toBe(0);
      await decide(handle, 'a', 'retry', { text: 'shorter, please' });
      await untilAsked(handle, 'a', 2);
      await decide(handle, 'a', 'approve', { wait: 2 });
      expect((await handle.result()).tasks['a']).toMatchObject({ status: 'merged', attempts: 2 });
    });
    expect(world.turns[1]?.evidence).toMatchObject([{ kind: 'guidance', detail: 'shorter, please' }]);
  });

  test('tells who approves a merge what the newest attempt changes of what it is checked by', async () => {
    const findings = ['changes CI: .ci/run', 'changes what the checks run: Makefile'];
    const world = new FakeWorld([{ id: 'a', approval: 'merge' }], { a: { turns: [{ findings }, {}] } });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilAsked(handle, 'a');
      const asked = (await handle.query<RunDescription>('status')).tasks['a'];
      const question = 'May a task-a be merged? Its checks have passed.';
      expect(asked).toMatchObject({
        findings,
        wait: { question: `${question} It changes CI: .ci/run. It changes what the checks run: Makefile.` },
      });
      await decide(handle, 'a', 'retry', { text: 'leave CI alone' });
      await untilAsked(handle, 'a', 2);
      const again = (await handle.query<RunDescription>('status')).tasks['a'];
      expect(again).toMatchObject({ findings: [], wait: { question } });
      await decide(handle, 'a', 'approve', { wait: 2 });
      expect((await handle.result()).tasks['a']).toMatchObject({ status: 'merged', findings: [] });
    });
  });

  test('rejects a merge: the task fails with what was said', async () => {
    const world = new FakeWorld([{ id: 'a', approval: 'merge' }]);
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilAsked(handle, 'a');
      await decide(handle, 'a', 'reject', { text: 'not like this' });
      const result = await failureOf(handle);
      expect(result.tasks['a']).toMatchObject({ status: 'failed', reason: 'a person rejected it: not like this' });
    });
    expect(world.merged).toEqual([]);
  });

  test('lets a task go on that hit a limit, with as much again', async () => {
    const stopped = { outcome: 'limit', reason: 'it used 9 tokens; the limit is 5.' } as const;
    const world = new FakeWorld([{ id: 'a' }], { a: { turns: [[stopped, {}]] } });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilAsked(handle, 'a');
      await decide(handle, 'a', 'approve');
      expect((await handle.result()).tasks['a']).toMatchObject({ status: 'merged', attempts: 1, turns: 2 });
    });
    expect(world.turns.map((turn) => turn.allowance)).toEqual([1, 2]);
    expect(world.turns[1]?.thread).toBe('thread-a');
  });

  test('who says nothing for a while frees the locks; an answer after that still counts', async () => {
    const world = new FakeWorld([{ id: 'a' }, { id: 'b', claims: { reads: [], writes: ['a/**'] } }], {
      a: { turns: [[{ question: 'which?' }, {}]] },
    });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world, { idleLocksMs: 500 }));
      await untilAsked(handle, 'a');
      await untilStatus(handle, (status) => status.tasks['b']?.status === 'merged');
      await decide(handle, 'a', 'answer', { text: 'this' });
      expect((await handle.result()).tasks['a']).toMatchObject({ status: 'merged', attempts: 1 });
    });
    expect(world.merged).toEqual(['b', 'a']);
  });

  test('who answers after others changed the paths has the attempt started over', async () => {
    const claims = { reads: [], writes: ['a/**'] };
    const world = new FakeWorld(
      [
        { id: 'a', attempts: 1 },
        { id: 'b', claims },
      ],
      {
        a: { turns: [[{ question: 'which?' }, {}], {}] },
      },
    );
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world, { idleLocksMs: 500 }));
      await untilAsked(handle, 'a');
      await untilStatus(handle, (status) => status.tasks['b']?.status === 'merged');
      world.changed = ['a/x.ts'];
      await decide(handle, 'a', 'answer', { text: 'this' });
      expect((await handle.result()).tasks['a']).toMatchObject({ status: 'merged', attempts: 2 });
    });
    expect(world.turns.at(-1)?.evidence).toMatchObject([{ kind: 'locks' }]);
  });

  test('is told by a hook, whose failure harms nobody', async () => {
    const world = new FakeWorld([{ id: 'a', approval: 'start' }]);
    world.hookIsBroken = true;
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilAsked(handle, 'a');
      // It is tried again; the end of the run does not wait for the last try.
      while (world.notices.length < 2) await env.sleep('5s');
      await decide(handle, 'a', 'approve');
      expect((await handle.result()).status).toBe('completed');
    });
    expect(new Set(world.notices)).toEqual(new Set(['start a']));
    expect(world.notices.length).toBeLessThan(6);
  });

  test('cancels a task that waits', async () => {
    const world = new FakeWorld([{ id: 'a' }], { a: { turns: [{ question: 'which?' }] } });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilAsked(handle, 'a');
      await handle.executeUpdate('cancelTask', { args: [{ task: 'a' }] });
      expect((await failureOf(handle)).tasks['a']).toMatchObject({ status: 'cancelled' });
    });
    expect(world.count('close a')).toBe(1);
  });
});

describe('a task that failed', () => {
  test('and is tried again by a person is told how it failed, and what the person says', async () => {
    const world = new FakeWorld([{ id: 'a', attempts: 1 }, { id: 'b' }], {
      a: { verify: ['fail', 'pass'] },
      b: { turns: ['hang'] },
    });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilStatus(handle, (status) => status.tasks['a']?.status === 'failed' && world.count('turn b') === 1);
      await handle.executeUpdate('retryTask', { args: [{ task: 'a', guidance: 'mind the gap' }] });
      await untilStatus(handle, (status) => status.tasks['a']?.status === 'merged');
      world.release('b');
      await handle.result();
    });
    const last = world.turns.findLast((turn) => turn.attempt.task === 'a')?.evidence;
    expect(last).toMatchObject([
      {
        kind: 'failed_check',
        attempt: 1,
        commit: 'commit-a-1',
        summary: expect.stringContaining('npm test') as unknown,
      },
      { kind: 'guidance', detail: 'mind the gap' },
    ]);
  });
});

describe('a live run', () => {
  test('takes new tasks, one sender at a time', async () => {
    const world = new FakeWorld([{ id: 'a' }], { a: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilStatus(handle, () => world.count('turn a') === 1);
      world.add({ id: 'b', depends_on: ['a'] });
      const added = { manifest: { sha256: '1', bytes: 1 }, before: '0', tasks: ['b'] };
      await handle.executeUpdate('addTasks', { args: [added] });
      const late = { ...added, manifest: { sha256: '2', bytes: 1 }, tasks: ['c'] };
      expect(await refusalOf(handle.executeUpdate('addTasks', { args: [late] }))).toMatch(/somebody else/);
      await untilStatus(handle, (status) => status.tasks['b'] !== undefined);
      const again = { ...late, before: '1', tasks: ['B'] };
      expect(await refusalOf(handle.executeUpdate('addTasks', { args: [again] }))).toMatch(/has a task B already/);
      world.release('a');
      expect((await handle.result()).tasks).toMatchObject({ a: { status: 'merged' }, b: { status: 'merged' } });
    });
    expect(world.merged).toEqual(['a', 'b']);
  });

  test('skips a task: what depends on it is blocked, or goes on if that was said', async () => {
    for (const satisfied of [false, true]) {
      const world = new FakeWorld([
        { id: 'a', approval: 'start' },
        { id: 'b', depends_on: ['a'] },
      ]);
      await withWorkers(env, world, async () => {
        const handle = await startRun(env, runInput(world));
        await untilAsked(handle, 'a');
        await handle.executeUpdate('skipTask', { args: [{ task: 'a', satisfied }] });
        if (satisfied)
          expect(await handle.result()).toMatchObject({ status: 'completed', tasks: { b: { status: 'merged' } } });
        else expect((await failureOf(handle)).tasks['b']).toMatchObject({ status: 'blocked' });
      });
    }
  });

  test('works on more tasks at once when it is told to', async () => {
    const ids = ['a', 'b', 'c', 'd'];
    const world = new FakeWorld(
      ids.map((id) => ({ id })),
      Object.fromEntries(ids.map((id) => [id, { turns: ['hang' as const] }])),
    );
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world, { maxParallel: 1 }));
      await untilStatus(handle, () => world.working.size === 1);
      await handle.executeUpdate('setTask', { args: [{ task: 'd', priority: 9 }] });
      await handle.executeUpdate('setRun', { args: [{ maxParallel: 2 }] });
      await untilStatus(handle, () => world.working.size === 2);
      expect([...world.working]).toEqual(['a', 'd']);
      await handle.executeUpdate('setRun', { args: [{ maxParallel: 4 }] });
      await untilStatus(handle, () => world.working.size === 4);
      const releasing = setInterval(() => ids.forEach((id) => world.release(id)), 50);
      expect((await handle.result()).status).toBe('completed');
      clearInterval(releasing);
    });
  });
});
