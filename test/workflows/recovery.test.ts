import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { RunDescription } from '../../core/description.ts';
import { repositoryWorkflowId, runWorkflowId, taskWorkflowId } from '../../core/ids.ts';
import type { LockTable } from '../../core/locks.ts';
import { initialRunState } from '../../core/run-state.ts';
import type { TaskPhase } from '../../core/task-phase.ts';
import { NO_USAGE } from '../../core/usage.ts';
import { FakeWorld } from '../support/fake-activities.ts';
import { realServer } from '../support/real-server.ts';
import { TEST_QUEUE } from '../support/test-queue.ts';
import { failureOf, runInput, startRun, untilStatus, withWorkers } from '../support/workflow-world.ts';

// The test server for skipped time neither tells a parent of a terminated child nor lists workflows: these need a real one.
let env: Awaited<ReturnType<typeof realServer>>;

beforeAll(async () => {
  // Continued as new after a few events, so that short runs meet it.
  env = await realServer({ 'limit.historyCount.suggestContinueAsNew': '40' });
});
afterAll(async () => {
  await env.teardown();
});

/** What a task is started with to which nothing has happened. */
const FRESH = {
  attempts: 3,
  turns: 4,
  attemptsBefore: 0,
  turnsBefore: 0,
  usageBefore: NO_USAGE,
  seqBefore: 0,
  claims: { reads: [], writes: [] },
  extra: [],
  approval: 'none',
  inputs: {},
  guidance: [],
  failed: null,
} as const;

/** A world that looks away between ending the tasks of a run that is over and saying so. */
class ReapingWorld extends FakeWorld {
  reaps = 0;
  reaped: () => Promise<void> = () => Promise.resolve();

  override activities(client: Client): ReturnType<FakeWorld['activities']> {
    const activities = super.activities(client);
    return {
      ...activities,
      endTasks: async (input) => {
        const over = await activities.endTasks(input);
        await this.reaped();
        this.reaps += 1;
        return over;
      },
    };
  }
}

