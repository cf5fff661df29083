import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { homeOf, type Home } from '../../../activities/home.ts';
import { grantBudget, type Budget } from '../../../activities/models/budget.ts';
import { BudgetGuard } from '../../../activities/models/budget-guard.ts';
import { gatewayLayout } from '../../../activities/models/gateway-layout.ts';
import { GatewayLedger } from '../../../activities/models/gateway-ledger.ts';
import { UsageLedger } from '../../../activities/records/usage-ledger.ts';
import type { Usage } from '../../../core/usage.ts';

const RUN = { project: 'demo', run: 'r1' };
const [FIRST, SECOND] = ['demo..r1..001..1..turn-1', 'demo..r1..002..1..turn-1'];
let home: Home;

beforeEach(() => {
  home = homeOf({ SIGNALBOX_HOME: mkdtempSync(path.join(tmpdir(), 'signalbox-budget-')) });
});
afterEach(() => rmSync(home.root, { recursive: true }));

function used(input: number): Usage {
  return { input_tokens: input, cached_input_tokens: 0, output_tokens: 0, cost_usd: 0 };
}

function grant(step: string, more: Partial<Budget>): void {
  const none = { tokensPerTask: null, costPerRun: null, allowance: 1, spentTokens: 0, model: 'm' };
  grantBudget(home, step, { ...none, prices: { m: { input: 10, output: 10 } }, ...more });
}

/** A gateway that begins to count: another name is another process. */
function gateway(name: string): { guard: BudgetGuard; count: (step: string, input: number) => void } {
  const layout = gatewayLayout(home);
  const ledger = new GatewayLedger(layout.usage, name);
  const guard = new BudgetGuard(home, ledger);
  const count = (step: string, input: number): void => {
    ledger.response(step, used(input), 'm');
    guard.counted(step, used(input), 'm');
  };
  return { guard, count };
}

describe('a budget of tokens', () => {
  test('is spent with what the task used before the step, and stays spent for the next gateway', () => {
    grant(FIRST, { tokensPerTask: 1000, spentTokens: 900 });
    const { guard, count } = gateway('one');
    count(FIRST, 99);
    expect(guard.refusal(FIRST)).toBeNull();
    count(FIRST, 1);
    const sentence = 'the task used 1,000 tokens; limits.tokens_per_task is 1,000 tokens';
    expect(guard.refusal(FIRST)).toBe(sentence);
    expect(gateway('two').guard.refusal(FIRST)).toBe(sentence);
  });

  test('counts as often as a person granted it', () => {
    grant(FIRST, { tokensPerTask: 1000, spentTokens: 1000, allowance: 2 });
    const { guard, count } = gateway('one');
    expect(guard.refusal(FIRST)).toBeNull();
    count(FIRST, 1000);
    expect(guard.refusal(FIRST)).toContain('granted 2 times');
  });

  test('bounds the step that has it, and no other', () => {
    grant(FIRST, { tokensPerTask: 1 });
    const { guard, count } = gateway('one');
    count(SECOND, 1_000_000);
    expect([guard.refusal(FIRST), guard.refusal(SECOND)]).toEqual([null, null]);
  });
});

describe('a budget of a run’s cost', () => {
  test('is spent by all steps of the run, at once', () => {
    for (const step of [FIRST, SECOND]) grant(step, { costPerRun: 1 });
    const { guard, count } = gateway('one');
    count(FIRST, 60_000);
    expect([guard.refusal(FIRST), guard.refusal(SECOND)]).toEqual([null, null]);
    count(SECOND, 40_000);
    const sentence = 'the run cost $1.00; limits.cost_per_run is $1.00';
    expect([guard.refusal(FIRST), guard.refusal(SECOND)]).toEqual([sentence, sentence]);
    expect(gateway('two').guard.refusal(FIRST)).toBe(sentence);
  });

  test('counts turns that only workers know of, and none twice', () => {
    const turns = new UsageLedger(home);
    const told = { ...used(0), cost_usd: 0.5 };
    turns.record(RUN, 'demo..r1..003..1..turn-1', { usage: told, warnings: {}, over: true });
    turns.record(RUN, FIRST, { usage: { ...used(20_000), cost_usd: 0.2 }, warnings: {}, over: false });
    for (const step of [FIRST, SECOND]) grant(step, { costPerRun: 0.75 });
    const { guard, count } = gateway('one');
    count(FIRST, 20_000);
    expect(guard.refusal(SECOND)).toBeNull();
    count(SECOND, 5000);
    expect(guard.refusal(SECOND)).toBe('the run cost $0.75; limits.cost_per_run is $0.75');
  });

  test('is one of each run', () => {
    const other = 'demo..r2..001..1..turn-1';
    for (const step of [FIRST, other]) grant(step, { costPerRun: 1 });
    const { guard, count } = gateway('one');
    count(FIRST, 200_000);
    expect([guard.refusal(FIRST) === null, guard.refusal(other)]).toEqual([false, null]);
  });
});
