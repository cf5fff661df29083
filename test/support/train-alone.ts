import type { WorkflowHandle } from '@temporalio/client';
import { trainWorkflowId } from '../../core/ids.ts';
import type { TrainQueue } from '../../core/train-queue.ts';
import type { Ride, TrainMember } from '../../core/train.ts';
import { trainMember } from '../../scripts/simulate/train.ts';
import { FakeWorld } from './fake-activities.ts';
import { TEST_QUEUE } from './test-queue.ts';
import { runInput, withWorkers, type WorkflowServer } from './workflow-world.ts';

/** A train by itself: its members' tasks do not exist, and need not be told. */
export interface TrainWorld {
  world: FakeWorld;
  submit: (task: string, ride?: Partial<Ride>) => Promise<TrainMember>;
  handle: () => WorkflowHandle;
  until: (condition: (queue: TrainQueue) => boolean) => Promise<TrainQueue>;
}

/** Does `work` with a train in a fake world. */
export async function withTrain(env: WorkflowServer, work: (train: TrainWorld) => Promise<void>): Promise<void> {
  const world = new FakeWorld([]);
  const { repository } = runInput(world).run;
  const workflowId = trainWorkflowId(repository.id, 'main');
  const handle = (): WorkflowHandle => env.client.workflow.getHandle(workflowId);
  await withWorkers(env, world, async () => {
    await work({
      world,
      handle,
      submit: async (task, ride = {}) => {
        const made = trainMember(task, ride);
        const member = { ...made, run: { ...made.run, repository } };
        await env.client.workflow.signalWithStart('train', {
          workflowId,
          taskQueue: TEST_QUEUE,
          args: [{ version: 1, repository }],
          signal: 'submit',
          signalArgs: [member],
        });
        return member;
      },
      until: async (condition) => {
        for (;;) {
          const queue = await handle().query<TrainQueue>('queue');
          if (condition(queue)) return queue;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      },
    });
    await handle().terminate();
  });
}
