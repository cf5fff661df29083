import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import proto from '@temporalio/proto';
import type { RunDescription } from '../../core/description.ts';
import { costOf } from '../../core/prices.ts';
import { taskWorkflowId } from '../../core/ids.ts';
import { homeOf } from '../../activities/home.ts';
import { stopGateway } from '../../workers/gateway-process.ts';
import { openSession, type Session } from '../../workers/session.ts';
import { CliProcess } from '../support/cli-process.ts';
import { CliWorld } from '../support/cli.ts';
import { describeWithDocker } from '../support/docker.ts';
import { removePins } from '../support/image-bench.ts';
import { everyTurn, writeFile } from '../support/model-scripts.ts';
import { startScriptedModelServer, type ScriptedModelServer } from '../support/scripted-model-server.ts';
import { until } from '../support/until.ts';

const { PendingActivityState } = proto.temporal.api.enums.v1;
const PATIENCE = 180_000;

let world: CliWorld;
let model: ScriptedModelServer;
let worker: CliProcess | null = null;
/** Lets the model answer the request in the middle of the turn. */
let answer: () => void;
let answering: Promise<void>;
let before = 0;

beforeAll(async () => {
  model = await startScriptedModelServer((request) =>
    everyTurn({
      commands: [writeFile(`work-${before}.txt`, 'done\n')],
      message: 'wrote it',
      hold: { request: 1, until: answering },
    })(request),
  );
  world = new CliWorld().init();
  Object.assign(world.env, { OPENAI_BASE_URL: `${model.url}/v1`, OPENAI_API_KEY: 'sk-test' });
  world.config('checks: { doctor: "test -n \\"$(ls work-*.txt)\\"" }\nrun: { attempts: 1 }\n');
  world.task('001', 'files: { writes: ["*.txt"] }', 'Write the file.').commit('task');
});

afterAll(async () => {
  await end(worker);
  world.killWorkers();
  await world.signalbox('server', 'stop');
  await removePins(world.home);
  await stopGateway(homeOf(world.env));
  await model.close();
  world.remove();
});

/** Starts a run, and returns in the middle of its agent's turn: the model has seen what a command did. */
async function startTurn(run: string, backend: string): Promise<void> {
  answering = new Promise((resolve) => (answer = resolve));
  before = model.requests.length;
  const argv = ['--run-id', run, '--no-reuse', '--backend', backend, '--detach', '-o', 'json'];
  const start = await world.signalbox('run', 'start', ...argv);
  expect(start.code).toBe(0);
  await model.waitForRequests(before + 2);
}

async function end(process: CliProcess | null): Promise<void> {
  process?.kill('SIGTERM');
  await process?.ended;
}

/** Ends every worker at once, like a crash. */
async function killWorker(): Promise<void> {
  world.killWorkers();
  worker?.kill('SIGKILL');
  await worker?.ended;
}

async function killServer(): Promise<void> {
  const status = await world.signalbox('server', 'status', '-o', 'json');
  const { pid } = status.json?.result as { pid: number };
  process.kill(pid, 'SIGKILL');
  await until(async () => (await world.signalbox('server', 'status')).code === 3);
}

async function withSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const { env, repository: directory } = world;
  const session = await openSession({ directory, env, startServer: false, onProgress: () => undefined });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** Resolves when a worker attends to the turn that another one began. */
async function untilAttached(run: string): Promise<void> {
  await withSession(async ({ client }) => {
    const handle = client.workflow.getHandle(taskWorkflowId('demo', run, '001'));
    await until(async () => {
      const { raw } = await handle.describe();
      return raw.pendingActivities?.some(
        ({ attempt, state }) => (attempt ?? 1) > 1 && state === PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
      );
    });
  });
}

/** What a run that was disturbed must look like: as one that was not. */
async function expectUndisturbed(run: string): Promise<void> {
  const watched = await world.signalbox('run', 'watch', run, '-o', 'json');
  expect({ code: watched.code, error: watched.json?.error }).toEqual({ code: 0 });
  const result = watched.json?.result as RunDescription;
  const tokens = { input_tokens: 200, cached_input_tokens: 80, output_tokens: 14, cost_usd: 0 };
  const cost = costOf(tokens, model.requests.at(-1)?.model ?? null, {});
  const usage = { ...tokens, cost_usd: expect.closeTo(cost ?? Number.NaN, 8) };
  expect(result).toMatchObject({ status: 'completed', usage });
  expect(result.tasks['001']).toMatchObject({ status: 'merged', attempts: 1, turns: 1, usage });
  expect(model.requests).toHaveLength(before + 2);
  expect(model.aborted).toBe(0);
  expect(world.git('show', '--format=', '--name-only', 'main^2')).toBe(`work-${before}.txt\n`);
  const logs = await world.signalbox('task', 'logs', '001', '--run', run, '-o', 'json');
  const { steps } = logs.json?.result as { steps: { step: string; stdout: string }[] };
  const turns = steps.filter(({ step }) => step.startsWith('turn'));
  expect(turns.map(({ step }) => step)).toEqual(['turn-1']);
  const told = (turns[0]?.stdout ?? '')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; item?: { id: string } });
  const events = told.map(({ type, item }) => `${type} ${item?.id ?? ''}`);
  expect(new Set(events).size).toBe(events.length);
  expect(events.at(-1)).toBe('turn.completed ');
  expect(await completedActivities(run)).toEqual(['prepare', 'turn', 'verify']);
}

/** The types of the activities that a task's history has as completed; those that reach the train for it aside. */
async function completedActivities(run: string): Promise<string[]> {
  return await withSession(async ({ client }) => {
    const { events } = await client.workflow.getHandle(taskWorkflowId('demo', run, '001')).fetchHistory();
    const types = new Map(
      events?.map(({ eventId, activityTaskScheduledEventAttributes: scheduled }) => [
        String(eventId),
        scheduled?.activityType?.name ?? '',
      ]),
    );
    return (events ?? [])
      .flatMap(({ activityTaskCompletedEventAttributes: completed }) => completed ?? [])
      .map(({ scheduledEventId }) => types.get(String(scheduledEventId)) ?? '')
      .filter((type) => type !== 'signalWithStart');
  });
}

describe('a turn of Codex on the host', () => {
  test(
    'is attached to after its worker was killed',
    async () => {
      await startTurn('worker', 'local');
      await killWorker();
      worker = new CliProcess(world, 'worker', 'start');
      await untilAttached('worker');
      answer();
      await expectUndisturbed('worker');
    },
    PATIENCE,
  );

  test(
    'goes on after the server was killed in its middle',
    async () => {
      await startTurn('server', 'local');
      await killServer();
      expect((await world.signalbox('server', 'start', '--detach')).code).toBe(0);
      answer();
      await expectUndisturbed('server');
    },
    PATIENCE,
  );
});

describeWithDocker('a turn of Codex in a container', () => {
  test(
    'is attached to after its worker was killed',
    async () => {
      await startTurn('container', 'docker');
      await killWorker();
      worker = new CliProcess(world, 'worker', 'start');
      await untilAttached('container');
      answer();
      await expectUndisturbed('container');
    },
    PATIENCE,
  );

  test(
    'that ends while neither worker nor server lives is read when they are back',
    async () => {
      await startTurn('both', 'docker');
      await killWorker();
      await killServer();
      answer();
      worker = new CliProcess(world, 'worker', 'start');
      await worker.says(/Started the embedded Temporal server/);
      await expectUndisturbed('both');
    },
    PATIENCE,
  );
});
