import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterEach, describe, expect, test } from '@jest/globals';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';

import { createTaskActivities } from '../../../activities/attempt/task-activities.ts';
import { UsageLedger } from '../../../activities/records/usage-ledger.ts';
import type { TaskActivities, TurnResult } from '../../../core/activities.ts';
import { stepName } from '../../../core/ids.ts';
import { NO_USAGE } from '../../../core/usage.ts';
import { prepare, turnInput } from '../../support/attempts.ts';
import { projectWorld, type ProjectWorld } from '../../support/project-world.ts';
import { until } from '../../support/until.ts';

let world: ProjectWorld;
afterEach(() => world.remove());

type TurnInput = Parameters<TaskActivities['turn']>[0];

/** What a turn of Codex prints at its end. */
function told(input: number, output = 0): string {
  const usage = { input_tokens: input, cached_input_tokens: 0, output_tokens: output };
  return `echo '${JSON.stringify({ type: 'turn.completed', usage })}'`;
}

const WORK = 'echo half > half.txt';
/** Until somebody says so; never, if nobody does. */
const WAIT = 'while [ ! -e go ]; do sleep 0.1; done; rm go';

async function inputOf(task: string, more: Partial<TurnInput> = {}): Promise<TurnInput> {
  return turnInput(await prepare(world, task), more);
}

async function turned(task: string, more: Partial<TurnInput> = {}): Promise<TurnResult> {
  return await world.task('turn', await inputOf(task, more));
}

function stepOf(input: TurnInput): string {
  return stepName(world.host.ownerOf(input.attempt), `turn-${input.turn}`);
}

function letGo({ attempt }: TurnInput): void {
  writeFileSync(path.join(world.host.attemptDirectory(attempt), 'tree', 'go'), '');
}

async function kept(result: TurnResult, file: string): Promise<string> {
  const bare = await world.host.bare(world.run.repository);
  return (await bare.git(['show', `${result.commit}:${file}`])).stdout.toString();
}

describe('a bound that blocks', () => {
  test('of tokens ends the turn while it runs, with its work kept, and again says so', async () => {
    const limits = { tokens_per_task: 100_000, mode: 'block' };
    world = await projectWorld({ a: `${WORK}; ${told(60_000)}; ${told(30_000, 1000)}; ${WAIT}` }, { limits });
    const input = await inputOf('a', { spent: { ...NO_USAGE, input_tokens: 9000 } });
    const result = await world.task('turn', input);
    expect(result).toMatchObject({
      outcome: 'limit',
      reason: 'the task used 100,000 tokens; limits.tokens_per_task is 100,000 tokens',
      error: null,
      usage: { input_tokens: 90_000, output_tokens: 1000 },
      warnings: [],
    });
    expect(await kept(result, 'half.txt')).toBe('half\n');
    expect(await world.task('turn', input)).toEqual(result);
  });

  test('of silence ends the turn', async () => {
    world = await projectWorld({ a: `${WORK}; ${WAIT}` }, { limits: { silence: '1s', mode: 'block' } });
    const result = await turned('a');
    expect(result.outcome).toBe('limit');
    expect(result.reason).toMatch(/^the agent printed nothing for \d+s; limits\.silence is 1s$/);
    expect(await kept(result, 'half.txt')).toBe('half\n');
  });

  test('of time leaves a turn what is left of it, and starts none when nothing is left, unless a person grants more', async () => {
    world = await projectWorld({ a: `${WORK}; ${WAIT}`, b: WORK }, { limits: { task_time: '1h', mode: 'block' } });
    const late = await turned('a', { spentMs: 3_599_000 });
    expect(late.outcome).toBe('limit');
    expect(late.reason).toMatch(/^agents worked on the task for 1h\S*; limits\.task_time is 1h$/);
    const over = await turned('b', { spentMs: 3_600_000 });
    expect(over).toMatchObject({ outcome: 'limit', durationMs: 0, usage: NO_USAGE, changed: 0 });
    expect(readdirSync(world.home.steps).filter((name) => name.includes('..b..'))).toEqual([]);
    expect(await turned('b', { spentMs: 3_600_000, turn: 2, allowance: 2 })).toMatchObject({ outcome: 'finished' });
  });

  test('of a run’s cost counts all its tasks, those under way included', async () => {
    const config = {
      agent: { model: 'm' },
      prices: { m: { input: 10, output: 10 } },
      limits: { cost_per_run: 1, mode: 'block' },
    };
    world = await projectWorld({ a: `${told(60_000)}; ${WAIT}`, b: `${told(60_000)}; ${WAIT}`, c: WORK }, config);
    const first = world.task('turn', await inputOf('a'));
    const second = world.task('turn', await inputOf('b'));
    for (const result of await Promise.all([first, second])) {
      expect(result).toMatchObject({ outcome: 'limit', reason: 'the run cost $1.20; limits.cost_per_run is $1.00' });
      expect(result.usage.cost_usd).toBeCloseTo(0.6, 8);
    }
    expect(await turned('c')).toMatchObject({ outcome: 'limit', changed: 0 });
    expect(await turned('c', { turn: 2, allowance: 2 })).toMatchObject({ outcome: 'finished', changed: 1 });
  });
});

