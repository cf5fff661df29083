import { StringDecoder } from 'node:string_decoder';

import type { ThreadEvent } from '@openai/codex-sdk';
import { z } from 'zod';

import { headAndTail } from '../../core/failures.ts';
import { addUsage, NO_USAGE, type Usage } from '../../core/usage.ts';

const LONGEST_ERROR = 4000;
/** A line that is longer is counted as one event and not read. */
const LONGEST_LINE = 16 * 1024 * 1024;

const tokens = z.number().int().nonnegative().catch(0);
const said = z.looseObject({ message: z.string() });
const known = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('thread.started'), thread_id: z.string().min(1) }),
  z.looseObject({
    type: z.literal('turn.completed'),
    usage: z.looseObject({ input_tokens: tokens, cached_input_tokens: tokens, output_tokens: tokens }),
  }),
  z.looseObject({ type: z.literal('turn.failed'), error: said }),
  z.looseObject({ type: z.literal('error'), message: z.string() }),
  z.looseObject({
    type: z.literal('item.completed'),
    item: z.looseObject({ type: z.literal('agent_message'), text: z.string() }),
  }),
]) satisfies z.ZodType<{ type: ThreadEvent['type'] }>;
const event = z.looseObject({ type: z.string() });

/**
 * What a stream of Codex's JSON lines (`codex exec --json`) comes to. Lines that are no event, and events of kinds that
 * we do not know, do no harm.
 */
export class CodexTranscript {
  readonly #decoder = new StringDecoder('utf8');
  readonly #messageLimit: number;
  #rest = '';
  #skipping = false;
  #events = 0;
  #threadId: string | null = null;
  #total: Usage | null = null;
  #message = '';
  #error: string | null = null;
  #completed = false;

  /** @param messageLimit the most characters to keep of a message */
  constructor(messageLimit = 4000) {
    this.#messageLimit = messageLimit;
  }

  /** Reads the next piece of the stream, however it was cut. @returns whether it brought an event */
  push(chunk: Buffer): boolean {
    const before = this.#events;
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
    if (this.#rest.length > LONGEST_LINE) {
      this.#rest = '';
      this.#skipping = true;
    }
    return this.#events > before;
  }

  /** The stream is over: a last line without a line feed counts too. */
  end(): void {
    this.#line(this.#rest + this.#decoder.end());
    this.#rest = '';
  }

  get events(): number {
    return this.#events;
  }

  /** The thread that the stream belongs to, once it said so. */
  get threadId(): string | null {
    return this.#threadId;
  }

  /**
   * The sum of the usages that the stream told, `null` before the first. For `codex exec` it is that of the whole thread,
   * earlier turns included (see `ThreadUsage`).
   */
  get total(): Usage | null {
    return this.#total;
  }

  /** The last message of the agent, bounded. */
  get message(): string {
    return this.#message;
  }

  /** The last error that the stream told of; it may have been overcome later. */
  get error(): string | null {
    return this.#error;
  }

  /** Whether a turn was completed, and none failed after it. */
  get completed(): boolean {
    return this.#completed;
  }

  #line(line: string): void {
    if (this.#skipping) {
      this.#skipping = false;
      this.#events += 1;
      return;
    }
    if (!line.startsWith('{')) return;
    const json = parseJson(line);
    if (!event.safeParse(json).success) return;
    this.#events += 1;
    const parsed = known.safeParse(json);
    if (parsed.success) this.#apply(parsed.data);
  }

  #apply(told: z.infer<typeof known>): void {
    switch (told.type) {
      case 'thread.started':
        this.#threadId = told.thread_id;
        break;
      case 'turn.completed':
        this.#total = addUsage(this.#total ?? NO_USAGE, { ...pick(told.usage), cost_usd: 0 });
        this.#completed = true;
        break;
      case 'turn.failed':
        this.#error = headAndTail(told.error.message, LONGEST_ERROR);
        this.#completed = false;
        break;
      case 'error':
        this.#error = headAndTail(told.message, LONGEST_ERROR);
        break;
      case 'item.completed':
        this.#message = headAndTail(told.item.text, this.#messageLimit);
        break;
    }
  }
}

function pick(usage: Omit<Usage, 'cost_usd'>): Omit<Usage, 'cost_usd'> {
  const { input_tokens, cached_input_tokens, output_tokens } = usage;
  return { input_tokens, cached_input_tokens, output_tokens };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
