import type { Usage } from './usage.ts';

/** US dollars per million tokens. */
export interface Price {
  input: number;
  /** For input tokens read from a cache; by default as `input`. */
  cached_input?: number | undefined;
  output: number;
}

/**
 * List prices of the vendors' APIs, standard tier, as of November 2026, from https://developers.openai.com/api/docs/pricing
 * and https://platform.claude.com/docs/en/about-claude/pricing. Surcharges for long prompts and for writing to a cache
 * are not in it, so that it can be a little low; a project's `prices` overrides it.
 */
const BUILT_IN: Readonly<Record<string, Price>> = {
  'gpt-6.1-sol': { input: 2, cached_input: 0.1, output: 10 },
  'gpt-6.1-terra': { input: 1, cached_input: 0.05, output: 5 },
  'gpt-6-astra': { input: 10, cached_input: 1, output: 50 },
  'gpt-6-sol': { input: 2, cached_input: 0.2, output: 10 },
  'gpt-6-luna': { input: 0.1, cached_input: 0.01, output: 0.5 },
  'gpt-5.6-sol': { input: 4, cached_input: 0.4, output: 20 },
  'gpt-5.6-terra': { input: 2, cached_input: 0.2, output: 12 },
  'gpt-5.6-luna': { input: 0.2, cached_input: 0.02, output: 1.2 },
  'gpt-5.5': { input: 5, cached_input: 0.5, output: 30 },
  'gpt-5.4': { input: 2.5, cached_input: 0.25, output: 15 },
  'gpt-5.4-mini': { input: 0.75, cached_input: 0.075, output: 4.5 },
  'gpt-5.4-nano': { input: 0.2, cached_input: 0.02, output: 1.25 },
  'gpt-5.3-codex': { input: 1.75, cached_input: 0.175, output: 14 },
  'gpt-5.2-codex': { input: 1.75, cached_input: 0.175, output: 14 },
  'gpt-5.2': { input: 1.75, cached_input: 0.175, output: 14 },
  'gpt-5.1-codex-max': { input: 1.25, cached_input: 0.125, output: 10 },
  'gpt-5.1-codex': { input: 1.25, cached_input: 0.125, output: 10 },
  'gpt-5.1-codex-mini': { input: 0.25, cached_input: 0.025, output: 2 },
  'gpt-5.1': { input: 1.25, cached_input: 0.125, output: 10 },
  'gpt-5-codex': { input: 1.25, cached_input: 0.125, output: 10 },
  'gpt-5': { input: 1.25, cached_input: 0.125, output: 10 },
  'gpt-5-mini': { input: 0.25, cached_input: 0.025, output: 2 },
  'gpt-5-nano': { input: 0.05, cached_input: 0.005, output: 0.4 },
  'claude-fable-5-1': { input: 10, cached_input: 0.25, output: 50 },
  'claude-fable-5': { input: 10, cached_input: 1, output: 50 },
  'claude-opus-5-5': { input: 4, cached_input: 0.2, output: 20 },
  'claude-opus-5': { input: 5, cached_input: 0.5, output: 25 },
  'claude-opus-4-8': { input: 5, cached_input: 0.5, output: 25 },
  'claude-sonnet-5-5': { input: 2, cached_input: 0.1, output: 10 },
  'claude-sonnet-5': { input: 2, cached_input: 0.2, output: 10 },
  'claude-sonnet-4-6': { input: 3, cached_input: 0.3, output: 15 },
  'claude-haiku-5-5': { input: 0.1, cached_input: 0.01, output: 0.5 },
  'claude-haiku-4-5': { input: 1, cached_input: 0.1, output: 5 },
};

/** The date that vendors append to a model's name for one snapshot of it. */
const SNAPSHOT = /-(?:\d{4}-\d{2}-\d{2}|\d{8})$/;

/**
 * What a usage costs, in US dollars, or `null` if nobody said what the model costs.
 *
 * @param model as it was asked for, or as its answers name it; `null`: not known
 * @param prices the project's own, by model; they go before the built-in ones
 */
export function costOf(
  usage: Readonly<Usage>,
  model: string | null,
  prices: Readonly<Record<string, Price>>,
): number | null {
  const price = model === null ? null : priceOf(model, prices);
  if (price === null) return null;
  // A claim of more cached tokens than there were tokens must not make the rest negative.
  const cached = Math.min(usage.cached_input_tokens, usage.input_tokens);
  const dollars =
    (usage.input_tokens - cached) * price.input +
    cached * (price.cached_input ?? price.input) +
    usage.output_tokens * price.output;
  return dollars / 1e6;
}

function priceOf(model: string, prices: Readonly<Record<string, Price>>): Price | null {
  for (const name of [model, model.replace(SNAPSHOT, '')]) {
    for (const table of [prices, BUILT_IN]) if (Object.hasOwn(table, name)) return table[name] ?? null;
  }
  return null;
}
