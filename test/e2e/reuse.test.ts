import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import type { TaskDetails } from '../../workers/runs/describe-task.ts';
import { CliWorld, type CliResult } from '../support/cli.ts';
import { until } from '../support/until.ts';

const PATIENCE = 120_000;

/** Writes its task's file anew in each run; waits first for as long as a file named `hold` lies in the test's directory. */
const AGENT = (world: CliWorld): string =>
  `cat >/dev/null; while test -e ${world.root}/hold; do sleep 0.1; done; ` +
  'echo "$SIGNALBOX_RUN_ID" > "$SIGNALBOX_TASK_ID.txt"; test -e "$SIGNALBOX_TASK_ID.txt"';

let world: CliWorld;

beforeAll(() => {
  world = new CliWorld().init();
  world.config(
    `agent: { provider: command, command: ${JSON.stringify(AGENT(world))} }\n` +
      'checks: { doctor: "! grep -q bad bad.txt" }\nrun: { attempts: 2 }\n',
  );
  task('a', '').task('b', 'depends_on: [a]\nfiles: { writes: [b.txt] }').commit('tasks');
});

afterAll(async () => {
  release();
  world.killWorkers();
  await world.signalbox('server', 'stop');
  world.remove();
});

function task(id: string, body: string): CliWorld {
  return world.task(id, `files: { writes: [${id}.txt] }`, body === '' ? 'Do it.' : body);
}

function release(): void {
  rmSync(path.join(world.root, 'hold'), { force: true });
}

async function start(run: string, ...more: string[]): Promise<CliResult & { run: RunDescription }> {
  const result = await world.signalbox('run', 'start', '--run-id', run, '--backend', 'local', '-o', 'json', ...more);
  expect(result.json).toMatchObject({ ok: true });
  return { ...result, run: result.json?.result as RunDescription };
}

/** What a run would do, and what it would take over: `{a: null, b: <run>}`. */
async function planned(...more: string[]): Promise<Record<string, string | null>> {
  const { json } = await world.signalbox('run', 'start', '--dry-run', '--backend', 'local', '-o', 'json', ...more);
  const { tasks } = json?.result as { tasks: { id: string; done: { run: string; commit: string } | null }[] };
  return Object.fromEntries(tasks.map(({ id, done }) => [id, done?.run ?? null]));
}

async function details(id: string, run: string): Promise<TaskDetails> {
  const { json } = await world.signalbox('task', 'describe', id, '--run', run, '-o', 'json');
  return json?.result as TaskDetails;
}

