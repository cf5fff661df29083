import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { packageRoot } from '../../activities/package-root.ts';
import type { RunDescription } from '../../core/description.ts';
import { describeFolded } from '../../workers/runs/run-history.ts';
import { openSession } from '../../workers/session.ts';
import { CliWorld, parseJson } from '../support/cli.ts';

const PATIENCE = 120_000;

/** Writes its task's file; waits first for as long as a file named `hold` lies in the test's directory. */
const AGENT = (world: CliWorld): string =>
  `cat >/dev/null; while test -e ${world.root}/hold; do sleep 0.1; done; echo "$SIGNALBOX_RUN_ID" > "$SIGNALBOX_TASK_ID.txt"`;

let world: CliWorld;

beforeAll(() => {
  world = new CliWorld().init();
  world.config(
    `agent: { provider: command, command: ${JSON.stringify(AGENT(world))} }\n` +
      'checks: { doctor: "test ! -e 003.txt" }\nrun: { attempts: 1 }\n',
  );
  world.task('001', 'files: { writes: [001.txt] }').task('002', 'depends_on: ["001"]\nfiles: { writes: [002.txt] }');
  world.task('003', 'files: { writes: [003.txt] }').commit('tasks');
});

afterAll(async () => {
  world.killWorkers();
  await world.signalbox('server', 'stop');
  world.remove();
});

describe('a project without server and worker', () => {
  test(
    'is run to its end by one command, as a process',
    async () => {
      const bin = path.join(packageRoot(), 'cli', 'signalbox.js');
      const started = await execa(
        process.execPath,
        [bin, 'run', 'start', '--tasks', '001,002', '--run-id', 'first', '--backend', 'local', '-o', 'json'],
        { cwd: world.repository, env: world.env, extendEnv: false, reject: false },
      );
      world.noteWorkers(started.stderr);
      expect(started.stderr).toMatch(/Started the embedded Temporal server/);
      expect(started.stderr).toMatch(/steps run on this host, not in containers/);
      expect(started.stderr).toMatch(/No worker runs: starting one in the background/);
      expect(started.stderr).toMatch(/2\/2 {2}002 task {2}merged as/);
      expect(started.exitCode).toBe(0);
      const run = resultOf(started.stdout);
      expect(Object.keys(run)).toEqual([
        ...['run_id', 'workflow_id', 'status', 'reason', 'started_at', 'ended_at', 'integration_branch'],
        ...['base_commit', 'head_commit', 'image', 'usage', 'sandbox', 'tasks', 'web_ui'],
      ]);
      expect(run).toMatchObject({
        run_id: 'first',
        workflow_id: 'signalbox/demo/run/first',
        status: 'completed',
        reason: null,
        integration_branch: 'main',
        sandbox: { backend: 'local', loosened: expect.arrayContaining([expect.stringContaining('backend local: ')]) },
        tasks: { '001': { status: 'merged', attempts: 1, turns: 1 }, '002': { status: 'merged' } },
      });
      expect(run.head_commit).toBe(world.git('rev-parse', 'main').trim());
      expect(world.git('status', '--porcelain')).toBe('');
      expect(existsSync(path.join(world.repository, '002.txt'))).toBe(true);
    },
    PATIENCE,
  );

  test(
    'is described afterwards from what is recorded',
    async () => {
      const { json } = await world.signalbox('run', 'describe', '-o', 'json');
      expect(json?.result).toMatchObject({ run_id: 'first', status: 'completed' });
      const list = await world.signalbox('run', 'list', '-o', 'json');
      expect(list.json?.result).toMatchObject({ runs: [{ run_id: 'first', status: 'completed', tasks: 2 }] });
      const task = await world.signalbox('task', 'describe', '001', '-o', 'json');
      expect(task.json?.result).toMatchObject({
        task_id: '001',
        status: 'merged',
        history: [{ attempt: 1, ref: 'refs/signalbox/first/001/1', workspace: null }],
      });
      const logs = await world.signalbox('task', 'logs', '001', '-o', 'json');
      expect(logs.json?.result).toMatchObject({
        // The candidate's tree is the one that the doctor has just passed: it is not checked again.
        steps: [
          { step: 'turn-1', exit_status: 0 },
          { step: 'verify-1-1', kind: 'check', exit_status: 0 },
        ],
      });
    },
    PATIENCE,
  );

  test(
    'has histories that fold to what its runs say of themselves',
    async () => {
      const onProgress = (): void => undefined;
      const session = await openSession({
        directory: world.repository,
        env: world.env,
        startServer: false,
        onProgress,
      });
      try {
        const told = await session.reader.read('demo', 'first');
        const folded = describeFolded(await session.reader.fold('demo', 'first'), Date.parse(told.ended_at ?? ''));
        expect(withoutTimes(folded)).toEqual(withoutTimes(told));
      } finally {
        await session.close();
      }
    },
    PATIENCE,
  );

  test(
    'has no second run of the same id, and no unknown one',
    async () => {
      const again = await world.signalbox('run', 'start', '--run-id', 'First', '--backend', 'local', '-o', 'json');
      expect({ code: again.code, message: again.json?.error?.message }).toEqual({
        code: 2,
        message: 'there is a run First already',
      });
      const unknown = await world.signalbox('run', 'describe', 'frist', '-o', 'json');
      expect({ code: unknown.code, ...unknown.json?.error }).toMatchObject({
        code: 'not_found',
        hint: 'did you mean "first"?',
      });
      expect(unknown.code).toBe(2);
      expect((await world.signalbox('task', 'describe', '009')).code).toBe(2);
    },
    PATIENCE,
  );
});

