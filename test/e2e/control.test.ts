import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Docker from 'dockerode';
import { execa } from 'execa';
import type { RunDescription } from '../../core/description.ts';
import { runWorkflowId, taskWorkflowId } from '../../core/ids.ts';
import { homeOf } from '../../activities/home.ts';
import { processesOfStep } from '../../activities/sandbox/processes.ts';
import { stopGateway } from '../../workers/gateway-process.ts';
import { janitorSandboxes } from '../../workers/janitor-sandboxes.ts';
import { Janitor } from '../../workers/janitor.ts';
import { findTemporalCli } from '../../workers/server/temporal-cli.ts';
import { openSession, type Session } from '../../workers/session.ts';
import { CliProcess } from '../support/cli-process.ts';
import { CliWorld, type CliResult } from '../support/cli.ts';
import { describeWithDocker } from '../support/docker.ts';
import { removePins } from '../support/image-bench.ts';
import { until } from '../support/until.ts';

const PATIENCE = 120_000;

/**
 * Writes a file, and then waits, with a child in a session of its own, as long as the user's `hold` file lies there;
 * in a container, which does not see that, until it is killed.
 */
const AGENT = `
cat > /dev/null
if test -e "$SIGNALBOX_TASK_ID.txt"; then echo again >> "$SIGNALBOX_TASK_ID.txt"
else echo once > "$SIGNALBOX_TASK_ID.txt"; fi
if test -d ROOT; then
  test ! -e ROOT/hold || setsid sleep 1000 < /dev/null > /dev/null 2>&1 &
  while test -e ROOT/hold; do sleep 0.1; done
else
  setsid sleep 1000 & sleep 1000
fi
`;

let world: CliWorld;
let session: Session;
let temporal: string;

beforeAll(async () => {
  world = new CliWorld().init();
  const command = AGENT.replaceAll('ROOT', world.root);
  world.config(
    `agent: { provider: command, command: ${JSON.stringify(command)} }\nchecks: { doctor: "true" }\n` +
      'run: { attempts: 1 }\nsandbox: { network: none, bubblewrap: off }\n',
  );
  world
    .task('001', 'files: { writes: ["001.txt"] }')
    .task('002', 'depends_on: ["001"]\nfiles: { writes: ["002.txt"] }');
  world.commit('tasks');
  await world.signalbox('server', 'start', '--detach');
  const { env, repository: directory } = world;
  session = await openSession({ directory, env, startServer: false, onProgress: () => undefined });
  temporal = (await findTemporalCli({ env: process.env, onProgress: () => undefined })).path;
}, PATIENCE);

afterAll(async () => {
  release();
  await session.close();
  world.killWorkers();
  await world.signalbox('server', 'stop');
  await removePins(world.home);
  await stopGateway(homeOf(world.env));
  world.remove();
});

function hold(): void {
  writeFileSync(path.join(world.root, 'hold'), '');
}

function release(): void {
  rmSync(path.join(world.root, 'hold'), { force: true });
}

function startArguments(run: string, backend = 'local', tasks = '001,002'): string[] {
  return ['run', 'start', '--run-id', run, '--backend', backend, '--tasks', tasks, '--no-reuse'];
}

/** Starts a run whose first agent is at work, and has written something. */
async function startHeld(run: string): Promise<void> {
  hold();
  expect((await world.signalbox(...startArguments(run), '--detach')).code).toBe(0);
  await untilWritten(run);
}

async function untilWritten(run: string, turn = 1): Promise<void> {
  await until(() => agents(run, turn).length >= 2);
}

/** The processes of the first task's agent on this host. */
function agents(run: string, turn = 1): number[] {
  return processesOfStep(`demo..${run}..001..1..turn-${turn}`);
}

/** The stock client of Temporal, which knows nothing of Signalbox. */
async function stock(...args: string[]): Promise<void> {
  await execa(temporal, ['workflow', ...args, '--address', session.target.address]);
}

function resultOf({ json }: CliResult): RunDescription {
  return json?.result as RunDescription;
}

async function describeOf(run: string): Promise<RunDescription> {
  return resultOf(await world.signalbox('run', 'describe', run, '-o', 'json'));
}

