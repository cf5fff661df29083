import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from '@temporalio/client';
import type { RunDescription } from '../../core/description.ts';
import { repositoryWorkflowId, runWorkflowId, trainWorkflowId } from '../../core/ids.ts';
import type { RunState } from '../../core/run-state.ts';
import { foldRun, type FoldedRun } from '../../workers/runs/run-history.ts';
import { RunReader } from '../../workers/runs/run-reader.ts';
import { FakeWorld } from '../support/fake-activities.ts';
import { historiesOf, largestPayload, type ExecutionHistory } from '../support/histories.ts';
import { mixedGraph } from '../support/mixed-graph.ts';
import { realServer } from '../support/real-server.ts';
import { runInput, startRun, withWorkers } from '../support/workflow-world.ts';

const TASKS = 1000;
const MOST_EVENTS = 10_000;
const MOST_BYTES = 128 * 1024;

let env: Awaited<ReturnType<typeof realServer>>;

beforeAll(async () => {
  env = await realServer({});
});
afterAll(async () => {
  await env.teardown();
});

describe('a run of 1,000 tasks', () => {
  test('completes, with every task merged once, small histories, and an answer to each query on the way', async () => {
    const world = new FakeWorld(mixedGraph(TASKS));
    world.chunk = 100;
    const input = runInput(world, { maxParallel: 16 });
    const workflowId = runWorkflowId(input.run.project, input.run.run);
    await withWorkers(env, world, async () => {
      const handle = await startRun(env, input, null, { tasks: TASKS });
      const asking = new AbortController();
      const answers = askEverySecond(env.client, workflowId, asking.signal);
      const result = await handle.result();
      asking.abort();
      const times = await answers;
      expect(result).toMatchObject({ status: 'completed', tasks: {} });
      console.log(`${times.length} queries: median ${at(times, 0.5)} ms, worst ${at(times, 1)} ms`);

      expect(world.merged).toHaveLength(TASKS);
      expect(new Set(world.merged).size).toBe(TASKS);
      expect(world.mostWorking).toBeLessThanOrEqual(16);

      const reader = new RunReader(
        env.client,
        () => Promise.reject(new Error('a history of its own is enough')),
        () => null,
      );
      const read = await reader.read(input.run.project, input.run.run);
      expect(read.status).toBe('completed');
      expect(Object.values(read.tasks).map((task) => task.status)).toEqual(Array(TASKS).fill('merged'));
    });

    const services = [repositoryWorkflowId(input.run.repository.id), trainWorkflowId(input.run.repository.id, 'main')];
    const ids = services.map((id) => `WorkflowId = '${id}'`).join(' OR ');
    const histories = await historiesOf(env.client, `${ids} OR WorkflowId STARTS_WITH '${workflowId}'`);
    const executions = new Map<string, ExecutionHistory[]>();
    for (const one of histories) executions.set(one.workflowId, [...(executions.get(one.workflowId) ?? []), one]);
    expect(executions.size).toBe(TASKS + 3);
    for (const history of histories) {
      expect([history.workflowId, history.events.length < MOST_EVENTS]).toEqual([history.workflowId, true]);
      expect([history.workflowId, largestPayload(history.events) <= MOST_BYTES]).toEqual([history.workflowId, true]);
    }
    const runs = executions.get(workflowId) ?? [];
    expect(runs.length).toBeGreaterThan(1);
    handedOver(runs);
  }, 600_000);
});

/** Each execution of a run begins with what the one before had come to. */
function handedOver(runs: readonly ExecutionHistory[]): void {
  for (const [index, next] of runs.slice(1).entries()) {
    const before = fold(runs[index]!.events);
    const after = fold(next.events.slice(0, 1));
    expect(timeless(after.state)).toEqual(timeless(before.state));
  }
}

function fold(events: ExecutionHistory['events']): FoldedRun {
  const folded = foldRun(events);
  if (folded === null) throw new Error('no history of a run');
  return folded;
}

/** A state without times: a history tells when something arrived, the workflow when it took it in. */
function timeless(state: RunState) {
  const tasks = Object.entries(state.tasks).map(([id, task]) => {
    return [id, { ...task, startedAt: task.startedAt !== null, endedAt: task.endedAt !== null }];
  });
  return { ...state, tasks };
}

/** @returns how long each answer took, milliseconds, the shortest first */
async function askEverySecond(client: Client, workflowId: string, signal: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  while (!signal.aborted) {
    const began = performance.now();
    const status = await client.workflow.getHandle(workflowId).query<RunDescription>('status');
    times.push(Math.round(performance.now() - began));
    expect(status.run_id).not.toBe('');
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return times.sort((a, b) => a - b);
}

function at(times: readonly number[], share: number): number {
  return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
}
