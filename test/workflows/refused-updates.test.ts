import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Worker } from '@temporalio/worker';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { FakeWorld } from '../support/fake-activities.ts';
import { historiesOf } from '../support/histories.ts';
import { realServer } from '../support/real-server.ts';
import { runInput, startRun, untilStatus, withWorkers } from '../support/workflow-world.ts';

let env: Awaited<ReturnType<typeof realServer>>;

beforeAll(async () => {
  env = await realServer({ 'limit.historyCount.suggestContinueAsNew': '40' });
});
afterAll(async () => {
  await env.teardown();
});

/** Bundling, some forty updates of several runs, and a replay of each of their executions. */
const PATIENCE = 60_000;

test(
  'refused updates leave no trace: a run that continues as new among them can be replayed',
  async () => {
    const world = new FakeWorld([{ id: 'a', approval: 'start' }]);
    const bundle = await workflowBundle(process.env);
    await withWorkers(env, world, async () => {
      // Each has a history of another length when it is refused something: one meets the limit with that.
      for (const more of [0, 1, 2, 3]) {
        const input = runInput(world);
        const { workflowId } = await startRun(env, input);
        const handle = env.client.workflow.getHandle(workflowId);
        await untilStatus(handle, (run) => run.tasks['a']?.wait !== null);
        for (let count = 0; count < more; count += 1) await handle.signal('resume');
        for (let count = 0; count < 8; count += 1) {
          await handle.executeUpdate('setRun', { args: [{ maxParallel: 2 + count }] });
          const refused = handle.executeUpdate('cancelTask', { args: [{ task: 'unknown' }] });
          await expect(refused).rejects.toThrow();
        }
        await handle.executeUpdate('skipTask', { args: [{ task: 'a', satisfied: true }] });
        await handle.result();
        const histories = await historiesOf(env.client, `WorkflowId = '${workflowId}'`);
        expect(histories.length).toBeGreaterThan(1);
        for (const { events, runId } of histories) {
          await Worker.runReplayHistory({ workflowBundle: bundle, replayName: runId }, { events });
        }
      }
    });
  },
  PATIENCE,
);
