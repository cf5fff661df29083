import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { openSession, type Session } from '../../workers/session.ts';
import { CliProcess } from '../support/cli-process.ts';
import { CliWorld } from '../support/cli.ts';
import { until } from '../support/until.ts';

const PATIENCE = 120_000;
const REASON = 'waits for a free place on its host';

let world: CliWorld;
let session: Session;

beforeAll(async () => {
  world = new CliWorld().init();
  const agent = `cat > /dev/null; echo "$SIGNALBOX_RUN_ID" > "$SIGNALBOX_TASK_ID.txt"; while test -e ${world.root}/hold; do sleep 0.1; done`;
  world
    .config(`agent: { provider: command, command: ${JSON.stringify(agent)} }\nchecks: { doctor: "true" }\n`)
    .task('080', 'files: { writes: ["080.txt"] }')
    .task('081', 'files: { writes: ["081.txt"] }');
  world.commit('tasks');
  await world.signalbox('server', 'start', '--detach');
  const { env, repository: directory } = world;
  session = await openSession({ directory, env, startServer: false, onProgress: () => undefined });
}, PATIENCE);

afterAll(async () => {
  rmSync(path.join(world.root, 'hold'), { force: true });
  await session.close();
  world.killWorkers();
  await world.signalbox('server', 'stop');
  world.remove();
});

/** Starts a run of two tasks that hold on, sees one of them wait for the other's place, and lets both end. */
async function seeOneWait(run: string): Promise<void> {
  writeFileSync(path.join(world.root, 'hold'), '');
  const started = await world.signalbox(
    'run',
    'start',
    '--run-id',
    run,
    '--backend',
    'local',
    '--detach',
    '--no-reuse',
  );
  expect(started.code).toBe(0);
  const reasons = async (): Promise<(string | null)[]> => {
    const { tasks } = await session.reader.read('demo', run);
    return Object.values(tasks).map((task) => task.reason);
  };
  await until(async () => (await reasons()).filter((reason) => reason === REASON).length === 1);
  const { json } = await world.signalbox('run', 'describe', run, '-o', 'json');
  const { tasks } = json?.result as RunDescription;
  expect(Object.values(tasks).map(({ status }) => status)).toEqual(['working', 'working']);
  expect(
    Object.values(tasks)
      .map(({ reason }) => reason ?? '')
      .sort(),
  ).toEqual(['', REASON]);
  rmSync(path.join(world.root, 'hold'));
  expect((await world.signalbox('run', 'watch', run)).code).toBe(0);
}

test(
  'a worker lets as many agents work as it was told, and a task that waits for a place says so',
  async () => {
    const worker = new CliProcess(world, 'worker', 'start', '--max-agents', '1');
    try {
      await worker.says(/Worker of host/);
      await seeOneWait('by-option');
    } finally {
      worker.kill('SIGINT');
      await worker.ended;
    }
  },
  PATIENCE,
);

test(
  'a worker in the background takes the number of agents from the environment; what is no number is refused',
  async () => {
    world.env = { ...world.env, SIGNALBOX_MAX_AGENTS: '1' };
    await seeOneWait('by-environment');
    world.env = { ...world.env, SIGNALBOX_MAX_AGENTS: 'few' };
    const refused = await world.signalbox('worker', 'start', '-o', 'json');
    expect(refused.code).toBe(2);
    expect(refused.json?.error?.message).toContain('SIGNALBOX_MAX_AGENTS is "few"');
    world.env = { ...world.env, SIGNALBOX_MAX_AGENTS: '1' };
  },
  PATIENCE,
);
