import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { homeOf } from '../../activities/home.ts';
import { processStartTime } from '../../activities/process-identity.ts';
import { stopGateway } from '../../workers/gateway-process.ts';
import { freePort } from '../../workers/server/ports.ts';
import { openSession, type Session } from '../../workers/session.ts';
import { CliProcess } from '../support/cli-process.ts';
import { CliWorld, type CliResult } from '../support/cli.ts';
import { until } from '../support/until.ts';

const PATIENCE = 240_000;

/** Tells each of its turns by a line, and works while the user's `hold` file lies there. */
const AGENT = `
cat > /dev/null
echo "$SIGNALBOX_ATTEMPT $SIGNALBOX_TURN" >> ROOT/turns
while test -e ROOT/hold; do sleep 0.1; done
echo work > "$SIGNALBOX_TASK_ID.txt"
`;

/** Two homes that know nothing of each other, whose servers take turns on the same ports. */
let mine: CliWorld;
let other: CliWorld;
let ports: string[];
let worker: CliProcess | null = null;

beforeAll(async () => {
  ports = ['--port', String(await freePort()), '--ui-port', String(await freePort())];
  [mine, other] = [worldOfItsOwn(), worldOfItsOwn()];
  writeFileSync(path.join(mine.root, 'hold'), '');
});

afterAll(async () => {
  worker?.kill('SIGTERM');
  await worker?.ended;
  for (const world of [mine, other]) {
    rmSync(path.join(world.root, 'hold'), { force: true });
    world.killWorkers();
    await world.signalbox('server', 'stop');
    await stopGateway(homeOf(world.env));
    world.remove();
  }
});

/** A world whose project, run and task have the same names as the other's. */
function worldOfItsOwn(): CliWorld {
  const world = new CliWorld().init();
  const command = AGENT.replaceAll('ROOT', world.root);
  world.config(
    `agent: { provider: command, command: ${JSON.stringify(command)} }\nchecks: { doctor: "true" }\n` +
      'sandbox: { backend: local, bubblewrap: off }\n',
  );
  world.task('001', 'files: { writes: ["001.txt"] }').commit('task');
  return world;
}

async function done(world: CliWorld, ...argv: string[]): Promise<CliResult> {
  const result = await world.signalbox(...argv);
  expect({ code: result.code, stderr: result.stderr }).toMatchObject({ code: 0 });
  return result;
}

async function session(world: CliWorld): Promise<Session> {
  const { env, repository: directory } = world;
  return await openSession({ directory, env, startServer: false, onProgress: () => undefined });
}

/** Starts the run in the background; returns the pid of the worker that this started. */
async function startRun(world: CliWorld): Promise<number> {
  await done(world, 'run', 'start', '--run-id', 'r1', '--detach');
  const [pid = 0] = world.workerPids;
  return pid;
}

async function killServer(world: CliWorld): Promise<void> {
  const { json } = await done(world, 'server', 'status', '-o', 'json');
  process.kill((json?.result as { pid: number }).pid, 'SIGKILL');
  await until(async () => (await world.signalbox('server', 'status')).code === 3);
}

const turnsOf = (world: CliWorld): string[] => readFileSync(path.join(world.root, 'turns'), 'utf8').trim().split('\n');

/** Everybody who ever took a task of any workflow of a server. */
async function workersOf({ client }: Session): Promise<Set<string>> {
  const identities = new Set<string>();
  for await (const { workflowId } of client.workflow.list()) {
    const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
    for (const { workflowTaskStartedEventAttributes: task, activityTaskStartedEventAttributes: activity } of events ??
      [])
      for (const { identity } of [task, activity].flatMap((started) => started ?? [])) identities.add(identity ?? '');
  }
  return identities;
}

function logOf(world: CliWorld, pid: number): string {
  const directory = path.join(world.home, 'workers');
  const [name = ''] = readdirSync(directory).filter((file) => file.endsWith(`-${pid}.log`));
  return readFileSync(path.join(directory, name), 'utf8');
}

test(
  'a worker that finds another home’s server where its own was takes nothing of it, ends and says why; its agent is not lost',
  async () => {
    await done(mine, 'server', 'start', '--detach', ...ports);
    const stale = await startRun(mine);
    await until(() => existsSync(path.join(mine.root, 'turns')));
    await killServer(mine);

    await done(other, 'server', 'start', '--detach', ...ports);
    const own = await startRun(other);
    expect((await done(other, 'run', 'watch', 'r1', '-o', 'json')).json?.result).toMatchObject({ status: 'completed' });
    const there = await session(other);
    expect(await workersOf(there)).toEqual(new Set([`${own}@${hostname()}`]));
    await there.close();
    await until(() => processStartTime(stale) === null);
    expect(logOf(mine, stale)).toContain('another Temporal server answers at 127.0.0.1:');

    // The agent has worked all the time, and whoever serves its home next attends to it.
    rmSync(path.join(mine.root, 'hold'));
    worker = new CliProcess(mine, 'worker', 'start');
    expect((await done(mine, 'run', 'watch', 'r1', '-o', 'json')).json?.result).toMatchObject({
      status: 'completed',
      tasks: { '001': { attempts: 1, turns: 1 } },
    });
    expect(turnsOf(mine)).toEqual(['1 1']);
  },
  PATIENCE,
);

test(
  'a background worker whose server is stopped waits for a while, and ends with a word about it',
  async () => {
    writeFileSync(path.join(mine.root, 'hold'), '');
    await done(mine, 'run', 'start', '--run-id', 'r2', '--no-reuse', '--detach');
    worker?.kill('SIGTERM');
    await worker?.ended;
    worker = new CliProcess(mine, 'worker', 'start', '--idle-exit', '300ms');
    await worker.says(/Worker of host/);
    await done(mine, 'server', 'stop');
    const { code, stderr } = await worker.ended;
    expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringMatching(/has not answered for 3s/) });
  },
  PATIENCE,
);
