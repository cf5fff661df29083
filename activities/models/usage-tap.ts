import { z } from 'zod';

import { NO_USAGE, type Usage } from '../../core/usage.ts';

/** Longer lines are let through unread. A completed response repeats all its output, so this is generous. */
const LONGEST_LINE = 8 * 1024 * 1024;

const tokens = z.number().int().nonnegative();
const model = z.string().nullish();
const reported = z.looseObject({
  input_tokens: tokens,
  input_tokens_details: z.looseObject({ cached_tokens: tokens.default(0) }).nullish(),
  output_tokens: tokens,
});
const event = z.looseObject({
  type: z.enum(['response.completed', 'response.incomplete', 'response.failed']),
  response: z.looseObject({ usage: reported.nullish(), model }),
});
const whole = z.looseObject({ usage: reported.nullish(), model });

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
      const parsed = whole.safeParse(parseJson(this.#take()));
      if (parsed.success) this.#set(parsed.data);
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
    // Most lines are deltas: only the three kinds that can carry usage are parsed.
    if (!line.startsWith('data:') || !/"response\.(?:completed|incomplete|failed)"/.test(line)) return;
    const parsed = event.safeParse(parseJson(line.slice('data:'.length)));
    if (parsed.success) this.#set(parsed.data.response);
  }

  #set({ usage, model }: z.infer<typeof whole>): void {
    // A response has one usage: a second one would count it twice.
    if (usage === null || usage === undefined || this.#usage !== null) return;
    this.#usage = {
      input_tokens: usage.input_tokens,
      cached_input_tokens: usage.input_tokens_details?.cached_tokens ?? 0,
      output_tokens: usage.output_tokens,
      cost_usd: 0,
    };
    this.#onUsage(this.#usage, model ?? '');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
