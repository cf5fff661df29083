import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { homeOf } from '../../activities/home.ts';
import type { RunDescription } from '../../core/description.ts';
import { freePort } from '../../workers/server/ports.ts';
import { CliWorld, type CliResult } from '../support/cli.ts';
import { until } from '../support/until.ts';

const PATIENCE = 45_000;

/** Has the server that the others are told of. */
let other: CliWorld;
let address: string;

beforeAll(async () => {
  other = new CliWorld();
  const started = await other.signalbox('server', 'start', '--detach', '-o', 'json');
  ({ address } = started.json?.result as { address: string });
}, PATIENCE);

afterAll(async () => {
  await other.signalbox('server', 'stop');
  other.remove();
});

/** A repository with one task, and a home that knows the server by its address only. */
function makeWorld(agent: (world: CliWorld) => string): CliWorld {
  const world = new CliWorld().init();
  world.config(
    `agent: { provider: command, command: ${JSON.stringify(agent(world))} }\n` +
      'checks: { doctor: "true" }\nrun: { attempts: 1 }\n',
  );
  world.task('001', 'files: { writes: ["001.txt"] }').commit('task');
  world.env['TEMPORAL_ADDRESS'] = address;
  return world;
}

async function start(world: CliWorld, run: string, ...more: string[]): Promise<CliResult> {
  return await world.signalbox('run', 'start', '--run-id', run, '--backend', 'local', '-o', 'json', ...more);
}

function resultOf({ json }: CliResult): RunDescription {
  return json?.result as RunDescription;
}

describe('a server that TEMPORAL_ADDRESS names', () => {
  let world: CliWorld;

  beforeAll(() => {
    world = makeWorld(() => 'cat > /dev/null; echo done > 001.txt');
  });
  afterAll(() => {
    world.killWorkers();
    world.remove();
  });

  test(
    'is used instead of the embedded one, for the whole run',
    async () => {
      const started = await start(world, 'elsewhere');
      expect({ code: started.code, result: started.json?.result }).toMatchObject({
        code: 0,
        result: { status: 'completed', head_commit: world.git('rev-parse', 'main').trim() },
      });
      delete world.env['TEMPORAL_ADDRESS'];
      expect((await world.signalbox('server', 'status')).code).toBe(3);
      world.env['TEMPORAL_ADDRESS'] = address;
      const list = await world.signalbox('run', 'list', '-o', 'json');
      expect(list.json?.result).toMatchObject({ runs: [{ run_id: 'elsewhere', status: 'completed' }] });
    },
    PATIENCE,
  );

  test('is said not to answer when it refuses or is silent, and nothing is started', async () => {
    const sockets = new Set<Socket>();
    const mute = createServer((socket) => sockets.add(socket));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as { port: number };
    // The second takes connections, and says nothing.
    for (const wrong of [`127.0.0.1:${await freePort()}`, `127.0.0.1:${port}`]) {
      world.env['TEMPORAL_ADDRESS'] = wrong;
      const started = await start(world, 'nowhere');
      expect({ code: started.code, error: started.json?.error }).toMatchObject({
        code: 3,
        error: { code: 'environment', message: expect.stringContaining(`Temporal at ${wrong} does not answer`) },
      });
    }
    for (const socket of sockets) socket.destroy();
    mute.close();
    world.env['TEMPORAL_ADDRESS'] = address;
    expect((await world.signalbox('run', 'describe', 'nowhere')).code).toBe(2);
  }, 60_000);
});

const describeWithMount = canMount() ? describe : describe.skip;

describeWithMount('a disk that is full', () => {
  let world: CliWorld;

  beforeAll(() => {
    world = makeWorld(
      ({ root }) =>
        'cat > /dev/null; head -c 1000000 /dev/urandom > 001.txt; touch written; ' +
        `while test -e ${root}/hold; do sleep 0.1; done; rm -f written`,
    );
    mkdirSync(world.home);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', world.home]);
  });
  afterAll(() => {
    world.killWorkers();
    execFileSync('umount', ['-l', world.home]);
    world.remove();
  });

  const filler = (): string => path.join(world.home, 'filler');
  /** Takes every last byte. */
  function fill(): void {
    for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 2)) {
      try {
        for (;;) writeFileSync(filler(), Buffer.alloc(size), { flag: 'a' });
      } catch {
        // The next piece is smaller.
      }
    }
  }

  test(
    'fails the run with that reason, loses nothing, and is no trouble any more when there is room',
    async () => {
      const hold = path.join(world.root, 'hold');
      writeFileSync(hold, '');
      const { workspaces, repositories } = homeOf(world.env);
      const find = (name: string): string[] =>
        readdirSync(workspaces, { recursive: true, encoding: 'utf8' }).filter((file) => path.basename(file) === name);
      expect((await start(world, 'full', '--detach')).code).toBe(0);
      await until(() => existsSync(workspaces) && find('written').length > 0);
      fill();
      rmSync(hold);
      const watched = await world.signalbox('run', 'watch', 'full', '-o', 'json');
      expect({ code: watched.code, result: watched.json?.result }).toMatchObject({
        code: 1,
        result: { status: 'failed', reason: expect.stringMatching(/disk (is )?full/) },
      });
      const [work = ''] = find('001.txt');
      expect(statSync(path.join(workspaces, work)).size).toBe(1_000_000);

      // Other tasks than before: what is recorded already needs no room.
      world.task('002');
      const refused = await start(world, 'refused');
      expect({ code: refused.code, error: refused.json?.error }).toMatchObject({
        code: 3,
        error: { message: expect.stringMatching(/disk (is )?full/) },
      });
      expect((await world.signalbox('run', 'describe', 'refused')).code).toBe(2);

      rmSync(filler());
      expect((await world.signalbox('run', 'resume', 'full')).code).toBe(0);
      const again = await world.signalbox('run', 'watch', 'full', '-o', 'json');
      expect(resultOf(again)).toMatchObject({ status: 'completed', tasks: { '001': { attempts: 2 } } });
      expect(find('001.txt')).toEqual([work]);
      const [bare = ''] = readdirSync(repositories).filter((name) => name.endsWith('.git'));
      const { stdout, exitCode } = await execa('git', ['fsck', '--strict', '--no-dangling'], {
        cwd: path.join(repositories, bare),
        reject: false,
        all: true,
      });
      expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 0 });
    },
    PATIENCE,
  );
});

/** Is this process allowed to mount a file system (CAP_SYS_ADMIN)? */
function canMount(): boolean {
  if (process.platform !== 'linux') return false;
  const [, capabilities = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return ((BigInt(`0x${capabilities}`) >> 21n) & 1n) === 1n;
}