describe('a run that a person controls', () => {
  test(
    'goes on after Ctrl+C, is paused, read without a worker, resumed and watched to its failure',
    async () => {
      hold();
      const left = await world.signalboxUntil(
        /001 task {2}working/,
        'run',
        'start',
        '--run-id',
        'second',
        '--no-reuse',
        '--backend',
        'local',
      );
      expect(left.code).toBe(130);
      expect(left.stderr).toMatch(/Detached: the run goes on/);

      const paused = await world.signalbox('run', 'pause', '-o', 'json');
      expect(paused.json?.result).toMatchObject({ run_id: 'second', status: 'paused' });

      world.killWorkers();
      const read = await world.signalbox('run', 'describe', '-o', 'json');
      expect(read.json?.result).toMatchObject({
        status: 'paused',
        tasks: { '001': { status: 'working' }, '002': { status: 'pending' } },
      });

      release();
      const resumed = await world.signalbox('run', 'resume', '-o', 'json');
      expect(resumed.stderr).toMatch(/starting one in the background/);
      expect(resumed.json?.result).toMatchObject({ status: 'running' });
      const watched = await world.signalbox('run', 'watch', '-o', 'json');
      expect(watched.code).toBe(1);
      expect(watched.json?.result).toMatchObject({
        status: 'failed',
        tasks: { '001': { status: 'merged' }, '002': { status: 'merged' }, '003': { status: 'failed', attempts: 1 } },
      });
    },
    PATIENCE,
  );

  test(
    'starts its next execution under its id when a task is retried, and is cancelled with its work kept',
    async () => {
      const merged = await world.signalbox('task', 'retry', '001', '-o', 'json');
      expect({ code: merged.code, error: merged.json?.error?.code }).toEqual({ code: 1, error: 'refused' });
      hold();
      const retried = await world.signalbox('task', 'retry', '003', '-o', 'json');
      expect(retried.json).toMatchObject({ ok: true, result: { run_id: 'second', task_id: '003' } });
      await world.signalboxUntil(/003 task {2}working/, 'run', 'watch');
      const cancelled = await world.signalbox('run', 'cancel', '-o', 'json');
      expect(cancelled.json?.result).toMatchObject({ status: 'cancelled' });
      const watched = await world.signalbox('run', 'watch', '-o', 'json');
      expect({ code: watched.code, result: watched.json?.result }).toMatchObject({
        code: 1,
        result: { status: 'cancelled', tasks: { '003': { status: 'cancelled', attempts: 2 } } },
      });
      expect((await world.signalbox('run', 'pause')).code).toBe(1);
      release();
    },
    PATIENCE,
  );

  test(
    'leaves nothing behind after clean, but the refs of unmerged work',
    async () => {
      const steps = path.join(world.home, 'steps');
      const before = readdirSync(steps).length;
      const dry = await world.signalbox('clean', '--dry-run', '-o', 'json');
      expect(dry.json?.result).toMatchObject({ dry_run: true });
      expect(readdirSync(steps)).toHaveLength(before);
      const { json, code } = await world.signalbox('clean', '-o', 'json');
      expect(code).toBe(0);
      expect(readdirSync(steps)).toEqual([]);
      expect(readdirSync(path.join(world.home, 'workspaces'))).toEqual([]);
      const { runs } = json?.result as { runs: { run_id: string; refs_removed: string[]; kept: string[] }[] };
      const second = runs.find(({ run_id }) => run_id === 'second');
      expect(second?.kept).toEqual([expect.stringMatching(/^refs\/signalbox\/second\/003\/1: unmerged work/)]);
      expect(second?.refs_removed).toContain('refs/signalbox/second/001/1');
      expect((await world.signalbox('task', 'logs', '001')).code).toBe(2);
    },
    PATIENCE,
  );
});

function hold(): void {
  writeFileSync(path.join(world.root, 'hold'), '');
}

function release(): void {
  rmSync(path.join(world.root, 'hold'), { force: true });
}

function resultOf(stdout: string): RunDescription & { web_ui: string } {
  const json = parseJson(stdout);
  expect(json?.ok).toBe(true);
  return json?.result as RunDescription & { web_ui: string };
}

/** A folded history knows the server's times, the workflow its own; they differ by milliseconds. */
function withoutTimes(run: RunDescription): unknown {
  return JSON.parse(JSON.stringify(run, (key, value: unknown) => (key.endsWith('ed_at') ? null : value)));
}
