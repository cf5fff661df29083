import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { RunDescription } from '../../core/description.ts';
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

async function run(
  remote: FakeWorld['remote'],
  answer?: FakeWorld['pushAnswer'],
): Promise<[FakeWorld, RunDescription]> {
  const world = new FakeWorld([{ id: 'a' }]);
  world.remote = remote;
  if (answer !== undefined) world.pushAnswer = answer;
  return [world, await withWorkers(env, world, async () => await (await startRun(env, runInput(world))).result())];
}
const pushes = (world: FakeWorld): string[] =>
  world.calls.filter((call) => call.startsWith('push')).map((call) => call.split(' ')[0]!);

describe('a verified task', () => {
  test('is pushed to its branch, and then the integration branch, where the project wants both', async () => {
    const [world, result] = await run({ push: 'branch', integration: true });
    expect(result.tasks['a']).toMatchObject({ status: 'merged', warnings: [] });
    expect(pushes(world)).toEqual(['pushTask', 'pushIntegration']);
    const [other] = await run({ push: 'branch', integration: false });
    expect(pushes(other)).toEqual(['pushTask']);
  });

  test('is merged all the same when the remote refuses, with a warning that says how to mend it', async () => {
    const reason = 'somebody else pushed to it';
    const [, result] = await run(
      { push: 'branch', integration: false },
      {
        ...{ outcome: 'refused', reason, hint: 'Delete the branch.', passing: true },
      },
    );
    expect(result.tasks['a']).toMatchObject({
      status: 'merged',
      warnings: [`its branch was not pushed: ${reason}. Delete the branch.`],
    });
  });

  test('is not pushed where no remote is wanted, or the train does it', async () => {
    const [alone] = await run(null);
    const [requested] = await run({ push: 'pull_request', integration: false });
    expect([pushes(alone), pushes(requested)]).toEqual([[], []]);
  });
});
