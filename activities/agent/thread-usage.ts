import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

import { z } from 'zod';

import { NO_USAGE, type Usage } from '../../core/usage.ts';
import { unlessMissing } from '../system-errors.ts';

const tokens = z.number().int().nonnegative();
const entry = z.object({
  step: z.string(),
  thread: z.string(),
  input_tokens: tokens,
  cached_input_tokens: tokens,
  output_tokens: tokens,
});
const entries = z.array(entry);

/**
 * Codex reports the usage of its whole thread at the end of each turn, those of earlier turns included. This file says
 * what the thread had used when each turn of the attempt ended, so that a turn is counted once.
 */
export class ThreadUsage {
  readonly #file: string;

  /** @param file on the host, beside the agent's home and out of the agent's reach; need not exist */
  constructor(file: string) {
    this.#file = file;
  }

  /** What the thread had used before a turn, whether that turn is recorded already or not. */
  before(thread: string | null, step: string): Usage {
    const earlier = this.#read().filter((known) => known.thread === thread);
    const own = earlier.findIndex((known) => known.step === step);
    const last = own === -1 ? earlier.at(-1) : earlier[own - 1];
    if (last === undefined) return { ...NO_USAGE };
    const { input_tokens, cached_input_tokens, output_tokens } = last;
    return { input_tokens, cached_input_tokens, output_tokens, cost_usd: 0 };
  }

  /** Records what the thread had used after a turn; once for each turn. */
  record(thread: string, step: string, total: Usage): void {
    const known = this.#read();
    if (known.some((recorded) => recorded.step === step)) return;
    const { input_tokens, cached_input_tokens, output_tokens } = total;
    const draft = `${this.#file}.${randomUUID()}`;
    const next = [...known, { step, thread, input_tokens, cached_input_tokens, output_tokens }];
    writeFileSync(draft, JSON.stringify(next), { mode: 0o600 });
    renameSync(draft, this.#file);
  }

  #read(): z.infer<typeof entries> {
    const text = unlessMissing(() => readFileSync(this.#file, 'utf8'));
    return text === null ? [] : entries.parse(JSON.parse(text));
  }
}

/** What a turn used, from the thread's totals after and before it. */
export function usageSince(total: Usage, before: Usage): Usage {
  // A thread whose count started anew, which Codex does when it loses its records, has nothing to subtract.
  const restarted = total.input_tokens < before.input_tokens || total.output_tokens < before.output_tokens;
  if (restarted) return total;
  return {
    input_tokens: total.input_tokens - before.input_tokens,
    cached_input_tokens: Math.max(0, total.cached_input_tokens - before.cached_input_tokens),
    output_tokens: total.output_tokens - before.output_tokens,
    cost_usd: total.cost_usd,
  };
}
