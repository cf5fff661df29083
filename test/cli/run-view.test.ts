import { expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import { runText } from '../../cli/views/run-view.ts';
import type { RunDescription, TaskDescription } from '../../core/description.ts';

const usage = { input_tokens: 0, cached_input_tokens: 0, output_tokens: 0, cost_usd: 0 };
const REASON = '2 attempts did not succeed; the last: doctor check `npm test` ended with exit code 1';

function task(fields: Partial<TaskDescription>): TaskDescription {
  const times = { started_at: '2026-11-21T09:00:00.000Z', ended_at: '2026-11-21T09:00:07.000Z' };
  const work = { attempts: 2, turns: 2, branch: null, commit: 'c'.repeat(40), merged_commit: null };
  return {
    name: 'a-long-name-for-a-task',
    status: 'failed',
    reason: null,
    usage,
    wait: null,
    warnings: [],
    findings: [],
    ...times,
    ...work,
    ...fields,
  };
}

const FAILED: RunDescription = {
  run_id: 'r1',
  workflow_id: 'signalbox/p/run/r1',
  status: 'failed',
  reason: '1 of 2 tasks did not succeed',
  started_at: '2026-11-21T09:00:00.000Z',
  ended_at: '2026-11-21T09:00:10.000Z',
  integration_branch: 'main',
  base_commit: 'a'.repeat(40),
  head_commit: 'b'.repeat(40),
  image: null,
  usage,
  sandbox: { backend: 'docker', loosened: [] },
  tasks: { '001': task({ status: 'merged' }), '002': task({ reason: REASON }) },
};

function text(run: RunDescription, columns: number | null): string {
  return runText(run, { colors: picocolors.createColors(false), columns, webUi: null, now: 0 });
}

test('the table of tasks fits a narrow terminal, with the reasons below it', () => {
  const lines = text(FAILED, 80).split('\n');
  const table = lines.slice(lines.findIndex((line) => line.startsWith('TASK')));
  expect(table.slice(0, 5)).toEqual([
    'TASK  NAME                    STATUS  ATTEMPTS  TURNS  COMMIT      TIME',
    '001   a-long-name-for-a-task  merged         2      2  cccccccccc  7.0s',
    '002   a-long-name-for-a-task  failed         2      2  cccccccccc  7.0s',
    '',
    `002: ${REASON}`,
  ]);
  const narrower = text(FAILED, 64).split('\n');
  expect(narrower.find((line) => line.startsWith('001'))).toBe(
    '001   a-long-name-fo…  merged         2      2  cccccccccc  7.0s',
  );
  expect(text(FAILED, 200)).toContain(`cccccccccc  7.0s  ${REASON}\n`);
});

test('what failed is told with what to type next, and only that', () => {
  expect(text(FAILED, null)).toContain('"signalbox task logs 002 --run r1"');
  expect(text(FAILED, null)).toContain('"signalbox task retry 002 --run r1" gives it new attempts');
  expect(text({ ...FAILED, status: 'completed', tasks: { '001': task({ status: 'merged' }) } }, null)).not.toContain(
    '"signalbox',
  );
});

test('what the sandbox lets through besides is told, and nothing of the default one', () => {
  const loosened = ['network bridge: steps reach the internet', 'devices /dev/kvm: steps use it'];
  const lines = text({ ...FAILED, sandbox: { backend: 'docker', loosened } }, null).split('\n');
  const at = lines.indexOf('Sandbox: docker, looser than the default:');
  expect(lines.slice(at + 1, at + 3)).toEqual(loosened.map((line) => `  ${line}`));
  for (const sandbox of [null, { backend: 'docker' as const, loosened: [] }])
    expect(text({ ...FAILED, sandbox }, null)).not.toContain('Sandbox');
});
