import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { HookMessage } from '../../activities/hook/hook.ts';
import type { RunDescription } from '../../core/description.ts';
import type { WaitingTask } from '../../core/waiting.ts';
import { decideTask, taskToDecide } from '../../workers/runs/decide-task.ts';
import { openSession, type Session } from '../../workers/session.ts';
import { CliWorld, type CliResult } from '../support/cli.ts';
import { until } from '../support/until.ts';

const PATIENCE = 120_000;
const SECRET = 'hunter2-correct-horse';

/**
 * Keeps its prompt, asks what the user's `ask` file says, and works while the user's `hold` file lies there. Each run
 * writes another line, so that there is always something to merge.
 */
const AGENT = `
cat > "ROOT/prompt-$SIGNALBOX_RUN_ID-$SIGNALBOX_TASK_ID-$SIGNALBOX_ATTEMPT-$SIGNALBOX_TURN"
if test -e ROOT/ask; then mkdir -p .signalbox; mv ROOT/ask .signalbox/question.md; exit 0; fi
echo "$SIGNALBOX_RUN_ID $SIGNALBOX_ATTEMPT" >> "$SIGNALBOX_TASK_ID.txt"
while test -e ROOT/hold; do sleep 0.1; done
`;

/** Finds both inputs, and prints them as a careless check would. */
const DOCTOR =
  'echo "token is $SIGNALBOX_INPUT_TOKEN" && test "$SIGNALBOX_INPUT_REGION" = eu && ' +
  `test "$(printf %s "$SIGNALBOX_INPUT_TOKEN" | sha256sum | cut -c1-12)" = ${digest(SECRET)}`;

let world: CliWorld;
let session: Session;

