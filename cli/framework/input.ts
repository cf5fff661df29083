import { createInterface } from 'node:readline';
import { Writable, type Readable } from 'node:stream';
import { SignalboxError } from '../../core/failures.ts';
import type { Screen } from './output.ts';

/** A stream to read from, and whether a person types there. */
export interface Keyboard {
  readonly stream: Readable;
  readonly isTerminal: boolean;
}

/** The most bytes read from standard input. */
const MOST_BYTES = 1024 * 1024;

/** What a command reads from whoever started it. */
export class Input {
  /** Is there a person to ask? Not where the answer is read by a program. */
  readonly canAsk: boolean;
  readonly #keyboard: Keyboard;
  readonly #screen: Screen;
  readonly #interrupted: AbortSignal;

  /** @param screen where questions are shown: standard error */
  constructor(options: { keyboard: Keyboard; screen: Screen; json: boolean; interrupted: AbortSignal }) {
    const { keyboard, screen, json, interrupted } = options;
    this.#keyboard = keyboard;
    this.#screen = screen;
    this.#interrupted = interrupted;
    this.canAsk = keyboard.isTerminal && screen.isTerminal && !json;
  }

  /** All of standard input. @throws SignalboxError `usage` if it is too long, or no UTF-8 */
  async readAll(): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this.#keyboard.stream) {
      const bytes = Buffer.from(chunk as Uint8Array | string);
      chunks.push(bytes);
      size += bytes.length;
      if (size > MOST_BYTES) throw new SignalboxError('usage', 'standard input is longer than a mebibyte');
    }
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
    } catch (cause) {
      throw new SignalboxError('usage', 'standard input is no text in UTF-8', { cause });
    }
  }

  /**
   * Asks the person at the terminal for one line.
   *
   * @param secret what is typed is not shown
   * @returns `null` after Ctrl+C or Ctrl+D
   */
  async ask(question: string, secret = false): Promise<string | null> {
    const { stream } = this.#screen;
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    const lines = createInterface({
      input: this.#keyboard.stream,
      output: secret ? nowhere : stream,
      terminal: true,
      historySize: 0,
    });
    try {
      return await new Promise((resolve) => {
        lines.once('line', resolve);
        for (const end of ['SIGINT', 'close']) lines.once(end, () => resolve(null));
        this.#interrupted.addEventListener('abort', () => resolve(null), { once: true });
        if (secret) stream.write(`${question} `);
        lines.setPrompt(`${question} `);
        lines.prompt();
      });
    } finally {
      lines.close();
      if (secret) stream.write('\n');
    }
  }
}
