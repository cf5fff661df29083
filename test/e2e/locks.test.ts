import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { LockReport } from '../../workers/runs/read-locks.ts';
import { openSession, type Session } from '../../workers/session.ts';
import { CliWorld } from '../support/cli.ts';
import { until } from '../support/until.ts';

const PATIENCE = 120_000;

let world: CliWorld;
let session: Session;

beforeAll(async () => {
  world = new CliWorld().init();
  const agent = `cat > /dev/null; echo x > "$SIGNALBOX_TASK_ID.txt"; while test -e ${world.root}/hold; do sleep 0.1; done`;
  world
    .config(`agent: { provider: command, command: ${JSON.stringify(agent)} }\nchecks: { doctor: "true" }\n`)
    .task('070', 'files: { writes: ["shared/**", "070.txt"] }')
    .task('071', 'files: { writes: ["071.txt"], reads: ["shared/old/*.txt"] }');
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

test(
  'locks are listed with who waits for whom and why, also while no worker runs',
  async () => {
    const locks = async (): Promise<LockReport> =>
      (await world.signalbox('lock', 'list', '-o', 'json')).json?.result as LockReport;
    expect(await locks()).toMatchObject({ source: 'table', holders: [], waiters: [] });
    writeFileSync(path.join(world.root, 'hold'), '');
    expect((await world.signalbox('run', 'start', '--run-id', 'locks', '--backend', 'local', '--detach')).code).toBe(0);
    await until(async () => (await session.reader.read('demo', 'locks')).tasks['071']?.status === 'waiting_for_lock');
    const holder = { project: 'demo', run_id: 'locks', task_id: '070', writes: ['070.txt', 'shared/**'], reads: [] };
    const waiter = {
      project: 'demo',
      run_id: 'locks',
      task_id: '071',
      waits_for: '070',
      clash: { own: 'shared/old/*.txt', other: 'shared/**' },
    };
    const since: unknown = expect.stringMatching(/^20\d\d-/);
    expect(await locks()).toMatchObject({
      source: 'table',
      holders: [{ ...holder, since }],
      waiters: [{ ...waiter, since }],
    });
    const { stdout } = await world.signalbox('lock', 'list');
    expect(stdout).toMatch(/^HOLDS +RUN +SINCE +WRITES\n070 +locks +\S+ \S+ +070\.txt shared\/\*\*\n/);
    expect(stdout).toMatch(/\n071 +locks +\S+ \S+ +070 +shared\/old\/\*\.txt meets shared\/\*\*\n/);
    world.killWorkers();
    await until(async () => (await locks()).source === 'histories');
    expect(await locks()).toMatchObject({
      holders: [{ ...holder, since: null }],
      waiters: [{ ...waiter, since: null }],
    });
    rmSync(path.join(world.root, 'hold'));
    expect((await world.signalbox('run', 'resume', 'locks')).code).toBe(0);
    expect((await world.signalbox('run', 'watch', 'locks')).code).toBe(0);
  },
  PATIENCE,
);
