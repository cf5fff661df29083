import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import { ChangeReporter } from '../../cli/attached.ts';
import { Output } from '../../cli/framework/output.ts';
import { runText } from '../../cli/views/run-view.ts';
import { waitingRunsText, waitingText } from '../../cli/views/waiting-view.ts';
import type { RunDescription, TaskDescription, WaitDescription } from '../../core/description.ts';
import { runTable } from '../../core/run-table.ts';
import { waitingTasks } from '../../core/waiting.ts';

const plain = picocolors.createColors(false);
const usage = { input_tokens: 0, cached_input_tokens: 0, output_tokens: 0, cost_usd: 0 };

function waitOf(fields: Partial<WaitDescription>): WaitDescription {
  const since = '2026-11-21T10:00:00.000Z';
  return { kind: 'question', id: 1, question: 'Which\none?', since, deadline: null, inputs: [], ...fields };
}

function runOf(waits: Record<string, WaitDescription | null>, warnings: string[] = []): RunDescription {
  const nothing = { branch: null, commit: null, merged_commit: null, started_at: null, ended_at: null };
  const tasks = Object.entries(waits).map(([id, wait]): [string, TaskDescription] => [
    id,
    {
      name: `task-${id}`,
      status: wait === null ? 'working' : 'waiting_for_person',
      reason: wait?.question ?? null,
      attempts: 1,
      turns: 1,
      usage,
      wait,
      warnings,
      findings: [],
      ...nothing,
    },
  ]);
  return {
    run_id: 'r1',
    workflow_id: 'signalbox/p/run/r1',
    status: 'running',
    reason: null,
    started_at: '2026-11-21T09:00:00.000Z',
    ended_at: null,
    integration_branch: 'main',
    base_commit: 'a'.repeat(40),
    head_commit: 'a'.repeat(40),
    image: null,
    usage,
    sandbox: { backend: 'docker', loosened: [] },
    tasks: Object.fromEntries(tasks),
  };
}

const INPUT = waitOf({
  kind: 'input',
  since: '2026-11-21T09:30:00.000Z',
  deadline: '2026-11-22T09:30:00.000Z',
  inputs: [
    { name: 'region', prompt: 'Where to?', secret: false },
    { name: 'token', prompt: 'The token?', secret: true },
  ],
});

describe('what waits for a person', () => {
  test('is told with all that it asks and what to type, the longest waiting first', () => {
    const text = waitingText(waitingTasks(runOf({ a: waitOf({}), b: INPUT, c: null })), plain);
    const [first = '', second = ''] = text.split('\n\n');
    expect(first.split('\n').slice(1)).toEqual([
      '  region: Where to?',
      '  token: The token? (secret)',
      '  signalbox task answer b --input region="…" --input-file token=… --run r1',
      '  signalbox task reject b --reason "…" --run r1',
    ]);
    expect(first).toMatch(
      /^b task-b waits for its inputs, since 2026-11-2\d \d\d:30:00, until 2026-11-2\d \d\d:30:00\n/,
    );
    expect(second.split('\n').slice(1)).toEqual([
      '  Which',
      '  one?',
      '  signalbox task answer a "…" --run r1',
      '  signalbox task reject a --reason "…" --run r1',
    ]);
  });

  test('is part of the description of its run, with its warnings', () => {
    const text = runText(runOf({ a: waitOf({ kind: 'start' }) }, ['it is late']), {
      colors: plain,
      columns: null,
      webUi: null,
      now: Date.now(),
    });
    expect(text).toContain('signalbox task approve a --run r1');
    expect(text).toContain('warning: a: it is late');
    const narrow = runText(runOf({ a: waitOf({}) }), { colors: plain, columns: 80, webUi: null, now: Date.now() });
    expect(narrow.match(/Which/g)).toHaveLength(1);
  });

  test('is told while the run is watched, once for each wait', () => {
    const stderr = new PassThrough();
    const screen = (stream: PassThrough) => ({ stream, isTerminal: false });
    const output = new Output({ json: false, stdout: screen(new PassThrough()), stderr: screen(stderr), env: {} });
    const reporter = new ChangeReporter(output);
    for (const id of [1, 1, 2]) reporter.report(runOf({ a: waitOf({ kind: 'merge', id }) }));
    const lines = String(stderr.read())
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(10));
    const wait = [
      '0/1  a task-a  waiting_for_person',
      'Which',
      'one?',
      'signalbox task diff a --run r1',
      'signalbox task approve a --run r1',
      'signalbox task retry a --with "…" --run r1',
      'signalbox task reject a --reason "…" --run r1',
    ];
    expect(lines).toEqual([...wait, ...wait]);
  });

  test('is said in the Web UI with the likeliest command', () => {
    expect(runTable(runOf({ a: waitOf({ kind: 'review', question: 'a | b' }) }))).toContain(
      '| a \\| b `signalbox task approve a --run r1` |',
    );
  });

  test('counts the attempt whose work it is about once in the Web UI', () => {
    const run = runOf({ a: waitOf({ kind: 'merge' }) });
    for (const task of Object.values(run.tasks)) task.started_at = run.started_at;
    expect(runTable(run)).toContain('| waiting_for_person | 1 |');
  });

  test('in a list of runs is under its run; a run that waits itself says why', () => {
    const item = { workflow_id: 'w', started_at: '', ended_at: null, integration_branch: 'main', tasks: 1 };
    const request = { task_id: 'b', name: 'b', number: 7, url: 'https://github.test/7', waits_for: 'a review' };
    const text = waitingRunsText(
      'p',
      [
        {
          ...item,
          run_id: 'r1',
          status: 'running',
          reason: null,
          waiting: waitingTasks(runOf({ a: waitOf({}) })),
          requests: [],
        },
        { ...item, run_id: 'r0', status: 'waiting', reason: 'your checkout is dirty', waiting: [], requests: [] },
        { ...item, run_id: 'r2', status: 'running', reason: null, waiting: [], requests: [request] },
      ],
      plain,
    );
    expect(text).toMatch(/^run r1 {2}running\n {2}a task-a waits for an answer, since .*\n {4}Which\n/);
    expect(text).toMatch(/\n\nrun r0 {2}waiting\n {2}your checkout is dirty\n\n/);
    expect(text).toMatch(/run r2 {2}running\n {2}b waits at pull request #7: a review\n {4}https:\/\/github\.test\/7$/);
    expect(waitingRunsText('p', [], plain)).toBe('nothing in project p waits for you');
  });
});