describe('a run on a real server', () => {
  test('a task that was terminated from outside has failed with that reason, and its locks are free', async () => {
    const claims = { reads: [], writes: ['src/**'] };
    const world = new FakeWorld(
      [
        { id: 'a', claims },
        { id: 'b', claims },
      ],
      { a: { turns: ['hang'] } },
    );
    await withWorkers(env, world, async () => {
      const input = runInput(world);
      const handle = await startRun(env, input);
      await untilStatus(handle, () => world.count('turn a') === 1);
      await env.client.workflow.getHandle(taskWorkflowId('fake', input.run.run, 'a')).terminate('by hand');
      const error: unknown = await handle.result().catch((reason: unknown) => reason);
      const cause = (error as WorkflowFailedError).cause as ApplicationFailure;
      const result = cause.details?.[0] as RunDescription;
      expect(result.tasks['a']).toMatchObject({ status: 'failed', reason: 'its workflow was terminated' });
      expect(result.tasks['b']?.status).toBe('merged');
      world.release('a');
    });
  });

  test('continues as new while tasks work, hears of their ends, and merges each once', async () => {
    const tasks = Array.from({ length: 12 }, (_, index) => ({ id: `t${index}` }));
    const world = new FakeWorld(tasks, { t0: { turns: ['hang'] }, t1: { verify: ['fail', 'pass'] } });
    await withWorkers(env, world, async () => {
      const input = runInput(world, { maxParallel: 3 });
      const handle = await startRun(env, input);
      await untilStatus(
        handle,
        (run) => Object.values(run.tasks).filter((task) => task.status === 'merged').length >= 10,
      );
      world.release('t0');
      const result = await handle.result();
      expect(result.status).toBe('completed');
      expect([...world.merged].sort()).toEqual(tasks.map((task) => task.id).sort());
      const latest = await env.client.workflow.getHandle(runWorkflowId('fake', input.run.run)).describe();
      expect(latest.raw.workflowExecutionInfo?.firstRunId).not.toBe(latest.runId);
    });
  });

  test('a child that was terminated after its run continued as new is found by the watch', async () => {
    const tasks = Array.from({ length: 8 }, (_, index) => ({ id: `t${index}` }));
    const world = new FakeWorld(tasks, { t0: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const input = runInput(world, { maxParallel: 2 });
      const handle = await startRun(env, input);
      await untilStatus(handle, () => world.merged.length === 7);
      await env.client.workflow.getHandle(taskWorkflowId('fake', input.run.run, 't0')).terminate('by hand');
      const error: unknown = await handle.result().catch((reason: unknown) => reason);
      const result = ((error as WorkflowFailedError).cause as ApplicationFailure).details?.[0] as RunDescription;
      expect(result.tasks['t0']).toMatchObject({ status: 'failed', reason: 'its workflow was terminated' });
      world.release('t0');
    });
  });

  test('cancelled after it continued as new, it still ends every task', async () => {
    const tasks = Array.from({ length: 8 }, (_, index) => ({ id: `t${index}` }));
    const world = new FakeWorld(tasks, { t0: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const input = runInput(world, { maxParallel: 2 });
      const handle = await startRun(env, input);
      await untilStatus(handle, () => world.merged.length === 7);
      await env.client.workflow.getHandle(runWorkflowId('fake', input.run.run)).cancel();
      await handle.result().catch(() => undefined);
      const { status } = await env.client.workflow.getHandle(runWorkflowId('fake', input.run.run)).describe();
      expect(status.name).toBe('CANCELLED');
      expect(world.count('close t0')).toBe(1);
    });
  });

  test('a run that is terminated loses its locks and its tasks; another run goes on', async () => {
    const claims = { reads: [], writes: ['src/**'] };
    const world = new FakeWorld([{ id: 'a', claims }], { a: { turns: ['hang', 'hang'] } });
    await withWorkers(env, world, async () => {
      const first = runInput(world);
      const handle = await startRun(env, first);
      await untilStatus(handle, () => world.count('turn a') === 1);
      await handle.terminate('by hand');
      const other = runInput(world);
      const second = await startRun(env, { ...other, run: { ...other.run, repository: first.run.repository } });
      await untilStatus(second, () => world.count('close a') === 1 && world.count('turn a') === 2);
      const task = await env.client.workflow.getHandle(taskWorkflowId('fake', first.run.run, 'a')).describe();
      expect(task.status.name).toBe('CANCELLED');
      const table = env.client.workflow.getHandle(repositoryWorkflowId(first.run.repository.id));
      const { takenBack } = await table.query<LockTable>('table');
      const reason = 'the run was terminated';
      expect(takenBack).toMatchObject([{ run: handle.workflowId, tasks: ['a'], reason }]);
      world.release('a');
      expect((await second.result()).status).toBe('completed');
    });
  });

  test('while the tasks of a run that is over are being ended, others get what it does not hold', async () => {
    const world = new ReapingWorld([
      { id: 'a', claims: { reads: [], writes: ['src/**'] } },
      { id: 'b', claims: { reads: [], writes: ['docs/**'] } },
    ]);
    world.scripts['a'] = { turns: ['hang', {}] };
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    world.reaped = () => ended;
    await withWorkers(env, world, async () => {
      const first = runInput(world, { maxParallel: 1 });
      const lost = await startRun(env, first);
      await untilStatus(lost, () => world.count('turn a') === 1);
      await lost.terminate('by hand');
      const other = runInput(world);
      const second = await startRun(env, { ...other, run: { ...other.run, repository: first.run.repository } });
      const seen = await untilStatus(second, (run) => run.tasks['b']?.status === 'merged');
      expect(seen.tasks['a']).toMatchObject({
        status: 'waiting_for_lock',
        reason: `waits for the locks of a of run ${first.run.run}`,
      });
      expect(world.reaps).toBe(0);
      end();
      const releasing = setInterval(() => world.release('a'), 50);
      expect((await second.result()).status).toBe('completed');
      clearInterval(releasing);
    });
  });

  test('a lock table that is terminated is asked for anew, and learns who holds what', async () => {
    const claims = { reads: [], writes: ['src/**'] };
    const world = new FakeWorld(
      [
        { id: 'a', claims },
        { id: 'b', claims },
      ],
      { a: { turns: ['hang'] } },
    );
    await withWorkers(env, world, async () => {
      const input = runInput(world);
      const handle = await startRun(env, input);
      await untilStatus(handle, () => world.count('turn a') === 1);
      const table = repositoryWorkflowId(input.run.repository.id);
      await env.client.workflow.getHandle(table).terminate('by hand');
      const other = runInput(world);
      const second = await startRun(env, { ...other, run: { ...other.run, repository: input.run.repository } });
      await untilStatus(second, (run) => run.tasks['a']?.status === 'waiting_for_lock');
      const held = await env.client.workflow.getHandle(table).query<LockTable>('table');
      expect(Object.values(held.runs).flatMap((run) => run.holds.map((hold) => hold.task))).toEqual(['a']);
      expect(world.mostWorking).toBe(1);
      // Whose task comes next is not said: each agent is let go as it comes.
      const releasing = setInterval(() => world.release('a'), 50);
      const results = await Promise.all([handle.result(), second.result()]);
      clearInterval(releasing);
      expect(results.map((result) => result.status)).toEqual(['completed', 'completed']);
      expect(world.mostWorking).toBe(1);
    });
  });

  test('a run that is started again while what it left is cleared away still gets its locks', async () => {
    const world = new ReapingWorld([{ id: 'a' }], { a: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const input = runInput(world);
      const { repository } = input.run;
      const table = env.client.workflow.getHandle(repositoryWorkflowId(repository.id));
      const lost = await startRun(env, input);
      await untilStatus(lost, () => world.count('turn a') === 1);
      await lost.terminate('by hand');
      world.reaped = async () => {
        const state = { ...initialRunState(input.settings, 'base'), seq: 10 };
        await startRun(env, input, state);
        const heard = async (): Promise<number> =>
          (await table.query<LockTable>('table')).runs[lost.workflowId]?.seq ?? 0;
        while ((await heard()) <= 10) await new Promise((resolve) => setTimeout(resolve, 20));
      };
      // A newcomer makes the table look whether the others still live.
      const other = runInput(world);
      const second = await startRun(env, { ...other, run: { ...other.run, repository } });
      await untilStatus(second, () => world.reaps > 0);
      const releasing = setInterval(() => world.release('a'), 50);
      const again = env.client.workflow.getHandle(lost.workflowId);
      const results = (await Promise.all([again.result(), second.result()])) as RunDescription[];
      clearInterval(releasing);
      expect(results.map((result) => result.status)).toEqual(['completed', 'completed']);
    });
  });

  test('a former run’s task that ends while its start is tried again is not started a second time', async () => {
    const world = new FakeWorld([{ id: 'a' }], { a: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const input = runInput(world);
      const { run } = input;
      const orphan = await env.client.workflow.start('task', {
        workflowId: taskWorkflowId(run.project, run.run, 'a'),
        taskQueue: TEST_QUEUE,
        args: [{ version: 1, run, task: 'a', name: 'a', held: false, ...FRESH }],
      });
      while (world.count('turn a') === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      const handle = await startRun(env, input);
      await untilStatus(handle, (status) => status.tasks['a']?.status === 'working');
      await orphan.cancel();
      expect((await failureOf(handle)).tasks['a']).toMatchObject({ status: 'cancelled' });
      expect(world.count('prepare a')).toBe(1);
    });
  });

  test('a task that a run adopts hears whether the run is paused, also what was said before it was adopted', async () => {
    const world = new FakeWorld([{ id: 'a' }, { id: 'b' }], { b: { turns: ['hang'] } });
    await withWorkers(env, world, async () => {
      const input = runInput(world);
      const { run } = input;
      const [held, free] = await Promise.all(
        ['a', 'b'].map((id) =>
          env.client.workflow.start('task', {
            workflowId: taskWorkflowId(run.project, run.run, id),
            taskQueue: TEST_QUEUE,
            args: [{ version: 1, run, task: id, name: id, held: id === 'a', ...FRESH }],
          }),
        ),
      );
      const handle = await startRun(env, input);
      await untilStatus(handle, (status) => status.tasks['b']?.status === 'working');
      await handle.signal('pause');
      while (!(await free?.query<TaskPhase>('phase'))?.held) await new Promise((resolve) => setTimeout(resolve, 20));
      await handle.signal('resume');
      while ((await held?.query<TaskPhase>('phase'))?.status === 'working' && world.count('verify a') === 0)
        await new Promise((resolve) => setTimeout(resolve, 20));
      const releasing = setInterval(() => world.release('b'), 50);
      expect((await handle.result()).status).toBe('completed');
      clearInterval(releasing);
    });
  });
});
