import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RunReader } from '../../workers/runs/run-reader.ts';
import { FakeWorld } from '../support/fake-activities.ts';
import { realServer } from '../support/real-server.ts';
import { until } from '../support/until.ts';
import { runInput, startRun, untilStatus, withWorkers } from '../support/workflow-world.ts';

let env: Awaited<ReturnType<typeof realServer>>;

beforeAll(async () => {
  env = await realServer({});
});
afterAll(async () => {
  await env.teardown();
});

/** A world whose tasks each work until they are released. */
function patientWorld(...tasks: string[]): FakeWorld {
  return new FakeWorld(
    tasks.map((id) => ({ id })),
    Object.fromEntries(tasks.map((id) => [id, { turns: ['hang' as const] }])),
  );
}

describe('how much is worked on at once', () => {
  test('two runs on one repository share its bound, each task waits for a place with that reason, and all is merged', async () => {
    const world = patientWorld('a', 'b', 'c', 'd');
    await withWorkers(env, world, async () => {
      const input = runInput(world, { maxParallel: 4, repositoryCap: 2 });
      const other = { ...input, run: { ...input.run, run: `${input.run.run}-2` } };
      const first = await startRun(env, input);
      const reason = 'waits for a free place on the repository';
      await untilStatus(
        first,
        ({ tasks }) => Object.values(tasks).filter((task) => task.reason === reason).length === 2,
      );
      const second = await startRun(env, other);
      await untilStatus(second, ({ tasks }) => tasks['d']?.status === 'waiting_for_lock');
      expect([...world.working].sort()).toEqual(['a', 'b']);
      const results = Promise.all([first.result(), second.result()]);
      await until(() => {
        for (const task of world.working) world.release(task);
        return world.merged.length === 8;
      });
      expect((await results).map(({ status }) => status)).toEqual(['completed', 'completed']);
      expect(world.merged.sort()).toEqual(['a', 'a', 'b', 'b', 'c', 'c', 'd', 'd']);
      expect(world.mostWorking).toBe(2);
    });
  });

  test('agents wait for a free place on their host, and are told so, while what their neighbours wrote is checked', async () => {
    const world = patientWorld('a', 'b', 'c');
    world.mostAgents = 1;
    await withWorkers(env, world, async () => {
      const { run, ...input } = runInput(world, { maxParallel: 3 });
      const handle = await startRun(env, { ...input, run });
      const reader = new RunReader(
        env.client,
        () => Promise.resolve([]),
        () => null,
      );
      const waiting = async (): Promise<number> => {
        const { tasks } = await reader.read(run.project, run.run);
        return Object.values(tasks).filter((task) => task.reason === 'waits for a free place on its host').length;
      };
      for (const [index, left] of [2, 1, 0].entries()) {
        await until(async () => world.turning === 1 && world.merged.length === index && (await waiting()) === left);
        for (const task of world.working) world.release(task);
      }
      expect((await handle.result()).status).toBe('completed');
      expect(world.mostTurning).toBe(1);
    });
  });
});
