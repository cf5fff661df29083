import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { meteredUsage, unpricedSentence, type StepUse } from '../../core/metered-usage.ts';
import { costOf } from '../../core/prices.ts';
import { addUsage, NO_USAGE, tokensOf, type Usage } from '../../core/usage.ts';

const PRICES = { m: { input: 2, cached_input: 0.5, output: 8 }, n: { input: 10, output: 10 } };
const tokens = fc.nat(10_000_000);
const usages = fc
  .tuple(tokens, tokens, tokens)
  .map(([fresh, cached, output]): Usage => used(fresh + cached, cached, output));

function used(input: number, cached: number, output: number): Usage {
  return { input_tokens: input, cached_input_tokens: cached, output_tokens: output, cost_usd: 0 };
}

function counted(models: Record<string, Usage>): StepUse {
  return { requests: 1, usage: addUsage(...Object.values(models)), models };
}

describe('a cost', () => {
  test('counts fresh, cached and output tokens at their prices', () => {
    expect(costOf(used(3_000_000, 1_000_000, 500_000), 'm', PRICES)).toBeCloseTo(2 * 2 + 0.5 + 4);
    expect(costOf(used(3_000_000, 1_000_000, 500_000), 'n', PRICES)).toBeCloseTo(35);
  });

  test('is not known for a model that nobody priced', () => {
    expect(costOf(used(1, 0, 0), 'toString', PRICES)).toBeNull();
    expect(costOf(used(1, 0, 0), null, PRICES)).toBeNull();
  });

  test('of a dated snapshot is that of its model, unless it has one itself; a project’s price goes first', () => {
    const usage = used(1_000_000, 0, 0);
    expect(costOf(usage, 'gpt-5-2025-08-07', {})).toBe(1.25);
    expect(costOf(usage, 'claude-haiku-4-5-20251001', {})).toBe(1);
    expect(costOf(usage, 'gpt-5', { 'gpt-5': { input: 7, output: 7 } })).toBe(7);
    expect(costOf(usage, 'gpt-5-2025-08-07', { 'gpt-5-2025-08-07': { input: 9, output: 9 } })).toBe(9);
  });

  test('adds up: of the sum, it is the sum of the costs', () => {
    fc.assert(
      fc.property(usages, usages, (a, b) => {
        const apart = (costOf(a, 'm', PRICES) ?? 0) + (costOf(b, 'm', PRICES) ?? 0);
        expect(costOf(addUsage(a, b), 'm', PRICES)).toBeCloseTo(apart, 6);
      }),
    );
  });
});

describe('a metered usage', () => {
  test('is that of whoever saw more tokens, and never costs less than either knows', () => {
    fc.assert(
      fc.property(usages, usages, (told, seen) => {
        const { usage } = meteredUsage(told, counted({ n: seen }), 'm', PRICES);
        expect(tokensOf(usage)).toBe(Math.max(tokensOf(told), tokensOf(seen)));
        expect(usage.cost_usd).toBeCloseTo(Math.max(costOf(told, 'm', PRICES) ?? 0, costOf(seen, 'n', PRICES) ?? 0), 6);
      }),
    );
  });

  test('prices each model of the answers at its own price, and what the agent tells at that of the one used most', () => {
    const both = counted({ m: used(1_000_000, 0, 0), n: used(2_000_000, 0, 0) });
    expect(meteredUsage({ ...NO_USAGE }, both, undefined, PRICES)).toMatchObject({
      usage: { input_tokens: 3_000_000, cost_usd: 22 },
      unpriced: null,
    });
    const told = used(4_000_000, 0, 0);
    expect(meteredUsage(told, both, undefined, PRICES).usage).toEqual({ ...told, cost_usd: 40 });
  });

  test('of answers that name no model is priced as the model that was asked for', () => {
    const nameless = counted({ '': used(1_000_000, 0, 0) });
    expect(meteredUsage({ ...NO_USAGE }, nameless, 'm', PRICES).usage.cost_usd).toBe(2);
  });

  test('names the model that has no price, and says nothing where nothing was used', () => {
    expect(meteredUsage(used(1, 0, 0), null, 'x', PRICES)).toMatchObject({ usage: { cost_usd: 0 }, unpriced: 'x' });
    expect(meteredUsage(used(1, 0, 0), null, undefined, PRICES).unpriced).toBe('');
    expect(meteredUsage({ ...NO_USAGE }, null, undefined, PRICES).unpriced).toBeNull();
    expect(unpricedSentence('x')).toContain('the price of model "x" is not known');
    expect(unpricedSentence('')).toContain('set agent.model');
  });
});
