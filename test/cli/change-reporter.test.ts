import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { ChangeReporter } from '../../cli/attached.ts';
import { Output } from '../../cli/framework/output.ts';
import type { RunDescription, TaskDescription } from '../../core/description.ts';

const usage = { input_tokens: 0, cached_input_tokens: 0, output_tokens: 0, cost_usd: 0 };

function task(fields: Partial<TaskDescription>): TaskDescription {
  const nothing = { branch: null, commit: null, merged_commit: null, started_at: null, ended_at: null, wait: null };
  return {
    name: 'x',
    status: 'pending',
    reason: null,
    attempts: 1,
    turns: 1,
    usage,
    warnings: [],
    findings: [],
    ...nothing,
    ...fields,
  };
}

function run(tasks: Record<string, TaskDescription>): RunDescription {
  return {
    run_id: 'r',
    workflow_id: 'signalbox/p/run/r',
    status: 'running',
    reason: null,
    started_at: '2026-04-11T09:30:00Z',
    ended_at: null,
    integration_branch: 'main',
    base_commit: 'a'.repeat(40),
    head_commit: 'a'.repeat(40),
    image: null,
    usage,
    sandbox: { backend: 'docker', loosened: [] },
    tasks,
  };
}

/** What is printed for descriptions in a row, without the time of day. */
function reported(...runs: RunDescription[]): string[] {
  const stderr = new PassThrough();
  const screen = (stream: PassThrough) => ({ stream, isTerminal: false });
  const output = new Output({ json: false, stdout: screen(new PassThrough()), stderr: screen(stderr), env: {} });
  const reporter = new ChangeReporter(output);
  for (const description of runs) reporter.report(description);
  const text = String(stderr.read() ?? '');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [line.slice('00:00:00  '.length)]));
}

test('a reason that a task keeps is told once', () => {
  const reason = 'attempt 1 failed: no luck';
  const lines = reported(
    run({ '1': task({ status: 'working', attempts: 2, reason }) }),
    run({ '1': task({ status: 'checking', attempts: 2, reason }) }),
    run({ '1': task({ status: 'working', attempts: 3, reason: 'attempt 2 failed: worse' }) }),
  );
  expect(lines).toEqual([
    '0/1  1 x  working (attempt 2): attempt 1 failed: no luck',
    '0/1  1 x  checking (attempt 2)',
    '0/1  1 x  working (attempt 3): attempt 2 failed: worse',
  ]);
});

test('what ended is told before what begins, and what stays as it is not at all', () => {
  const before = {
    '1': task({ status: 'pending' }),
    '2': task({ status: 'merging' }),
    '3': task({ status: 'working' }),
  };
  const merged = task({ status: 'merged', merged_commit: 'b'.repeat(40) });
  const lines = reported(run(before), run({ ...before, '1': task({ status: 'working' }), '2': merged }));
  expect(lines).toEqual([
    '0/3  2 x  merging',
    '0/3  3 x  working',
    '1/3  2 x  merged as bbbbbbbbbb',
    '1/3  1 x  working',
  ]);
});

test('that a run waits is left to the outcome, which tells for what', () => {
  expect(reported({ ...run({}), status: 'waiting', reason: '1 waits for a word' })).toEqual([]);
  expect(reported({ ...run({}), status: 'paused', reason: 'paused by a person' })).toEqual([
    '0/0  run paused: paused by a person',
  ]);
});
