import { z } from 'zod';

import { NO_USAGE, type Usage } from '../../core/usage.ts';

/** Longer lines are let through unread. A completed response repeats all its output, so this is generous. */
const LONGEST_LINE = 8 * 1024 * 1024;

const tokens = z.number().int().nonnegative();
const details = z.looseObject({ cached_tokens: tokens.default(0) }).nullish();
/** As the Responses API tells it, and as Chat Completions do. */
const reported = z.union([
  z
    .looseObject({ input_tokens: tokens, input_tokens_details: details, output_tokens: tokens })
    .transform((told) => usageOf(told.input_tokens, told.input_tokens_details, told.output_tokens)),
  z
    .looseObject({ prompt_tokens: tokens, prompt_tokens_details: details, completion_tokens: tokens })
    .transform((told) => usageOf(told.prompt_tokens, told.prompt_tokens_details, told.completion_tokens)),
]);
const whole = z.looseObject({ usage: reported, model: z.string().nullish() });
/** Events of the one API hold the response, those of the other are it. */
const event = z.union([z.looseObject({ response: whole }).transform(({ response }) => response), whole]);

/** What a response reported, and the model that it names; `''` if it names none. */
export type OnUsage = (usage: Usage, model: string) => void;

/** Reads the usage from a response that passes by, without holding the stream up. */
export class UsageTap {
  readonly #streamed: boolean;
  readonly #onUsage: OnUsage;
  #line: Buffer[] = [];
  #length = 0;
  #usage: Usage | null = null;

  /**
   * @param contentType of the response; anything but an event stream is read as one JSON document
   * @param onUsage called once, when the usage has come: in a stream before the piece that tells it is passed on
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
    return this.#usage ?? { ...NO_USAGE };
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
    // A response has one usage: a second one would count it twice.
    if (!parsed.success || this.#usage !== null) return;
    const { usage, model } = parsed.data;
    this.#usage = usage;
    this.#onUsage(usage, model ?? '');
  }
}

function usageOf(input: number, known: z.infer<typeof details>, output: number): Usage {
  const cached = known?.cached_tokens ?? 0;
  return { input_tokens: input, cached_input_tokens: cached, output_tokens: output, cost_usd: 0 };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
