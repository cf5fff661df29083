import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import type { PruneReport, SnapshotView } from '../../workers/snapshots.ts';
import { CliWorld, type CliResult } from '../support/cli.ts';

const PATIENCE = 120_000;

let world: CliWorld;

beforeAll(() => {
  world = new CliWorld().init();
  const agent =
    'cat > /dev/null; cp deps/lib.txt got-$SIGNALBOX_TASK_ID.txt; echo spoilt > deps/lib.txt; ' +
    'if [ $SIGNALBOX_TASK_ID = 003 ]; then echo v2 > lock.txt; fi';
  world.config(`agent: { provider: command, command: ${JSON.stringify(agent)} }
run: { attempts: 2 }
checks:
  doctor: test "$(cat deps/lib.txt)" = "library $(cat lock.txt)"
  bootstrap:
    commands:
      - echo run >> ${world.root}/installed; test -e lock.txt
      - mkdir deps && echo "library $(cat lock.txt)" > deps/lib.txt
    inputs: [lock.txt]
    outputs: [deps]
    network: none
`);
  world.write('lock.txt', 'v1\n').write('.gitignore', 'deps/\n');
  world.task('001', 'files: { writes: ["got-001.txt"] }').task('002', 'files: { writes: ["got-002.txt"] }');
  world.task('003', 'depends_on: ["001", "002"]\nfiles: { writes: ["**"] }');
  world.task('004', 'depends_on: ["003"]\nfiles: { writes: ["**"] }').commit('tasks');
});

afterAll(async () => {
  world.killWorkers();
  await world.signalbox('server', 'stop');
  world.remove();
});

async function start(run: string, tasks: string): Promise<CliResult> {
  return await world.signalbox(
    ...['run', 'start', '--run-id', run, '--tasks', tasks, '--no-reuse', '--backend', 'local', '-o', 'json'],
  );
}

function file(name: string): string {
  return readFileSync(path.join(world.repository, name), 'utf8');
}

describe('a run with a bootstrap', () => {
  test(
    'installs once for each state of the inputs; agents and checks find what belongs to their commit',
    async () => {
      const started = await start('install', '001,002,003,004');
      expect({ code: started.code, error: started.json?.error }).toEqual({ code: 0, error: undefined });
      expect(started.stderr).not.toContain('has no effect');
      const got = ['001', '002', '003', '004'].map((task) => file(`got-${task}.txt`));
      expect(got).toEqual(['library v1\n', 'library v1\n', 'library v1\n', 'library v2\n']);
      // v1, v2 for the tree of the task that wrote it, and v2 for all when it was accepted.
      expect(readFileSync(path.join(world.root, 'installed'), 'utf8').trim().split('\n')).toHaveLength(3);
      expect(world.git('ls-files', 'deps')).toBe('');
      expect(world.git('status', '--porcelain', '--ignored')).toBe('');
    },
    PATIENCE,
  );

  test('leaves snapshots that are listed with their size and age, and removed when they exceed the bounds', async () => {
    const listed = await world.signalbox('snapshot', 'list', '-o', 'json');
    const { snapshots, bytes } = listed.json?.result as { snapshots: SnapshotView[]; bytes: number };
    expect(snapshots).toHaveLength(3);
    expect(snapshots[0]).toMatchObject({ project: 'demo', in_use: false, outputs: ['deps'] });
    expect(bytes).toBe(snapshots.reduce((sum, snapshot) => sum + snapshot.bytes, 0));
    expect((await world.signalbox('snapshot', 'list')).stdout).toMatch(/SNAPSHOT +PROJECT +SIZE[^]*3 snapshots/);
    const dry = await world.signalbox('snapshot', 'prune', '--max-size', '0B', '--dry-run', '-o', 'json');
    expect((dry.json?.result as PruneReport).removed).toHaveLength(3);
    const fits = await world.signalbox('snapshot', 'prune', '-o', 'json');
    expect(fits.json?.result).toMatchObject({ dry_run: false, removed: [], abandoned: [], bytes });
    expect((await world.signalbox('snapshot', 'prune', '--max-size', '0B')).stdout).toContain('removed 3 snapshots');
    expect((await world.signalbox('snapshot', 'list')).stdout).toBe('there are no dependency snapshots\n');
    expect(await world.signalbox('snapshot', 'prune', '--max-age', 'soon')).toMatchObject({ code: 2 });
  });

  test(
    'fails a task whose dependencies cannot be installed, with what the command said',
    async () => {
      const config = file('.signalbox/config.yaml').replace('test -e lock.txt', 'echo "no such package"; exit 9');
      world.write('.signalbox/config.yaml', config).commit('broken');
      const started = await start('broken', '001');
      const { tasks } = started.json?.result as RunDescription;
      expect({ code: started.code, task: tasks['001'] }).toMatchObject({
        code: 1,
        task: { status: 'failed', attempts: 2 },
      });
      expect(tasks['001']?.reason).toMatch(/bootstrap check .* ended with exit code 9/);
    },
    PATIENCE,
  );
});