async function watch(run: string): Promise<CliResult> {
  return await world.signalbox('run', 'watch', run, '-o', 'json');
}

/** What the first task left in its ref, whether it was merged or not. */
async function keptWork(run: string): Promise<string> {
  const [repository = ''] = readdirSync(homeOf(world.env).repositories).filter((name) => name.endsWith('.git'));
  const { stdout } = await execa('git', ['show', `refs/signalbox/${run}/001/1:001.txt`], {
    cwd: path.join(homeOf(world.env).repositories, repository),
    reject: false,
  });
  return stdout;
}

/** The first task's workflow has no step under way, and waits. */
async function untilHeld(run: string): Promise<void> {
  const handle = session.client.workflow.getHandle(taskWorkflowId('demo', run, '001'));
  await until(async () => ((await handle.describe()).raw.pendingActivities ?? []).length === 0);
}

describe('a run', () => {
  test(
    'that the stock client pauses lets its steps end and starts nothing new, until it is resumed',
    async () => {
      await startHeld('paused');
      await stock('signal', '--workflow-id', runWorkflowId('demo', 'paused'), '--name', 'pause');
      await until(async () => (await describeOf('paused')).status === 'paused');
      expect(agents('paused')).not.toEqual([]);
      release();
      await untilHeld('paused');
      const description = await describeOf('paused');
      expect(description).toMatchObject({ status: 'paused', reason: 'paused by a person' });
      expect(description.tasks['002']?.status).toBe('pending');
      const steps = readdirSync(homeOf(world.env).steps).filter((name) => name.startsWith('demo..paused..'));
      expect(steps).toEqual(['demo..paused..001..1..turn-1']);
      expect(await keptWork('paused')).toBe('once');
      await stock('signal', '--workflow-id', runWorkflowId('demo', 'paused'), '--name', 'resume');
      expect(await watch('paused')).toMatchObject({ code: 0, json: { result: { status: 'completed' } } });
    },
    PATIENCE,
  );

  test(
    'that is stopped ends its agents and keeps their work, from which it goes on',
    async () => {
      world.git('rm', '-q', '001.txt', '002.txt');
      world.git('commit', '-q', '-m', 'start afresh');
      await startHeld('stopped');
      const stopped = await world.signalbox('run', 'stop', 'stopped', '-o', 'json');
      expect(stopped.json?.result).toMatchObject({ status: 'paused', reason: 'stopped, its agents ended' });
      expect(agents('stopped')).toEqual([]);
      expect(await keptWork('stopped')).toBe('once');
      release();
      expect((await world.signalbox('run', 'resume', 'stopped')).code).toBe(0);
      const watched = await watch('stopped');
      expect(resultOf(watched)).toMatchObject({ status: 'completed', tasks: { '001': { attempts: 1, turns: 2 } } });
      expect(world.git('show', 'main:001.txt')).toBe('once\nagain\n');
    },
    PATIENCE,
  );

  test(
    'goes on after Ctrl+C; after Ctrl+C with --stop when it is watched, or a worker starts, and only then',
    async () => {
      hold();
      const left = new CliProcess(world, ...startArguments('left', 'local', '001'));
      await left.says(/001 task {2}working/);
      await untilWritten('left');
      left.kill('SIGINT');
      expect(await left.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('the run goes on') });
      expect(agents('left')).not.toEqual([]);

      const stopping = new CliProcess(world, 'run', 'watch', 'left', '--stop');
      const beside = new CliProcess(world, 'run', 'watch', 'left');
      await Promise.all([stopping.says(/001 task {2}working/), beside.says(/001 task {2}working/)]);
      stopping.kill('SIGINT');
      expect(await stopping.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('Stopped.') });
      await beside.says(/run paused: interrupted, its agents ended/);
      expect(agents('left')).toEqual([]);
      expect(await keptWork('left')).toMatch(/^once\nagain/);

      const again = new CliProcess(world, 'run', 'watch', 'left', '--stop');
      await again.says(/it goes on/);
      await untilWritten('left', 2);
      again.kill('SIGINT');
      expect((await again.ended).code).toBe(130);
      expect(agents('left', 2)).toEqual([]);

      release();
      const worker = new CliProcess(world, 'worker', 'start');
      await worker.says(/Run left goes on/);
      expect((await beside.ended).code).toBe(0);
      worker.kill('SIGINT');
      expect((await worker.ended).code).toBe(0);
      expect((await describeOf('left')).tasks['001']).toMatchObject({ status: 'merged', attempts: 1, turns: 3 });
    },
    PATIENCE,
  );

  test(
    'that the stock client cancels ends its agents, keeps their work, and leaves its locks to the next run',
    async () => {
      await startHeld('cancelled');
      await stock('cancel', '--workflow-id', runWorkflowId('demo', 'cancelled'));
      expect(await watch('cancelled')).toMatchObject({ code: 1, json: { result: { status: 'cancelled' } } });
      expect(agents('cancelled')).toEqual([]);
      expect(await keptWork('cancelled')).not.toBe('');
      release();
      const next = await world.signalbox(...startArguments('after-cancelled', 'local', '001'), '-o', 'json');
      expect(resultOf(next)).toMatchObject({ status: 'completed' });
    },
    PATIENCE,
  );

  test(
    'that is terminated ends when the next one wants its locks, which gets them',
    async () => {
      await startHeld('terminated');
      await stock('terminate', '--workflow-id', runWorkflowId('demo', 'terminated'));
      expect(agents('terminated')).not.toEqual([]);
      const next = new CliProcess(world, ...startArguments('after-terminated', 'local', '001'));
      await until(() => agents('after-terminated').length > 0);
      expect(agents('terminated')).toEqual([]);
      expect(await keptWork('terminated')).not.toBe('');
      release();
      expect((await next.ended).code).toBe(0);
      expect((await describeOf('terminated')).reason).toBe('its workflow was terminated');
    },
    PATIENCE,
  );

  test(
    'has the agent of a terminated task ended by the janitor, and no other',
    async () => {
      await startHeld('reaped');
      const janitor = new Janitor({
        client: session.client,
        sandboxes: janitorSandboxes(homeOf(world.env), world.env, session.redactor),
        onProblem: (text) => expect(text).toBe(''),
      });
      await janitor.round();
      expect(agents('reaped')).not.toEqual([]);
      await stock('terminate', '--workflow-id', taskWorkflowId('demo', 'reaped', '001'));
      await janitor.round();
      expect(agents('reaped')).toEqual([]);
      const watched = await watch('reaped');
      expect({ code: watched.code, result: resultOf(watched) }).toMatchObject({
        code: 1,
        result: {
          status: 'failed',
          tasks: { '001': { status: 'failed', reason: 'its workflow was terminated' }, '002': { status: 'blocked' } },
        },
      });
      release();
    },
    PATIENCE,
  );
});

