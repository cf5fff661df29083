import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { CliProcess } from '../support/cli-process.ts';
import { CliWorld } from '../support/cli.ts';
import { until } from '../support/until.ts';

const PATIENCE = 120_000;

let world: CliWorld;

beforeAll(() => {
  world = new CliWorld().init();
  mkdirSync(path.join(world.root, 'agents'));
  configure();
  world.task('001', 'files: { writes: ["**"] }').commit('tasks');
});

afterAll(async () => {
  world.killWorkers();
  await world.signalbox('server', 'stop');
  world.remove();
});

function configure(more = ''): void {
  const command = `cat > /dev/null; . ${world.root}/agents/$SIGNALBOX_RUN_ID.sh`;
  world.config(
    `agent: { provider: command, command: ${JSON.stringify(command)} }\nchecks: { doctor: "true" }\nrun: { attempts: 1 }\n${more}`,
  );
}

/** Starts a run whose agent is a shell script. */
async function run(id: string, script: string, ...options: string[]): Promise<{ code: number; run: RunDescription }> {
  writeFileSync(path.join(world.root, 'agents', `${id}.sh`), `${script}\n`);
  const argv = ['run', 'start', '--run-id', id, '--no-reuse', '--backend', 'local', ...options, '-o', 'json'];
  const { code, json, stderr } = await world.signalbox(...argv);
  if (json?.result === undefined) throw new Error(stderr);
  return { code, run: json.result as RunDescription };
}

test(
  'a worker that dies with its git in the middle of a landing: the next one finishes it, and the checkout is clean',
  async () => {
    const marker = path.join(world.root, 'died');
    const killer = path.join(world.root, 'killer.sh');
    writeFileSync(
      killer,
      `if ! mkdir ${marker}-not-yet 2>/dev/null && mkdir ${marker} 2>/dev/null; then
  leader=$(ps -o pgid= -p $$ | tr -d ' ')
  kill -9 $(ps -o ppid= -p $leader | tr -d ' ')
  kill -9 0
fi
cat\n`,
    );
    world.git('config', 'filter.killer.smudge', `sh ${killer}`);
    world.git('config', 'filter.killer.clean', 'cat');
    writeFileSync(path.join(world.repository, '.git/info/attributes'), '*.kill filter=killer\n');
    const before = world.git('rev-parse', 'main');
    const started = await run(
      'killed',
      'for n in 1 2 3; do echo $n > $n.kill; done; echo more >> README.md',
      '--detach',
    );
    expect(started.code).toBe(0);
    await until(() => Promise.resolve(existsSync(marker)));
    expect(world.git('rev-parse', 'main')).toBe(before);
    expect(world.git('status', '--porcelain')).toBe('?? 1.kill\n');
    const worker = new CliProcess(world, 'worker', 'start');
    const watched = await world.signalbox('run', 'watch', 'killed', '-o', 'json');
    expect({ code: watched.code, result: watched.json?.result }).toMatchObject({
      code: 0,
      result: { status: 'completed' },
    });
    expect(world.git('rev-parse', 'main').trim()).toBe((watched.json?.result as RunDescription).head_commit);
    expect(world.git('status', '--porcelain')).toBe('');
    expect(readFileSync(path.join(world.repository, '3.kill'), 'utf8')).toBe('3\n');
    worker.kill('SIGTERM');
    await worker.ended;
  },
  PATIENCE,
);

test(
  'a linked worktree with CRLF on disk: what belongs into Git LFS is left out and told, and the rest lands there',
  async () => {
    world.write('.gitattributes', '*.bin filter=lfs diff=lfs merge=lfs -text\n').commit('large files');
    world.git('checkout', '-q', '-b', 'elsewhere');
    world.git('config', 'core.autocrlf', 'true');
    const linked = path.join(world.root, 'linked');
    world.git('worktree', 'add', '-q', linked, 'main');
    const here = Object.assign(Object.create(world) as CliWorld, { repository: linked });
    writeFileSync(path.join(world.root, 'agents', 'linked.sh'), 'echo big > new.bin; printf "a\\nb\\n" > text.txt\n');
    const argv = ['run', 'start', '--run-id', 'linked', '--no-reuse', '--backend', 'local', '-o', 'json'];
    const { code, json } = await here.signalbox(...argv);
    expect({ code, result: json?.result }).toMatchObject({
      code: 0,
      result: {
        tasks: {
          '001': {
            status: 'merged',
            warnings: [expect.stringMatching(/new\.bin was left out of the work: it belongs into Git LFS/)],
          },
        },
      },
    });
    expect(readFileSync(path.join(linked, 'text.txt'), 'latin1')).toBe('a\r\nb\r\n');
    expect(existsSync(path.join(linked, 'new.bin'))).toBe(false);
    expect(here.git('status', '--porcelain') + world.git('status', '--porcelain')).toBe('');
  },
  PATIENCE,
);

test(
  'a bare repository, named by the configuration of another one',
  async () => {
    const hub = path.join(world.root, 'hub.git');
    world.git('clone', '-q', '--bare', world.repository, hub);
    configure('repository: { path: ../hub.git }\n');
    const before = world.git('rev-parse', 'main');
    const { code, run: done } = await run('bare', 'echo done > bare.txt');
    expect({ code, status: done.status }).toEqual({ code: 0, status: 'completed' });
    expect(world.git('-C', hub, 'rev-parse', 'main').trim()).toBe(done.head_commit);
    expect(world.git('-C', hub, 'show', 'main:bare.txt')).toBe('done\n');
    expect(world.git('rev-parse', 'main')).toBe(before);
  },
  PATIENCE,
);
