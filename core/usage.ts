/** Tokens and money spent on models. Input tokens include the cached ones, as OpenAI counts them. */
export interface Usage {
  input_tokens: number;
  cached_input_tokens: number;
  output_tokens: number;
  /** US dollars. */
  cost_usd: number;
}

/** Nothing spent. */
export const NO_USAGE: Readonly<Usage> = { input_tokens: 0, cached_input_tokens: 0, output_tokens: 0, cost_usd: 0 };

/** The sum of usages. */
export function addUsage(...usages: readonly Readonly<Usage>[]): Usage {
  const sum = { ...NO_USAGE };
  for (const usage of usages) {
    sum.input_tokens += usage.input_tokens;
    sum.cached_input_tokens += usage.cached_input_tokens;
    sum.output_tokens += usage.output_tokens;
    sum.cost_usd += usage.cost_usd;
  }
  return sum;
}

/** Tokens in and out, as limits count them. */
export function tokensOf(usage: Readonly<Usage>): number {
  return usage.input_tokens + usage.output_tokens;
}
