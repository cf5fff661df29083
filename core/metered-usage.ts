import { costOf, type Price } from './prices.ts';
import { NO_USAGE, tokensOf, type Usage } from './usage.ts';

/** What the model gateway counted for one step. */
export interface StepUse {
  /** Requests that came in with the step's token, those that failed included. */
  requests: number;
  /** Tokens that the upstream reported for them; no costs. */
  usage: Usage;
  /** The same by the model that the answers name; under `''` where they named none. */
  models: Record<string, Usage>;
}

/** No request yet. */
export const NO_STEP_USE: Readonly<StepUse> = { requests: 0, usage: NO_USAGE, models: {} };

/**
 * What a turn used so far, from the two who count it: the agent, which may tell only at the turn's end or not the truth,
 * and the gateway, which some agents do not ask. Tokens are those of whoever saw more, and so are the costs.
 *
 * @param told what the agent says
 * @param counted what the gateway counted; `null` if there is none
 * @param model what the agent was told to use, if it was told
 */
export function meteredUsage(
  told: Readonly<Usage>,
  counted: Readonly<StepUse> | null,
  model: string | undefined,
  prices: Readonly<Record<string, Price>>,
): { usage: Usage; unpriced: string | null } {
  const models = Object.entries(counted?.models ?? {}).sort(([, a], [, b]) => tokensOf(b) - tokensOf(a));
  const parts = models.map(([name, usage]) => ({ name: name || (model ?? null), usage }));
  const more = counted !== null && tokensOf(counted.usage) >= tokensOf(told) ? counted.usage : told;
  // Codex's own default model is known only from the answers to it.
  const whole = { name: model ?? (models[0]?.[0] || null), usage: told };
  const cost = (part: typeof whole): number | null => costOf(part.usage, part.name, prices);
  const dollars = Math.max(
    parts.reduce((sum, part) => sum + (cost(part) ?? 0), 0),
    cost(whole) ?? 0,
  );
  const without = [...parts, whole].find((part) => tokensOf(part.usage) > 0 && cost(part) === null);
  return { usage: { ...more, cost_usd: dollars }, unpriced: without === undefined ? null : (without.name ?? '') };
}

/** Says that tokens were used whose price nobody knows. @param model the model's name; empty if it is not known either */
export function unpricedSentence(model: string): string {
  return model === ''
    ? 'nobody knows which model was used, so that it counts as $0 for limits.cost_per_run: set agent.model, and its price in prices'
    : `the price of model ${JSON.stringify(model)} is not known, so that it counts as $0 for limits.cost_per_run: set it in prices`;
}
