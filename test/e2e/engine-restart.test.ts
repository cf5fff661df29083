import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { homeOf } from '../../activities/home.ts';
import { stopGateway } from '../../workers/gateway-process.ts';
import { CliWorld } from '../support/cli.ts';
import { everyTurn, writeFile } from '../support/model-scripts.ts';
import { describeWithOwnEngine, PrivateEngine } from '../support/private-engine.ts';
import { startScriptedModelServer, type ScriptedModelServer } from '../support/scripted-model-server.ts';

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
  async function startAndKill(run: string, liveRestore: boolean): Promise<void> {
    await engine.start({ liveRestore });
    answering = new Promise((resolve) => (answer = resolve));
    before = model.requests.length;
    const argv = ['--run-id', run, '--no-reuse', '--backend', 'docker', '--detach', '-o', 'json'];
    const start = await world.signalbox('run', 'start', ...argv);
    expect({ code: start.code, stderr: start.stderr }).toMatchObject({ code: 0 });
    await model.waitForRequests(before + 2);
    await engine.kill();
    await engine.start({ liveRestore });
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
      await startAndKill('live', true);
      answer();
      expect(await merged('live')).toMatchObject({ status: 'merged', attempts: 1, turns: 1 });
      expect([model.requests.length, model.aborted]).toEqual([before + 2, 0]);
      await engine.terminate();
    },
    PATIENCE,
  );

  test(
    'is told that the turn was lost where they do not, keeps its work, and goes on in the same attempt',
    async () => {
      await startAndKill('dead', false);
      expect(await merged('dead')).toMatchObject({ status: 'merged', attempts: 1, turns: 2 });
      answer();
      expect(model.requests.at(-1)?.prompt).toContain('turn 1 failed: the agent was lost: its machine');
      expect(await described('dead')).toMatch(/turn-1 +lost/);
      expect(await engine.client.listContainers({ all: true })).toEqual([]);
    },
    PATIENCE,
  );
});
