import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { packageRoot } from '../../activities/package-root.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { quietRuntime } from '../support/quiet-runtime.ts';

const folder = path.join(packageRoot(), 'test', 'replay', 'histories');
const recordings = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.json'))
  .sort();

let bundle: WorkflowBundleOption;

beforeAll(async () => {
  quietRuntime();
  bundle = await workflowBundle(process.env);
});

// Runs that are open when Signalbox is updated go on with the new code: it must make the same decisions on their histories.
describe('today’s workflows, on histories of earlier ones', () => {
  test.each(recordings)('replay %s as it happened', async (file) => {
    const history: unknown = JSON.parse(readFileSync(path.join(folder, file), 'utf8'));
    await Worker.runReplayHistory({ workflowBundle: bundle, replayName: file }, history);
  });

  test('refuse a history that they would not have made', async () => {
    const file = recordings.find((name) => name.includes('landing-task')) ?? '';
    const text = readFileSync(path.join(folder, file), 'utf8').replaceAll('"name":"verify"', '"name":"closeAttempt"');
    const replay = Worker.runReplayHistory({ workflowBundle: bundle, replayName: file }, JSON.parse(text) as unknown);
    await expect(replay).rejects.toThrow(/[Nn]ondeterminis/);
  });

  test('are of all four workflows, and of executions that continued as new, were cancelled, and watched inherited tasks', () => {
    const events = recordings.map((file) => readFileSync(path.join(folder, file), 'utf8'));
    for (const type of ['run', 'task', 'repository', 'train']) {
      expect(recordings.some((file) => file.includes(`-${type}-`))).toBe(true);
    }
    for (const sign of ['CONTINUED_AS_NEW', 'EXECUTION_CANCELED', '"name":"watch"']) {
      expect(events.some((text) => text.includes(sign))).toBe(true);
    }
  });
});
