import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import Docker from 'dockerode';
import { runWorkflowId, taskWorkflowId } from '../../core/ids.ts';
import { homeOf } from '../../activities/home.ts';
import type { CleanReport } from '../../workers/clean/clean.ts';
import { stopGateway } from '../../workers/gateway-process.ts';
import { openSession, type Session } from '../../workers/session.ts';
import { CliProcess } from '../support/cli-process.ts';
import { CliWorld } from '../support/cli.ts';
import { describeWithDocker } from '../support/docker.ts';
import { until } from '../support/until.ts';

const PATIENCE = 180_000;

describeWithDocker('what a worker that was killed left of a run', () => {
  const docker = new Docker();
  let world: CliWorld;
  let session: Session;
  let worker: CliProcess | null = null;

  beforeAll(async () => {
    world = new CliWorld().init();
    const command = 'cat > /dev/null; echo work > "$SIGNALBOX_TASK_ID.txt"; sleep 1000';
    world.config(
      `agent: { provider: command, command: ${JSON.stringify(command)} }\nchecks: { doctor: "true" }\n` +
        'run: { attempts: 1 }\nsandbox: { backend: docker, network: gateway }\n',
    );
    for (const id of ['001', '010']) world.task(id, `files: { writes: ["${id}.txt"] }`);
    world.commit('tasks');
    await world.signalbox('server', 'start', '--detach');
    const { env, repository: directory } = world;
    session = await openSession({ directory, env, startServer: false, onProgress: () => undefined });
  }, PATIENCE);

  afterAll(async () => {
    await session.close();
    world.killWorkers();
    worker?.kill('SIGTERM');
    await worker?.ended;
    for (const { Id } of await containers()) await docker.getContainer(Id).remove({ force: true });
    await world.signalbox('server', 'stop');
    await stopGateway(homeOf(world.env));
    world.remove();
  });

  async function containers(run?: string): Promise<Docker.ContainerInfo[]> {
    const label = [`signalbox.home=${world.home}`, ...(run === undefined ? [] : [`signalbox.run=${run}`])];
    return await docker.listContainers({ all: true, filters: { label } });
  }

  /** Starts a run, and returns when its agent works: with a container for it, and one for its network. */
  async function start(run: string, task: string): Promise<void> {
    const started = await world.signalbox('run', 'start', '--run-id', run, '--tasks', task, '--no-reuse', '--detach');
    expect({ code: started.code, stderr: started.stderr }).toMatchObject({ code: 0 });
    await until(async () => (await containers(run)).filter(({ State }) => State === 'running').length === 2);
  }

  /** Ends a run from outside, which can clean nothing up. */
  async function terminate(run: string, task: string): Promise<void> {
    for (const id of [runWorkflowId('demo', run), taskWorkflowId('demo', run, task)])
      await session.client.workflow.getHandle(id).terminate();
  }

  const records = (run: string): string[] =>
    readdirSync(homeOf(world.env).steps).filter((name) => name.startsWith(`demo..${run}..`));

  test(
    'is removed when the next one starts, if the run is over; a run that goes on keeps what it has',
    async () => {
      await start('r1', '001');
      await start('r10', '010');
      world.killWorkers();
      await terminate('r1', '001');
      expect([await containers('r1'), await containers('r10')].map(({ length }) => length)).toEqual([2, 2]);
      worker = new CliProcess(world, 'worker', 'start');
      await until(async () => (await containers('r1')).length === 0);
      const left = await containers('r10');
      expect(left.map(({ State }) => State)).toEqual(['running', 'running']);
      expect((await world.signalbox('run', 'cancel', 'r10')).code).toBe(0);
      await until(async () => (await containers()).length === 0);
    },
    PATIENCE,
  );

  test(
    'is removed by `clean` where no worker starts any more, with the records of its steps',
    async () => {
      await start('r2', '001');
      worker?.kill('SIGKILL');
      await worker?.ended;
      world.killWorkers();
      const refused = await world.signalbox('clean', '--run', 'r2', '-o', 'json');
      expect(refused.json?.result ?? refused.json?.error).toMatchObject({ runs: [{ skipped: 'it is still open' }] });
      await terminate('r2', '001');
      const rehearsed = await world.signalbox('clean', '--run', 'r2', '--dry-run', '-o', 'json');
      expect(await containers('r2')).toHaveLength(2);
      const cleaned = await world.signalbox('clean', '--run', 'r2', '-o', 'json');
      expect(await containers('r2')).toEqual([]);
      expect(records('r2')).toEqual([]);
      const [told, done] = [rehearsed, cleaned].map(({ json }) => (json?.result as CleanReport).runs[0]);
      expect(done?.removed).toEqual(told?.removed);
      expect(done?.removed).toEqual(
        expect.arrayContaining([
          'step demo..r2..001..1..turn-1',
          expect.stringMatching(/^container .*\.\.gateway\.sidecar$/),
        ]),
      );
      expect(done?.kept.join('\n')).not.toContain('has not ended');
    },
    PATIENCE,
  );
});
