import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { repositoryWorkflowId, trainWorkflowId } from '../../core/ids.ts';
import { FakeWorld } from '../support/fake-activities.ts';
import { createTimeSkippingEnvironment } from '../support/time-skipping.ts';
import { runInput, startRun, withWorkers } from '../support/workflow-world.ts';

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await createTimeSkippingEnvironment();
});
afterAll(async () => {
  await env.teardown();
});

describe('the services of a repository', () => {
  test('the lock table and the train go home when nobody needs them', async () => {
    const world = new FakeWorld([{ id: 'a' }]);
    await withWorkers(env, world, async () => {
      const input = runInput(world);
      await (await startRun(env, input)).result();
      const { id } = input.run.repository;
      for (const service of [repositoryWorkflowId(id), trainWorkflowId(id, 'main')]) {
        await env.client.workflow.getHandle(service).result();
        expect((await env.client.workflow.getHandle(service).describe()).status.name).toBe('COMPLETED');
      }
    });
  });
});
