import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { taskWorkflowId } from '../../core/ids.ts';
import { homeOf } from '../../activities/home.ts';
import { stopGateway } from '../../workers/gateway-process.ts';
import { openSession } from '../../workers/session.ts';
import { CliProcess } from '../support/cli-process.ts';
import { CliWorld } from '../support/cli.ts';
import { everyTurn, writeFile } from '../support/model-scripts.ts';
import { describeWithOwnEngine, PrivateEngine } from '../support/private-engine.ts';
import { startScriptedModelServer, type ScriptedModelServer } from '../support/scripted-model-server.ts';
import { until } from '../support/until.ts';

const PATIENCE = 240_000;

describeWithOwnEngine('a run whose Docker daemon is killed in the middle of an agent’s turn', () => {
  let engine: PrivateEngine;
  let world: CliWorld;
  let model: ScriptedModelServer;
  /** Lets the model answer the request in the middle of the turn. */
  let answer: () => void;
  let answering: Promise<void>;
  let before = 0;

  beforeAll(async () => {
    engine = new PrivateEngine();
    await engine.start({ liveRestore: true });
    await engine.importImage();
    await engine.kill();
    model = await startScriptedModelServer((request) =>
      everyTurn({
        commands: [writeFile(`work-${before}.txt`, 'done\n')],
        message: 'wrote it',
        ...(request.number === before + 2 && { hold: { request: 1, until: answering } }),
      })(request),
    );
    world = new CliWorld().init();
    Object.assign(world.env, { OPENAI_BASE_URL: `${model.url}/v1`, OPENAI_API_KEY: 'sk-test' });
    world.env['DOCKER_HOST'] = engine.address;
    world.config('checks: { doctor: "test -n \\"$(ls work-*.txt)\\"" }\nrun: { attempts: 1 }\n');
    world.task('001', 'files: { writes: ["*.txt"] }', 'Write the file.').commit('task');
  }, PATIENCE);

  afterAll(async () => {
    world.killWorkers();
    await world.signalbox('server', 'stop');
    await stopGateway(homeOf(world.env));
    await model.close();
    await engine.remove();
    world.remove();
  });

  /** Starts a run, and kills the daemon when the model has seen what a command did, and is about to answer. */
  async function killInMidTurn(run: string, liveRestore: boolean): Promise<void> {
    await engine.start({ liveRestore });
    answering = new Promise((resolve) => (answer = resolve));
    before = model.requests.length;
    const argv = ['--run-id', run, '--no-reuse', '--backend', 'docker', '--detach', '-o', 'json'];
    const start = await world.signalbox('run', 'start', ...argv);
    expect({ code: start.code, stderr: start.stderr }).toMatchObject({ code: 0 });
    await model.waitForRequests(before + 2);
    await engine.kill();
  }

  /** Resolves when an activity of the task has failed for this reason, and will be tried again. */
  async function untilTriedAgain(run: string, reason: string): Promise<void> {
    const { env, repository: directory } = world;
    const session = await openSession({ directory, env, startServer: false, onProgress: () => undefined });
    const handle = session.client.workflow.getHandle(taskWorkflowId('demo', run, '001'));
    await until(async () => {
      const { raw } = await handle.describe();
      return raw.pendingActivities?.some(({ lastFailure }) => lastFailure?.message?.includes(reason));
    });
    await session.close();
  }

  async function merged(run: string): Promise<RunDescription['tasks'][string] | undefined> {
    const watched = await world.signalbox('run', 'watch', run, '-o', 'json');
    expect({ code: watched.code, error: watched.json?.error }).toEqual({ code: 0 });
    expect(world.git('show', '--format=', '--name-only', 'main^2')).toBe(`work-${before}.txt\n`);
    return (watched.json?.result as RunDescription).tasks['001'];
  }

  async function described(run: string): Promise<string> {
    return (await world.signalbox('task', 'describe', '001', '--run', run)).stdout;
  }

  test(
    'finds the turn again where containers live on, and ends as if nothing had been',
    async () => {
      await killInMidTurn('live', true);
      await engine.start({ liveRestore: true });
      answer();
      expect(await merged('live')).toMatchObject({ status: 'merged', attempts: 1, turns: 1 });
      expect([model.requests.length, model.aborted]).toEqual([before + 2, 0]);
      await engine.terminate();
    },
    PATIENCE,
  );

  test(
    'is waited with by a worker that starts before the daemon does, as after the machine did',
    async () => {
      await killInMidTurn('early', true);
      world.killWorkers();
      const worker = new CliProcess(world, 'worker', 'start');
      await untilTriedAgain('early', 'no Docker engine answers');
      await engine.start({ liveRestore: true });
      answer();
      expect(await merged('early')).toMatchObject({ status: 'merged', attempts: 1, turns: 1 });
      expect(model.requests).toHaveLength(before + 2);
      worker.kill('SIGTERM');
      await worker.ended;
      await engine.terminate();
    },
    PATIENCE,
  );

  test(
    'is told that the turn was lost where they do not, keeps its work, and goes on in the same attempt',
    async () => {
      await killInMidTurn('dead', false);
      await engine.start({ liveRestore: false });
      expect(await merged('dead')).toMatchObject({ status: 'merged', attempts: 1, turns: 2 });
      answer();
      expect(model.requests.at(-1)?.prompt).toContain('turn 1 failed: the agent was lost: its machine');
      expect(await described('dead')).toMatch(/turn-1 +lost/);
      expect(await engine.client.listContainers({ all: true })).toEqual([]);
    },
    PATIENCE,
  );
});