describe('a task that an earlier run has merged', () => {
  test(
    'is known again by the commit that merged it, and what depends on it starts',
    async () => {
      const first = await start('one', '--tasks', 'a');
      expect(first.run).toMatchObject({ status: 'completed', tasks: { a: { status: 'merged', attempts: 1 } } });
      expect(world.git('log', '-1', '--format=%(trailers:key=Signalbox-Task,valueonly)').trim()).toBe('a');
      const merged = first.run.tasks['a']?.merged_commit;
      task('c', '').commit('one more');
      const second = await start('two', '--tasks', 'b,c');
      expect(second.stderr).toContain('task a is merged already, and not done again; --no-reuse does it again');
      expect(second.stderr).toContain('task files since run one: new: c\n');
      expect(second.run).toMatchObject({
        status: 'completed',
        tasks: {
          a: { status: 'merged', attempts: 0, merged_commit: merged, reason: 'merged by run one' },
          b: { status: 'merged', attempts: 1 },
          c: { status: 'merged', attempts: 1 },
        },
      });
    },
    PATIENCE,
  );

  test(
    'leaves nothing to do where all are: the run completes at once',
    async () => {
      const head = world.git('rev-parse', 'main');
      const { code, stderr, run } = await start('three');
      expect({ code, status: run.status, head: `${run.head_commit}\n` }).toEqual({
        code: 0,
        status: 'completed',
        head,
      });
      expect(stderr).toContain('nothing is left to do: tasks a, b, c are merged already; --no-reuse does them again');
      expect(stderr).not.toContain('task files since');
    },
    PATIENCE,
  );

  test('is known without the data of Signalbox, too', async () => {
    const { env } = world;
    world.env = { ...env, SIGNALBOX_HOME: path.join(world.root, 'another-home') };
    const known = await planned();
    world.env = env;
    expect(known).toEqual({ a: 'one', b: 'two', c: 'two' });
  });

  test('is done again where its file changed; what depends on it is not', async () => {
    task('a', 'Do it better.');
    expect(await planned()).toEqual({ a: null, b: 'two', c: 'two' });
    task('a', '');
    expect(await planned()).toEqual({ a: 'one', b: 'two', c: 'two' });
  });

  test('is another one in another project of the repository', async () => {
    const config = '.signalbox/config.yaml';
    world.write(config, world.git('show', `HEAD:${config}`).replace('project: demo', 'project: other'));
    const known = await planned();
    world.git('checkout', '-q', '--', config);
    expect(known).toEqual({ a: null, b: null, c: null });
  });

  test('is done again once its merge is reverted, or gone from the branch', async () => {
    const [merge = ''] = world.git('log', '--grep=^Merge task b:', '--format=%H').split('\n');
    world.git('revert', '--no-edit', '-m', '1', merge);
    expect(await planned()).toEqual({ a: 'one', b: null, c: 'two' });
    world.git('reset', '-q', '--hard', 'HEAD^');
    expect(await planned()).toEqual({ a: 'one', b: 'two', c: 'two' });
    const tip = world.git('rev-parse', 'main').trim();
    world.git('reset', '-q', '--hard', `${merge}^1`);
    // All had landed, so what the user took out of the branch is out.
    expect((await planned())['b']).toBeNull();
    world.git('reset', '-q', '--hard', tip);
  });

  test(
    'is done again if asked for, alone; and counts while it has not reached the branch',
    async () => {
      world.write('README.md', 'My edit.\n');
      world.write('b.txt', 'in the way of the landing\n');
      const again = await world.signalboxUntil(
        /verified work has not reached your branch/,
        ...['run', 'start', '--run-id', 'four', '--tasks', 'b', '--no-reuse', '--backend', 'local'],
      );
      expect(again.stderr).toContain('task a is merged already');
      world.write('b.txt', 'mine\n');
      const { stderr } = await world.signalbox('run', 'start', '--dry-run', '--backend', 'local');
      expect(await planned()).toEqual({ a: 'one', b: 'four', c: 'two' });
      expect(stderr).toContain('the work of task b has not reached main yet');
      world.git('checkout', '-q', '--', '.');
      await until(() => world.git('show', 'main:b.txt') === 'four\n');
      expect(await planned()).toEqual({ a: 'one', b: 'four', c: 'two' });
    },
    PATIENCE,
  );
});

