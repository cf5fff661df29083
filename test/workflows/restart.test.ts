import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import type { RunInput } from '../../core/workflow-inputs.ts';
import { stateToGoOnFrom } from '../../workers/runs/restart-run.ts';
import { foldRun } from '../../workers/runs/run-history.ts';
import type { run } from '../../workflows/run.ts';
import { FakeWorld } from '../support/fake-activities.ts';
import { realServer } from '../support/real-server.ts';
import { taskView } from '../support/run-rules.ts';
import { runInput, startRun, untilStatus, withWorkers } from '../support/workflow-world.ts';

let env: Awaited<ReturnType<typeof realServer>>;

beforeAll(async () => {
  env = await realServer({});
});
afterAll(async () => {
  await env.teardown();
});

/** Terminates a run, and goes on with it at once, as `run resume` does. */
async function cutOff(handle: WorkflowHandle<typeof run>, input: RunInput): Promise<WorkflowHandle<typeof run>> {
  await handle.terminate('by hand');
  const folded = foldRun((await handle.fetchHistory()).events ?? []);
  if (folded === null) throw new Error('nothing was folded');
  const { state } = stateToGoOnFrom(folded.state, folded.views, null, Date.now());
  await startRun(env, input, state);
  return env.client.workflow.getHandle<typeof run>(handle.workflowId);
}

test('a task that waited for a person when its run was terminated asks again once the run goes on', async () => {
  const world = new FakeWorld([{ id: 'a' }], { a: { turns: [{ question: 'which?' }] } });
  await withWorkers(env, world, async () => {
    const input = runInput(world);
    const handle = await startRun(env, input);
    await untilStatus(handle, (status) => status.tasks['a']?.wait?.id === 1);
    const again = await cutOff(handle, input);
    const asking = await untilStatus(again, (status) => status.tasks['a']?.wait?.id === 2);
    expect(asking.tasks['a']).toMatchObject({ status: 'waiting_for_person', attempts: 2 });
    expect(world.count('close a')).toBe(1);
    const decision = { wait: 2, outcome: 'reject', text: null, inputs: {}, by: 'person' };
    await again.executeUpdate('decideTask', { args: [{ task: 'a', decision }] });
    await expect(again.result()).rejects.toThrow();
  });
});

test('what a terminated run left has ended before anybody else gets its locks', async () => {
  const claims = { reads: [], writes: ['src/**'] };
  const world = new FakeWorld([{ id: 'a', claims }], { a: { turns: ['hang', {}] } });
  await withWorkers(env, world, async () => {
    const input = runInput(world);
    const handle = await startRun(env, input);
    await untilStatus(handle, () => world.count('turn a') === 1);
    // One that is served first when the run goes on.
    world.views.push(taskView({ id: 'b', claims, priority: 9 }));
    const result = await (await cutOff(handle, input)).result();
    expect(result.tasks).toMatchObject({ a: { status: 'merged', attempts: 2 }, b: { status: 'merged' } });
    expect(world.calls.indexOf('close a')).toBeLessThan(world.calls.indexOf('prepare b'));
    expect(world.merged).toEqual(['b', 'a']);
  });
});
