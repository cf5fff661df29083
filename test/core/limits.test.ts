import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { configSchema } from '../../core/config.ts';
import { limitsHit, limitsOf, turnTime, type Limits, type Used } from '../../core/limits.ts';
import { manifestSchema } from '../../core/task-file.ts';

const LIMITS: Limits = { taskTime: 7_200_000, silence: 60_000, tokensPerTask: 100_000, costPerRun: 5, mode: 'block' };
const NOTHING: Used = { taskMs: 0, silentMs: 0, taskTokens: 0, runCost: 0 };

const bound = fc.integer({ min: 1, max: 1_000_000 });
const limits = fc.record({
  taskTime: bound,
  silence: bound,
  tokensPerTask: fc.option(bound),
  costPerRun: fc.option(bound),
  mode: fc.constantFrom('warn' as const, 'block' as const),
});
const amount = fc.nat(3_000_000);
const used = fc.record({ taskMs: amount, silentMs: amount, taskTokens: amount, runCost: amount });
const allowance = fc.integer({ min: 1, max: 4 });

describe('bounds', () => {
  test('say what was used and what the bound is', () => {
    const all = { taskMs: 7_261_999, silentMs: 60_000, taskTokens: 120_000, runCost: 5.125 };
    expect(limitsHit(LIMITS, all, 1)).toEqual([
      { key: 'task_time', sentence: 'agents worked on the task for 2h1m1s; limits.task_time is 2h' },
      { key: 'silence', sentence: 'the agent printed nothing for 1m; limits.silence is 1m' },
      { key: 'tokens_per_task', sentence: 'the task used 120,000 tokens; limits.tokens_per_task is 100,000 tokens' },
      { key: 'cost_per_run', sentence: 'the run cost $5.13; limits.cost_per_run is $5.00' },
    ]);
    expect(limitsHit({ ...LIMITS, costPerRun: 0.0025 }, { ...NOTHING, runCost: 0.003_14 }, 1)).toEqual([
      { key: 'cost_per_run', sentence: 'the run cost $0.0031; limits.cost_per_run is $0.0025' },
    ]);
  });

  test('count once more for each time that a person let the task go on, silence aside', () => {
    const all = { taskMs: 7_200_000, silentMs: 60_000, taskTokens: 200_000, runCost: 10 };
    expect(limitsHit(LIMITS, all, 2).map(({ sentence }) => sentence)).toEqual([
      'the agent printed nothing for 1m; limits.silence is 1m',
      'the task used 200,000 tokens; limits.tokens_per_task is 100,000 tokens, granted 2 times',
      'the run cost $10.00; limits.cost_per_run is $5.00, granted 2 times',
    ]);
  });

  test('once hit stay hit when more is used, and are hit by nothing when nobody set them', () => {
    fc.assert(
      fc.property(limits, used, used, allowance, (set, before, more, times) => {
        const after: Used = {
          taskMs: before.taskMs + more.taskMs,
          silentMs: before.silentMs + more.silentMs,
          taskTokens: before.taskTokens + more.taskTokens,
          runCost: before.runCost + more.runCost,
        };
        const keys = (what: Used): string[] => limitsHit(set, what, times).map(({ key }) => key);
        expect(keys(after)).toEqual(expect.arrayContaining(keys(before)));
        expect(keys(NOTHING)).toEqual([]);
        if (set.tokensPerTask === null) expect(keys(after)).not.toContain('tokens_per_task');
        if (set.costPerRun === null) expect(keys(after)).not.toContain('cost_per_run');
      }),
    );
  });

  test('are those of the task’s file where it has any', () => {
    const config = configSchema.parse({ limits: { tokens_per_task: 10, silence: '1m', mode: 'block' } });
    const task = manifestSchema.parse({ limits: { tokens_per_task: 20, task_time: '3h' } });
    expect(limitsOf(config, manifestSchema.parse({}))).toMatchObject({ taskTime: 7_200_000, tokensPerTask: 10 });
    expect(limitsOf(config, task)).toEqual({
      taskTime: 10_800_000,
      silence: 60_000,
      tokensPerTask: 20,
      costPerRun: null,
      mode: 'block',
    });
  });
});

describe('the time of a turn', () => {
  test('never lets the turns of a blocked task exceed its time by more than the second that the last one gets', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.array(fc.nat(50_000)),
        allowance,
        (taskTime, wishes, times) => {
          let spent = 0;
          for (const wish of wishes) {
            if (spent >= taskTime * times) break;
            spent += Math.min(wish, turnTime({ ...LIMITS, taskTime }, spent, times));
          }
          expect(spent).toBeLessThan(taskTime * times + 1000);
        },
      ),
    );
  });

  test('is the whole bound where it only warns', () => {
    expect(turnTime({ ...LIMITS, mode: 'warn' }, 9_999_999, 1)).toBe(7_200_000);
  });
});
