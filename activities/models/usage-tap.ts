import { z } from 'zod';

import { NO_USAGE, tokensOf, type Usage } from '../../core/usage.ts';

/** Longer lines are let through unread. A completed response repeats all its output, so this is generous. */
const LONGEST_LINE = 8 * 1024 * 1024;

const tokens = z.number().int().nonnegative();
const optional = tokens.nullish().transform((count) => count ?? 0);
const details = z
  .looseObject({ cached_tokens: optional })
  .nullish()
  .transform((told) => told?.cached_tokens ?? 0);
/** As the Responses API tells it, as Chat Completions do, and as Anthropic's Messages do, at the beginning and at the end. */
const reported = z.union([
  z
    .looseObject({ prompt_tokens: tokens, prompt_tokens_details: details, completion_tokens: tokens })
    .transform((told) => usageOf(told.prompt_tokens, told.prompt_tokens_details, told.completion_tokens)),
  z
    .looseObject({
      input_tokens: optional,
      input_tokens_details: details,
      cache_creation_input_tokens: optional,
      cache_read_input_tokens: optional,
      output_tokens: tokens,
    })
    .transform((told) => {
      const { cache_creation_input_tokens: written, cache_read_input_tokens: read } = told;
      return usageOf(told.input_tokens + written + read, told.input_tokens_details + read, told.output_tokens);
    }),
]);
const whole = z.looseObject({ usage: reported, model: z.string().nullish() });
/** Events hold the response or the message, or are it. */
const event = z.union([
  z.looseObject({ response: whole }).transform(({ response }) => response),
  z.looseObject({ message: whole }).transform(({ message }) => message),
  whole,
]);

/** What a response reported since the last call, and the model that it names; `''` if it names none. */
export type OnUsage = (usage: Usage, model: string) => void;

/** Reads the usage from a response that passes by, without holding the stream up. */
export class UsageTap {
  readonly #streamed: boolean;
  readonly #onUsage: OnUsage;
  #line: Buffer[] = [];
  #length = 0;
  #usage: Usage = { ...NO_USAGE };
  #model = '';

  /**
   * @param contentType of the response; anything but an event stream is read as one JSON document
   * @param onUsage called with what is new, when usage has come: in a stream before the piece that tells it is passed on
   */
  constructor(contentType: string, onUsage: OnUsage) {
    this.#streamed = contentType.startsWith('text/event-stream');
    this.#onUsage = onUsage;
  }

  /** Looks at the next piece. */
  push(chunk: Buffer): void {
    let from = 0;
    if (this.#streamed) {
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
        this.#keep(chunk.subarray(from, end));
        this.#readLine();
        from = end + 1;
      }
    }
    this.#keep(chunk.subarray(from));
  }

  /** The usage that the response reported, zero if none. Call when it is over. */
  end(): Usage {
    if (this.#streamed) this.#readLine();
    else {
      this.#read(whole.safeParse(parseJson(this.#take())));
    }
    return this.#usage;
  }

  #keep(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length > LONGEST_LINE) this.#line = [];
    else if (piece.length > 0) this.#line.push(piece);
  }

  #take(): string {
    const text = this.#length > LONGEST_LINE ? '' : Buffer.concat(this.#line).toString('utf8');
    this.#line = [];
    this.#length = 0;
    return text;
  }

  #readLine(): void {
    const line = this.#take();
    // Most lines are deltas, which are not parsed. Inside of a text the quotes would be escaped.
    if (!line.startsWith('data:') || !/"usage":\s*\{/.test(line)) return;
    this.#read(event.safeParse(parseJson(line.slice('data:'.length))));
  }

  #read(parsed: z.ZodSafeParseResult<z.infer<typeof whole>>): void {
    if (!parsed.success) return;
    const { usage, model } = parsed.data;
    this.#model = model ?? this.#model;
    // Later reports repeat what earlier ones told: only what is more counts.
    const known = this.#usage;
    const all = usageOf(
      Math.max(known.input_tokens, usage.input_tokens),
      Math.max(known.cached_input_tokens, usage.cached_input_tokens),
      Math.max(known.output_tokens, usage.output_tokens),
    );
    const more = usageOf(
      all.input_tokens - known.input_tokens,
      all.cached_input_tokens - known.cached_input_tokens,
      all.output_tokens - known.output_tokens,
    );
    this.#usage = all;
    if (tokensOf(more) > 0) this.#onUsage(more, this.#model);
  }
}

function usageOf(input: number, cached: number, output: number): Usage {
  return { input_tokens: input, cached_input_tokens: cached, output_tokens: output, cost_usd: 0 };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