/** What lies in the workspace of the first task's attempt. */
function workspaceFiles(run: string): string[] {
  const all = readdirSync(homeOf(world.env).workspaces, { recursive: true, encoding: 'utf8' });
  return all.filter((file) => file.includes(`/${run}/001/1/`));
}

describeWithDocker('a run in containers', () => {
  test(
    'that is cancelled leaves no container, and keeps the work',
    async () => {
      const docker = new Docker();
      const containers = async (): Promise<unknown[]> =>
        await docker.listContainers({ all: true, filters: { label: [`signalbox.home=${world.home}`] } });
      const started = await world.signalbox(...startArguments('contained', 'docker'), '--detach');
      expect({ code: started.code, stderr: started.stderr }).toMatchObject({ code: 0 });
      await until(async () => (await containers()).length > 0);
      await until(() => workspaceFiles('contained').some((file) => file.endsWith('001.txt')));
      const cancelled = await world.signalbox('run', 'cancel', 'contained');
      expect(cancelled.code).toBe(0);
      expect(await watch('contained')).toMatchObject({ code: 1, json: { result: { status: 'cancelled' } } });
      expect(await containers()).toEqual([]);
      expect(await keptWork('contained')).not.toBe('');
      expect(workspaceFiles('contained')).toEqual([]);
    },
    PATIENCE,
  );
});
