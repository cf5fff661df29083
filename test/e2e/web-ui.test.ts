import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, defaultPayloadConverter } from '@temporalio/client';
import * as z from 'zod';
import { runWorkflowId, taskWorkflowId } from '../../core/ids.ts';
import { connectTemporal } from '../../workers/server/reach.ts';
import { CliWorld } from '../support/cli.ts';
import { until } from '../support/until.ts';

const PATIENCE = 120_000;
const RUN = runWorkflowId('demo', 'shown');
const TASK = taskWorkflowId('demo', 'shown', '001');

const metadata = z.object({ currentDetails: z.string() });
const target = z.object({ address: z.string(), web_ui: z.string() });

let world: CliWorld;
let client: Client;
let address: string;
let webUi: string;

beforeAll(async () => {
  world = new CliWorld().init();
  const held = path.join(world.root, 'hold');
  const agent = `cat >/dev/null; while test -e ${held}; do sleep 0.1; done; echo done > "$SIGNALBOX_TASK_ID.txt"`;
  world.config(
    `agent: { provider: command, command: ${JSON.stringify(agent)} }\nchecks: { doctor: "test -e 001.txt" }\n`,
  );
  world.task('001', 'description: Write the first file.\nfiles: { writes: [001.txt] }');
  world.task('002', 'depends_on: ["001"]\nfiles: { writes: [002.txt] }').commit('tasks');
  writeFileSync(held, '');
  const { json } = await world.signalbox('server', 'start', '--detach', '-o', 'json');
  ({ address, web_ui: webUi } = target.parse(json?.result));
  client = new Client({ connection: await connectTemporal({ address }) });
  const started = await world.signalbox('run', 'start', '--run-id', 'shown', '--backend', 'local', '--detach');
  expect(started.code).toBe(0);
}, PATIENCE);

afterAll(async () => {
  world.killWorkers();
  await client.connection.close();
  await world.signalbox('server', 'stop');
  world.remove();
});

/** What the Web UI shows as a workflow's current details. */
async function currentDetails(workflowId: string): Promise<string> {
  const answer = await client.workflow.getHandle(workflowId).query<unknown>('__temporal_workflow_metadata');
  return metadata.parse(answer).currentDetails;
}

/** Type and summary of each activity that a workflow scheduled, in order. */
async function activitySummaries(workflowId: string): Promise<[string, string | null][]> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: activity, userMetadata }) => {
    if (activity == null) return [];
    const summary = userMetadata?.summary;
    const text = summary == null ? null : z.string().parse(defaultPayloadConverter.fromPayload(summary));
    return [[activity.activityType?.name ?? '', text]];
  });
}

async function idsOf(query: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) ids.push(workflowId);
  return ids.sort();
}

test(
  'a run in progress says what it is, what it will do and how far it is',
  async () => {
    const details = await until(async () => {
      const shown = await currentDetails(RUN);
      return shown.includes('| 001 | task | working |') && shown;
    });
    expect(details.split('\n')).toEqual([
      '**running**: 0 of 2 tasks merged, 1 pending, 1 working',
      '',
      expect.stringMatching(/^`main` `[0-9a-f]{10}` → `[0-9a-f]{10}`, 0 tokens in, 0 out$/),
      '',
      '| task | name | status | attempt | commit | reason |',
      '|---|---|---|---|---|---|',
      '| 001 | task | working | 1 |  |  |',
      '| 002 | task | pending |  |  |  |',
    ]);

    const run = await client.workflow.getHandle(RUN).describe();
    expect(run.type).toBe('run');
    expect(await run.staticSummary()).toBe('demo · shown · 2 tasks → main');
    const text = await run.staticDetails();
    expect(text).toContain('- `001` **task**: Write the first file.');
    expect(text).toContain('- `002` **task** (after 001)');
    expect(text).toMatch(/into `main` at `[0-9a-f]{10}`\. Agent: command; backend: local\./);
    expect(run.memo).toMatchObject({
      project: 'demo',
      run: 'shown',
      repository_path: world.repository,
      branch: 'main',
      base_commit: world.git('rev-parse', 'main').trim(),
      tasks: 2,
    });

    const task = await client.workflow.getHandle(TASK).describe();
    expect(task.type).toBe('task');
    expect(await task.staticSummary()).toBe('001 task');
    expect(await task.staticDetails()).toBe('Task `001` of run `shown` in project `demo`, into `main`.');
    expect(task.parentExecution?.workflowId).toBe(RUN);
  },
  PATIENCE,
);

test(
  'a finished run is found by what a person would filter for, and each of its steps has a name',
  async () => {
    const unfinished = "SignalboxProject = 'demo' AND SignalboxStatus = 'running'";
    expect(await until(async () => one(await idsOf(unfinished)))).toBe(RUN);
    rmSync(path.join(world.root, 'hold'));
    expect((await world.signalbox('run', 'watch')).code).toBe(0);

    const tasks = [TASK, taskWorkflowId('demo', 'shown', '002')];
    // Visibility follows the histories by some milliseconds.
    expect(await until(async () => one(await idsOf("SignalboxStatus = 'completed'")))).toBe(RUN);
    expect(await idsOf("SignalboxProject = 'demo'")).toEqual([RUN, ...tasks]);
    expect(await idsOf("SignalboxRun = 'shown' AND SignalboxTask = '001'")).toEqual([TASK]);

    expect(await activitySummaries(RUN)).toEqual([
      ['loadTasks', 'read the tasks'],
      ['signalWithStart', 'start the lock table'],
    ]);
    expect(await activitySummaries(TASK)).toEqual([
      ['prepare', 'attempt 1 of 001: workspace'],
      ['turn', 'attempt 1 of 001: agent turn 1'],
      ['verify', 'attempt 1 of 001: doctor'],
      ['signalWithStart', 'start the train'],
    ]);
    const [train] = await idsOf("WorkflowType = 'train'");
    expect(train).toMatch(/^signalbox\/train\/[0-9a-f]+\/main$/);
    expect(await activitySummaries(train ?? '')).toEqual([
      ['candidates', 'merge 001 task'],
      ['check', 'integration checks of 001 task'],
      ['accept', 'accept 001 task'],
      ['land', 'land 001 task'],
      ['candidates', 'merge 002 task'],
      ['check', 'integration checks of 002 task'],
      ['accept', 'accept 002 task'],
      ['land', 'land 002 task'],
    ]);
    const details = await currentDetails(RUN);
    expect(details).toMatch(/^\*\*completed\*\*: 2 of 2 tasks merged\n/);
    expect(details).toMatch(/\| 001 \| task \| merged \| 1 \| [0-9a-f]{10} \| {2}\|/);
  },
  PATIENCE,
);

test('the link of a run answers, and leads to its workflow', async () => {
  const { json } = await world.signalbox('run', 'describe', '-o', 'json');
  const link = z.object({ web_ui: z.string() }).parse(json?.result).web_ui;
  expect(link).toBe(`${webUi}/namespaces/default/workflows/${encodeURIComponent(RUN)}`);
  expect((await fetch(link)).status).toBe(200);
  const found = await fetch(`${webUi}/api/v1/namespaces/default/workflows/${encodeURIComponent(RUN)}`);
  const execution = z.object({ workflowExecutionInfo: z.object({ execution: z.object({ workflowId: z.string() }) }) });
  expect(execution.parse(await found.json()).workflowExecutionInfo.execution.workflowId).toBe(RUN);
});

/** The only element; null while there is another number. */
function one(ids: readonly string[]): string | null {
  return ids.length === 1 ? (ids[0] ?? null) : null;
}