beforeAll(async () => {
  world = new CliWorld().init();
  const command = AGENT.replaceAll('ROOT', world.root);
  world.config(`agent: { provider: command, command: ${JSON.stringify(command)} }\nchecks: { doctor: "true" }\n`);
  const own = (id: string): string => `files: { writes: ["${id}.txt"] }`;
  world
    .task('010', `approval: start\n${own('010')}`)
    .task('011', `depends_on: ["010"]\n${own('011')}`)
    .task('020', `approval: merge\n${own('020')}`)
    .task('030', own('030'))
    .task(
      '040',
      `${own('040')}\ninputs: [{ name: region, prompt: Where to? }, { name: token, prompt: The token?, secret: true }]\n` +
        `verify: { doctor: ${JSON.stringify(DOCTOR)} }`,
    );
  world.commit('tasks');
  // A hook that fails each time, which must not harm anything.
  world.env['SIGNALBOX_HOOK'] = `cat >> ${world.root}/hook.jsonl; echo s3cret-of-the-hook; exit 1`;
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

function digest(text: string): string {
  return execFileSync('sha256sum', { input: text, encoding: 'utf8' }).slice(0, 12);
}

/** Starts a run of some tasks, and follows it until it is over or waits for a person. */
async function start(run: string, tasks: string, ...more: string[]): Promise<CliResult> {
  return await world.signalbox(
    ...['run', 'start', '--run-id', run, '--tasks', tasks, '--backend', 'local', '--no-reuse', ...more, '-o', 'json'],
  );
}

async function watch(run: string): Promise<CliResult> {
  return await world.signalbox('run', 'watch', run, '-o', 'json');
}

function resultOf({ json }: CliResult): RunDescription {
  return json?.result as RunDescription;
}

async function describeOf(run: string): Promise<RunDescription> {
  return await session.reader.read('demo', run);
}

function prompt(run: string, task: string, attempt: number, turn: number): string {
  return readFileSync(path.join(world.root, `prompt-${run}-${task}-${attempt}-${turn}`), 'utf8');
}

/** The refusal of a command: its exit code, message and hint. */
async function refusal(...argv: string[]): Promise<{ code: number; message: string; hint: string }> {
  const { code, json } = await world.signalbox(...argv, '-o', 'json');
  expect(json?.ok).toBe(false);
  return { code, message: json?.error?.message ?? '', hint: json?.error?.hint ?? '' };
}

test(
  'a task that asks before its start is listed with what to type, starts when it is approved, and takes no late word',
  async () => {
    const started = await start('start', '010,011');
    expect(started.code).toBe(4);
    expect(resultOf(started)).toMatchObject({ status: 'waiting', tasks: { '010': { status: 'waiting_for_person' } } });
    expect(resultOf(started).tasks['010']?.wait).toMatchObject({ kind: 'start', question: 'May 010 task start?' });
    expect((await world.signalbox('run', 'describe', 'start')).stdout).toContain(
      'signalbox task approve 010 --run start',
    );
    expect((await world.signalbox('task', 'describe', '010')).stdout).toContain('May 010 task start?');

    const listed = (await world.signalbox('run', 'list', '--waiting', '-o', 'json')).json?.result;
    expect(listed).toMatchObject({ runs: [{ run_id: 'start', waiting: [{ task_id: '010', kind: 'start' }] }] });
    const tasks = (await world.signalbox('task', 'list', '--waiting', '-o', 'json')).json?.result;
    expect(tasks).toMatchObject({ waiting: [{ run_id: 'start', task_id: '010', question: 'May 010 task start?' }] });
    const query = "SignalboxWaiting = 'person'";
    await until(async () => (await session.client.workflow.count(query)).count === 1);

    const stale: WaitingTask = await taskToDecide(session, 'start', '010', 'approve');
    expect(await refusal('task', 'answer', '010', 'yes')).toMatchObject({
      code: 1,
      message: '010 waits for a word before it starts; approve or reject is possible, not answer',
    });
    expect(await refusal('task', 'approve', '011')).toMatchObject({
      code: 1,
      message: '011 does not wait for a person: it is pending',
      hint: 'In run start, 010 waits; see "signalbox task list --waiting".',
    });
    expect(await refusal('task', 'approve', '01')).toMatchObject({ code: 2, message: 'run start has no task "01"' });
    writeFileSync(path.join(world.root, 'hold'), '');
    const approved = await world.signalbox('task', 'approve', '-o', 'json');
    expect(approved).toMatchObject({ code: 0, json: { result: { run_id: 'start', task_id: '010', wait: 1 } } });
    // Somebody who saw the same question is too late, whether the command or only the run can know it.
    const late = decideTask(session, 'start', stale, { outcome: 'reject', text: null, inputs: {} });
    await expect(late).rejects.toMatchObject({ code: 'refused', message: '010 does not wait for a person' });
    expect((await refusal('task', 'approve', '010')).message).toMatch(/^010 does not wait for a person: it is/);
    rmSync(path.join(world.root, 'hold'));

    const ended = await watch('start');
    expect(ended).toMatchObject({ code: 0, json: { result: { status: 'completed' } } });
    expect(await refusal('task', 'approve', '010')).toMatchObject({
      code: 1,
      message: 'run start is completed already, so 010 cannot be approved',
    });
    await until(async () => (await session.client.workflow.count(query)).count === 0);
    expect((await world.signalbox('run', 'list', '--waiting')).stdout).toBe('nothing in project demo waits for you\n');
  },
  PATIENCE,
);

test(
  'a rejected task ends with the reason, what depends on it is blocked, and a retry asks again',
  async () => {
    expect((await start('reject', '010,011')).code).toBe(4);
    expect((await world.signalbox('task', 'reject', '010', '--reason', 'not this year')).code).toBe(0);
    const ended = await watch('reject');
    expect(ended.code).toBe(1);
    expect(resultOf(ended).tasks).toMatchObject({
      '010': { status: 'cancelled', reason: 'rejected by a person: not this year', wait: null },
      '011': { status: 'blocked' },
    });
    const retried = await world.signalbox('task', 'retry', '010', '--with', 'mind the gap');
    expect(retried.code).toBe(0);
    expect((await watch('reject')).code).toBe(4);
    expect((await world.signalbox('task', 'approve', '010')).code).toBe(0);
    expect((await watch('reject')).code).toBe(0);
    expect(prompt('reject', '010', 1, 1)).toContain('mind the gap');
  },
  PATIENCE,
);

test(
  'a merge waits for a word; guidance gives another attempt, which asks again',
  async () => {
    expect((await start('merge', '020')).code).toBe(4);
    expect(existsSync(path.join(world.repository, '020.txt'))).toBe(false);
    const first = (await describeOf('merge')).tasks['020'];
    expect(first?.wait).toMatchObject({ kind: 'merge', id: 1 });
    expect((await world.signalbox('task', 'retry', '020', '--with', 'paint it blue')).code).toBe(0);
    expect((await watch('merge')).code).toBe(4);
    expect(prompt('merge', '020', 2, 1)).toContain('paint it blue');
    expect((await describeOf('merge')).tasks['020']?.wait).toMatchObject({ kind: 'merge', id: 2 });
    expect((await world.signalbox('task', 'approve')).code).toBe(0);
    expect((await watch('merge')).code).toBe(0);
    expect(readFileSync(path.join(world.repository, '020.txt'), 'utf8')).toBe('merge 2\n');
  },
  PATIENCE,
);

test(
  "an agent's question reaches the person, and the answer its next turn",
  async () => {
    writeFileSync(path.join(world.root, 'ask'), 'Which colour?\nRed or blue?\n');
    const started = await start('question', '030');
    expect(started.code).toBe(4);
    expect(started.stderr).toContain('Which colour?\n          Red or blue?\n');
    expect(await refusal('task', 'answer')).toMatchObject({
      code: 2,
      message: 'no answer is given; 030 asks: Which colour?\nRed or blue?',
    });
    expect(await refusal('task', 'approve')).toMatchObject({
      code: 1,
      message: 'no task of run question waits to be approved',
    });
    const answered = await world.signalboxAsking([[/Answer: $/m, 'Blue as the sky.']], 'task', 'answer');
    expect(answered.stderr).toContain('Which colour?\nRed or blue?');
    expect(answered.code).toBe(0);
    expect((await watch('question')).code).toBe(0);
    expect(prompt('question', '030', 1, 2)).toContain('Blue as the sky.');
    expect(existsSync(path.join(world.repository, '.signalbox', 'question.md'))).toBe(false);
  },
  PATIENCE,
);

test(
  'a secret input reaches the check, and is nowhere else in clear',
  async () => {
    expect((await start('input', '040')).code).toBe(4);
    const inClear = await refusal('task', 'answer', '040', '--input', `token=${SECRET}`);
    expect(inClear).toMatchObject({ code: 2, message: 'token is secret, and a command line is no place for secrets' });
    const given = await world.signalbox('task', 'answer', '040', '--input', 'region=eu');
    expect(given).toMatchObject({ code: 0, stdout: expect.stringContaining('it still asks for token') });
    const file = path.join(world.root, 'token');
    writeFileSync(file, `${SECRET}\n`);
    const sealed = await world.signalbox('task', 'answer', '--input-file', `token=${file}`);
    expect({ ...sealed, json: undefined }).toMatchObject({ code: 0, stderr: '' });
    const ended = await watch('input');
    expect(ended.code).toBe(0);
    expect(prompt('input', '040', 1, 1)).toContain('eu');
    const logs = await world.signalbox('task', 'logs', '040', '--run', 'input');
    expect(logs.stdout).toMatch(/token is /);

    rmSync(file);
    const shown = [sealed, ended, logs, await world.signalbox('run', 'describe', 'input', '-o', 'json')];
    expect(shown.map(({ stdout, stderr }) => stdout + stderr).join('')).not.toContain(SECRET);
    // The database of the server, with all histories, is there too.
    const found = execFileSync('sh', ['-c', `grep -rlaF -e "$0" . || true`, SECRET], {
      cwd: world.root,
      encoding: 'utf8',
    });
    expect(found).toBe('');
    expect(
      execFileSync('sh', ['-c', 'grep -rlaF "signalbox/demo/run/input" home/server | head -1'], {
        cwd: world.root,
        encoding: 'utf8',
      }),
    ).not.toBe('');
  },
  PATIENCE,
);

test(
  'a task that is skipped as satisfied lets what depends on it go on',
  async () => {
    expect((await start('skip', '010,011')).code).toBe(4);
    expect((await world.signalbox('task', 'skip', '010', '--satisfied')).code).toBe(0);
    const ended = await watch('skip');
    expect(ended.code).toBe(0);
    expect(resultOf(ended).tasks).toMatchObject({ '010': { status: 'skipped' }, '011': { status: 'merged' } });
    expect(await refusal('task', 'skip', '011')).toMatchObject({
      code: 1,
      message: 'run skip is completed already, so 011 cannot be skipped',
    });
  },
  PATIENCE,
);

test(
  'tasks are added to a live run, also by two people at once, and its limits are changed',
  async () => {
    const file = (id: string, manifest = ''): string => {
      const name = path.join(world.root, `${id}-more.md`);
      writeFileSync(name, `---\nfiles: { writes: ["${id}.txt"] }\n${manifest}---\nDo it.\n`);
      return name;
    };
    expect((await start('add', '010')).code).toBe(4);
    expect((await world.signalbox('run', 'set', '--max-parallel', '1')).code).toBe(0);
    expect((await world.signalbox('task', 'set', '010', '--priority', '-3')).code).toBe(0);
    const added = await Promise.all([
      world.signalbox('task', 'add', file('061'), '--run', 'add', '-o', 'json'),
      world.signalbox('task', 'add', file('062'), file('063', 'depends_on: ["062", "010"]\n'), '-o', 'json'),
    ]);
    expect(added.map(({ code, json }) => [code, json?.result ?? json?.error])).toEqual([
      [0, expect.objectContaining({ task_ids: ['061'] })],
      [0, expect.objectContaining({ task_ids: ['062', '063'] })],
    ]);
    await until(async () => {
      const { tasks } = await describeOf('add');
      return tasks['061']?.status === 'merged' && tasks['062']?.status === 'merged';
    });
    expect(await refusal('task', 'add', file('061'), file('064', 'depends_on: ["069"]\n'))).toMatchObject({
      code: 2,
      message: expect.stringMatching(/2 problems.*"061" is already taken by .*"069", which is no task/s),
    });
    expect(await refusal('task', 'skip', '061')).toMatchObject({ code: 1, message: '061 is merged already' });
    expect((await world.signalbox('task', 'approve', '010', '--run', 'add')).code).toBe(0);
    const ended = await watch('add');
    expect(ended.code).toBe(0);
    expect(Object.values(resultOf(ended).tasks).map(({ status }) => status)).toEqual(Array(4).fill('merged'));
    expect(await refusal('task', 'add', file('065'))).toMatchObject({
      code: 1,
      message: 'run add is completed; tasks are added to open runs',
    });
  },
  PATIENCE,
);

test(
  'a hook that fails was called for each wait, is tried again, and leaves nothing of itself in a history',
  async () => {
    const messages = readFileSync(path.join(world.root, 'hook.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as HookMessage);
    const [first] = messages;
    expect(first).toMatchObject({
      event: 'waiting',
      project: 'demo',
      run: 'start',
      task: '010',
      kind: 'start',
      wait: 1,
    });
    expect(first?.commands[0]).toBe('signalbox task approve 010 --run start');
    expect(first?.web_ui).toBe(session.webUi('signalbox/demo/run/start'));
    expect(messages.filter(({ run }) => run === 'merge').map(({ wait }) => wait)).toEqual(
      expect.arrayContaining([1, 2]),
    );
    const { events } = await session.client.workflow.getHandle('signalbox/demo/run/start').fetchHistory();
    expect(JSON.stringify(events)).not.toContain('s3cret-of-the-hook');
    const logs = path.join(world.home, 'workers');
    const said = readdirSync(logs).map((name) => readFileSync(path.join(logs, name), 'utf8'));
    expect(said.join('')).toContain('The hook said: s3cret-of-the-hook');
  },
  PATIENCE,
);

test(
  'a hook that is a URL gets a POST for each wait',
  async () => {
    const bodies: HookMessage[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        bodies.push(JSON.parse(body) as HookMessage);
        response.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      world.killWorkers();
      world.env['SIGNALBOX_HOOK'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}/wait`;
      expect((await start('url', '010')).code).toBe(4);
      const ofThisRun = (): HookMessage[] => bodies.filter(({ run }) => run === 'url');
      await until(() => ofThisRun().length > 0);
      expect(ofThisRun()).toEqual([expect.objectContaining({ run: 'url', task: '010', kind: 'start' })]);
      expect((await world.signalbox('task', 'approve')).code).toBe(0);
      expect((await watch('url')).code).toBe(0);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
  PATIENCE,
);