describe('a bound that warns', () => {
  test('is recorded while the turn runs, which goes on', async () => {
    const limits = { tokens_per_task: 100, silence: '1s' };
    world = await projectWorld({ a: `${told(150)}; ${WAIT}; ${told(50)}` }, { limits });
    const input = await inputOf('a');
    const turn = world.task('turn', input);
    const ledger = new UsageLedger(world.home);
    await until(() => Object.keys(ledger.read(world.run, stepOf(input)).warnings).length === 2);
    letGo(input);
    const result = await turn;
    expect(result).toMatchObject({ outcome: 'finished', usage: { input_tokens: 200 } });
    expect([...result.warnings].sort()).toEqual([
      expect.stringMatching(/^the agent printed nothing for \d+s; limits\.silence is 1s$/),
      'the task used 150 tokens; limits.tokens_per_task is 100 tokens',
    ]);
    expect(await world.task('turn', input)).toEqual(result);
  });

  test('of time ends a turn by the step’s own clock, which fails', async () => {
    world = await projectWorld({ a: WAIT }, { limits: { task_time: '1s' } });
    expect(await turned('a', { spentMs: 5000 })).toMatchObject({
      outcome: 'failed',
      error: 'unknown',
      reason: 'the agent was not done after 1 s, the most that limits.task_time gives one turn',
      warnings: [],
    });
  });

  test('is told by the turn that hits it, and not by those after it', async () => {
    world = await projectWorld({ a: told(150) }, { limits: { tokens_per_task: 100 } });
    expect((await turned('a')).warnings).toHaveLength(1);
    const spent = { ...NO_USAGE, input_tokens: 150 };
    expect((await turned('a', { turn: 2, spent })).warnings).toEqual([]);
  });

  test('of cost names a model without a price', async () => {
    const limits = { cost_per_run: 1 };
    world = await projectWorld({ a: told(150), b: told(150) }, { limits, agent: { model: 'in-house' } });
    const { warnings, usage } = await turned('a');
    expect(warnings).toEqual([expect.stringContaining('"in-house" is not known')]);
    expect(usage.cost_usd).toBe(0);
  });
});

describe('usage', () => {
  test('is the same for whoever attends to the turn, together or one after the other', async () => {
    const config = { agent: { model: 'm' }, prices: { m: { input: 10, output: 10 } } };
    world = await projectWorld({ a: `${told(150)}; ${WAIT}; ${told(50, 7)}` }, config);
    const input = await inputOf('a');
    const [gone, stays] = [createTaskActivities(world.host), createTaskActivities(world.host)];
    const worker = new MockActivityEnvironment();
    const first = worker.run((turn: TurnInput) => gone.turn(turn), input);
    const ledger = new UsageLedger(world.home);
    await until(() => ledger.read(world.run, stepOf(input)).usage.input_tokens === 150);
    worker.cancel('WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true }));
    await expect(first).rejects.toThrow('WORKER_SHUTDOWN');
    const both = Promise.all([
      world.task('turn', input),
      new MockActivityEnvironment().run((turn: TurnInput) => stays.turn(turn), input),
    ]);
    letGo(input);
    const [second, third] = await both;
    expect(second).toMatchObject({ outcome: 'finished', usage: { input_tokens: 200, output_tokens: 7 } });
    expect(third).toEqual(second);
    expect(await world.task('turn', input)).toEqual(second);
    expect(ledger.read(world.run, stepOf(input))).toEqual({ usage: second.usage, warnings: {}, over: true });
    expect(ledger.costOfOthers(world.run, 'none')).toBeCloseTo(0.002_07, 8);
    expect(readdirSync(UsageLedger.directory(world.home, world.run))).toEqual([`${stepOf(input)}.json`]);
  });

  test('of a turn that failed is counted, and its error has a class', async () => {
    const said = JSON.stringify({ type: 'turn.failed', error: { message: 'unexpected status 429 Too Many Requests' } });
    world = await projectWorld({ a: `${told(150)}; echo '${said}'; exit 1`, b: 'echo "rate limit"; exit 1' });
    expect(await turned('a')).toMatchObject({ outcome: 'failed', error: 'rate_limit', usage: { input_tokens: 150 } });
    expect(await turned('b')).toMatchObject({ outcome: 'failed', error: 'unknown' });
    expect(existsSync(world.home.usage)).toBe(true);
  });
});