describe('what attempts wrote', () => {
  test(
    'is shown of each, with how it ended, also while the next one is at work',
    async () => {
      const bad = 'agent: { command: "cat > /dev/null; echo bad > bad.txt; printf \'\\\\033[2Jx\\\\n\' > odd.txt" }';
      world.task('bad', `files: { writes: [bad.txt, odd.txt] }\n${bad}`).commit('a bad one');
      const { run } = await start('five', '--tasks', 'bad');
      expect(run).toMatchObject({ status: 'failed', tasks: { bad: { status: 'failed', attempts: 2 } } });
      const { history } = await details('bad', 'five');
      expect(history).toMatchObject([
        { attempt: 1, outcome: 'failed_check', reason: expect.stringContaining('doctor') },
        { attempt: 2, outcome: 'failed_check', reason: expect.stringContaining('2 attempts did not succeed') },
      ]);
      const text = await world.signalbox('task', 'describe', 'bad', '--run', 'five');
      expect(text.stdout).toMatch(/attempt 1 {2}failed check: .*doctor/);

      const newest = await world.signalbox('task', 'diff', 'bad', '-o', 'json');
      expect(newest.json?.result).toMatchObject({
        ...{ run_id: 'five', task_id: 'bad', attempt: 2, in_progress: false, truncated: false },
        files: [
          { path: 'bad.txt', lines: { added: 1, removed: 0 } },
          { path: 'odd.txt', lines: { added: 1, removed: 0 } },
        ],
        patch: expect.stringMatching(/^diff --git a\/bad.txt b\/bad.txt\n[\s\S]*\+bad\n/),
      });
      const first = await world.signalbox('task', 'diff', 'bad', '--attempt', '1');
      writeFileSync(path.join(world.root, 'patch'), first.stdout);
      world.git('apply', '--check', path.join(world.root, 'patch'));
      expect((await world.signalbox('task', 'diff', 'bad', '--name-only')).stdout).toBe('bad.txt\nodd.txt\n');
      expect((await world.signalbox('task', 'diff', 'bad', '--stat')).stdout).toMatch(/2 files changed, 2 insertions/);
    },
    PATIENCE,
  );

  test('is asked for in vain where there is none, with the reason', async () => {
    const failure = async (...argv: string[]) => {
      const { code, json } = await world.signalbox('task', 'diff', ...argv, '-o', 'json');
      return { exit: code, ...json?.error };
    };
    expect(await failure('bda')).toMatchObject({ exit: 2, code: 'not_found', hint: 'did you mean "bad"?' });
    expect(await failure('bad', '--run', 'fiev')).toMatchObject({ exit: 2, hint: 'did you mean "five"?' });
    expect(await failure('bad', '--attempt', '7')).toMatchObject({
      exit: 2,
      message: 'task bad of run five has no attempt 7',
      hint: 'There are attempts 1, 2.',
    });
    expect(await failure('a', '--run', 'two')).toMatchObject({
      exit: 2,
      message: 'task a of run two has left no work here',
      hint: 'It was merged by run one: "signalbox task diff a --run one".',
    });
    expect(await failure('bad', '--stat', '--name-only')).toMatchObject({ exit: 2, code: 'usage' });
  });

  test(
    'is shown after the refs were cleaned up, and says what a forgotten run left',
    async () => {
      await world.signalbox('clean', '--run', 'one');
      expect((await details('a', 'one')).history).toMatchObject([{ attempt: 1, ref: null, outcome: 'merged' }]);
      expect((await world.signalbox('task', 'diff', 'a', '--run', 'one')).stdout).toContain('+one\n');
      const { git_dir } = await details('bad', 'five');
      expect(existsSync(git_dir)).toBe(true);
      const ref = path.join(git_dir, 'refs/signalbox/gone/bad/1');
      mkdirSync(path.dirname(ref), { recursive: true });
      writeFileSync(ref, world.git('rev-parse', 'main'));
      const { code, json } = await world.signalbox('run', 'resume', 'gone', '-o', 'json');
      expect({ exit: code, ...json?.error }).toMatchObject({
        exit: 2,
        message: 'the server has no history of run gone any more, so it cannot go on',
        hint: expect.stringContaining(`refs/signalbox/gone/ of ${git_dir}`),
      });
    },
    PATIENCE,
  );

  test(
    'is what the last turn left while an attempt goes on',
    async () => {
      task('slow', '').commit('a slow one');
      writeFileSync(path.join(world.root, 'hold'), '');
      await world.signalbox(
        ...['run', 'start', '--run-id', 'six', '--tasks', 'slow', '--backend', 'local', '--detach'],
      );
      const early = await until(async () => {
        const { json } = await world.signalbox('task', 'diff', 'slow', '-o', 'json');
        return json?.error?.hint?.startsWith('The task is ') === true ? null : json;
      });
      expect(early.error).toMatchObject({
        message: 'task slow of run six has left no work here',
        hint: expect.stringMatching(/^Its first turn has not ended; its work tree is .*\/six\/slow\/1\//),
      });
      await world.signalbox('run', 'stop', 'six');
      const { json, stderr } = await world.signalbox('task', 'diff', 'slow', '-o', 'json');
      expect(json?.result).toMatchObject({ attempt: 1, in_progress: true, files: [] });
      expect(stderr).toContain('attempt 1 goes on: this is what its last turn left');
      release();
      await world.signalbox('run', 'cancel', 'six');
    },
    PATIENCE,
  );
});
