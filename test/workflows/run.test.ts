import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { RunDescription } from '../../core/description.ts';
import { repositoryWorkflowId, taskWorkflowId } from '../../core/ids.ts';
import type { LockTable } from '../../core/locks.ts';
import type { RunInput } from '../../core/workflow-inputs.ts';
import { FakeWorld } from '../support/fake-activities.ts';
import { createTimeSkippingEnvironment } from '../support/time-skipping.ts';
import { failureOf, runInput, startRun, untilStatus, withWorkers } from '../support/workflow-world.ts';

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await createTimeSkippingEnvironment();
});
afterAll(async () => {
  await env.teardown();
});

/** Runs a world to its end. */
async function runToEnd(world: FakeWorld, settings: Partial<RunInput['settings']> = {}): Promise<RunDescription> {
  return await withWorkers(env, world, async () => await (await startRun(env, runInput(world, settings))).result());
}

const lockTable = async (input: RunInput): Promise<LockTable> =>
  await env.client.workflow.getHandle(repositoryWorkflowId(input.run.repository.id)).query<LockTable>('table');

describe('a run', () => {
  test('merges every task after those that it depends on, and adds up what was used', async () => {
    const world = new FakeWorld([
      { id: 'c', depends_on: ['b'] },
      { id: 'b', depends_on: ['a'] },
      { id: 'a' },
      { id: 'd' },
    ]);
    const result = await runToEnd(world);
    expect(result.status).toBe('completed');
    expect(world.merged.filter((task) => task !== 'd')).toEqual(['a', 'b', 'c']);
    expect(result.usage).toMatchObject({ input_tokens: 40, output_tokens: 8 });
    expect(result.tasks['b']).toMatchObject({ status: 'merged', attempts: 1, turns: 1, merged_commit: 'merge-b' });
    expect(result.head_commit).toBe(`merge-${world.merged.at(-1) ?? ''}`);
  });

  test('works on at most max_parallel tasks at once', async () => {
    const world = new FakeWorld(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => ({ id })));
    await runToEnd(world, { maxParallel: 2 });
    expect(world.merged).toHaveLength(6);
    expect(world.mostWorking).toBeLessThanOrEqual(2);
  });

  test('never works on two tasks at once whose writes can meet', async () => {
    const claims = { reads: [], writes: ['src/**'] };
    const world = new FakeWorld(['a', 'b', 'c'].map((id) => ({ id, claims })));
    await runToEnd(world);
    expect(world.merged).toHaveLength(3);
    expect(world.mostWorking).toBe(1);
  });

  test('tries a task again when its doctor fails, and merges the attempt that passes', async () => {
    const world = new FakeWorld([{ id: 'a' }], { a: { verify: ['fail', 'pass'] } });
    const result = await runToEnd(world);
    expect(result.tasks['a']).toMatchObject({ status: 'merged', attempts: 2, turns: 2 });
  });

  test('sends a conflict back to the task, whose next attempt merges', async () => {
    const world = new FakeWorld([{ id: 'a' }], { a: { candidate: ['conflict', 'merge'] } });
    const result = await runToEnd(world);
    expect(result.tasks['a']).toMatchObject({ status: 'merged', attempts: 2 });
    expect(world.count('candidate a')).toBe(2);
  });

  test('fails when a task used up its attempts, blocks what depends on it, and finishes the rest', async () => {
    const world = new FakeWorld([{ id: 'a', attempts: 2 }, { id: 'b', depends_on: ['a'] }, { id: 'c' }], {
      a: { verify: ['fail'] },
    });
    await withWorkers(env, world, async () => {
      const result = await failureOf(await startRun(env, runInput(world)));
      expect(result.tasks['a']).toMatchObject({ status: 'failed', attempts: 2 });
      expect(result.tasks['a']?.reason).toContain('doctor check `npm test` ended with exit code 1');
      expect(result.tasks['b']).toMatchObject({ status: 'blocked' });
      expect(result.tasks['c']).toMatchObject({ status: 'merged' });
      expect(result.reason).toContain('1 of 3 tasks did not succeed');
    });
  });

  test('gives the reason when a step cannot be carried out at all', async () => {
    const world = new FakeWorld([{ id: 'a', attempts: 1 }], { a: { turns: ['lost'] } });
    await withWorkers(env, world, async () => {
      const result = await failureOf(await startRun(env, runInput(world)));
      expect(result.tasks['a']?.reason).toContain('the disk is full');
      expect(world.count('close a')).toBe(1);
    });
  });

  test('paused, lets the running turn end and starts nothing new; resumed, it goes on', async () => {
    const world = new FakeWorld([{ id: 'a' }, { id: 'b' }], { a: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world, { maxParallel: 1 }));
      await untilStatus(handle, () => world.count('turn a') === 1);
      await handle.signal('pause');
      expect((await untilStatus(handle, (run) => run.status === 'paused')).reason).toContain('paused');
      world.release('a');
      const task = env.client.workflow.getHandle(
        taskWorkflowId('fake', (await handle.query<RunDescription>('status')).run_id, 'a'),
      );
      await untilStatus(handle, () => world.count('verify a') === 0);
      expect(await task.query('phase')).toMatchObject({ held: true });
      expect(world.count('prepare b')).toBe(0);
      await handle.signal('resume');
      expect((await handle.result()).status).toBe('completed');
      expect(world.count('turn a')).toBe(1);
    });
  });

  test('stopped, ends the running turn and keeps its work; resumed, the agent goes on with another turn', async () => {
    const world = new FakeWorld([{ id: 'a' }], { a: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilStatus(handle, () => world.count('turn a') === 1);
      await handle.signal('stop');
      await untilStatus(handle, (run) => run.status === 'paused');
      await handle.signal('resume');
      await untilStatus(handle, () => world.count('turn a') === 2);
      world.release('a');
      const result = await handle.result();
      expect(result.tasks['a']).toMatchObject({ status: 'merged', attempts: 1, turns: 2 });
    });
  });

  test('cancelled, ends its tasks, keeps their work, and gives back their locks', async () => {
    const world = new FakeWorld([{ id: 'a' }, { id: 'b', depends_on: ['a'] }], { a: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const input = runInput(world);
      const handle = await startRun(env, input);
      await untilStatus(handle, () => world.count('turn a') === 1);
      await handle.cancel();
      await expect(handle.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) as unknown });
      const task = env.client.workflow.getHandle(taskWorkflowId('fake', input.run.run, 'a'));
      expect((await task.describe()).status.name).toBe('CANCELLED');
      expect(world.count('close a')).toBe(1);
      expect(world.merged).toEqual([]);
      expect((await lockTable(input)).runs).toEqual({});
    });
  });

  test('one task cancelled: what depends on it is blocked, the rest is merged', async () => {
    const world = new FakeWorld([{ id: 'a' }, { id: 'b', depends_on: ['a'] }, { id: 'c' }], { a: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilStatus(handle, () => world.count('turn a') === 1);
      await handle.executeUpdate('cancelTask', { args: [{ task: 'a' }] });
      const result = await failureOf(handle);
      expect(result.tasks['a']?.status).toBe('cancelled');
      expect(result.tasks['b']?.status).toBe('blocked');
      expect(result.tasks['c']?.status).toBe('merged');
    });
  });

  test('a failed task is tried again on a person’s word while the run goes on, and refused while it works', async () => {
    const world = new FakeWorld([{ id: 'a', attempts: 1 }, { id: 'b' }], {
      a: { verify: ['fail', 'pass'] },
      b: { turns: ['hang'] },
    });
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      await untilStatus(handle, (run) => run.tasks['a']?.status === 'failed');
      await expect(handle.executeUpdate('retryTask', { args: [{ task: 'b' }] })).rejects.toThrow();
      await untilRetried(handle, 'a');
      await untilStatus(handle, (run) => run.tasks['a']?.status === 'merged');
      world.release('b');
      const result = await handle.result();
      expect(result.tasks['a']).toMatchObject({ status: 'merged', attempts: 2 });
    });
  });

  test('waits while the user’s checkout refuses the work, and completes when it lands', async () => {
    const world = new FakeWorld([{ id: 'a' }]);
    const refusal = {
      tip: '',
      landed: false,
      reason: 'the checkout is not clean',
      hint: 'commit or stash',
      diverged: false,
    };
    world.refusals = [refusal, refusal, refusal];
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, runInput(world));
      const waiting = await untilStatus(handle, (run) => run.status === 'waiting');
      expect(waiting.reason).toContain('commit or stash');
      expect((await handle.result()).status).toBe('completed');
      // Refused three times.
      expect(world.count('land')).toBe(4);
    });
  });

  test('tasks of two runs on one repository never work at once where their writes can meet', async () => {
    const claims = { reads: [], writes: ['src/**'] };
    const world = new FakeWorld(['a', 'b'].map((id) => ({ id, claims })));
    await withWorkers(env, world, async () => {
      const first = runInput(world);
      const other = runInput(world);
      const second = { ...other, run: { ...other.run, repository: first.run.repository } };
      const handles = [await startRun(env, first), await startRun(env, second)];
      const results = await Promise.all(handles.map((handle) => handle.result()));
      expect(results.map((result) => result.status)).toEqual(['completed', 'completed']);
      expect(world.mostWorking).toBe(1);
    });
  });
});

/** A failed task can be retried once its workflow is seen to have closed. */
async function untilRetried(handle: WorkflowHandle, task: string): Promise<void> {
  for (;;) {
    try {
      await handle.executeUpdate('retryTask', { args: [{ task }] });
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
