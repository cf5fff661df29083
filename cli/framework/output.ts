import type { Writable } from 'node:stream';
import picocolors from 'picocolors';
import type { SignalboxError } from '../../core/failures.ts';
import { displayPage, displayText } from '../views/text.ts';
import type { Outcome } from './command.ts';

/** A stream to print on, and whether a person looks at it. */
export interface Screen {
  readonly stream: Writable;
  readonly isTerminal: boolean;
}

/** Which stream gets what: results on standard output, progress and errors on standard error. */
export class Output {
  readonly json: boolean;
  /** Colours for text on standard output; they do nothing where no person looks. */
  readonly colors: ReturnType<typeof picocolors.createColors>;
  /** Columns of the terminal, or `null` where lines are never cut. */
  readonly columns: number | null;
  readonly #stdout: Screen;
  readonly #stderr: Screen;
  readonly #stderrColors: ReturnType<typeof picocolors.createColors>;
  #hasStatus = false;

  constructor(options: {
    json: boolean;
    stdout: Screen;
    stderr: Screen;
    env: Readonly<Record<string, string | undefined>>;
  }) {
    const { json, stdout, stderr, env } = options;
    const colored = (screen: Screen): boolean => screen.isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
    this.json = json;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.colors = picocolors.createColors(colored(stdout) && !json);
    this.#stderrColors = picocolors.createColors(colored(stderr));
    const columns = 'columns' in stdout.stream ? stdout.stream.columns : undefined;
    this.columns = stdout.isTerminal && typeof columns === 'number' && columns > 0 ? columns : null;
  }

  /** Says what is going on: one line on standard error. */
  progress(text: string): void {
    this.#clear();
    this.#stderr.stream.write(`${text}\n`);
  }

  /**
   * Shows how far something is, on a line that whatever is said next takes away. An empty text takes it away at once.
   *
   * @returns whether a person looks: elsewhere nothing is shown
   */
  status(text: string): boolean {
    const { stream, isTerminal } = this.#stderr;
    if (!isTerminal) return false;
    this.#clear();
    const columns = 'columns' in stream && typeof stream.columns === 'number' ? stream.columns : 80;
    // A line that is as wide as the terminal would be two.
    if (text !== '') stream.write(displayText(text, Math.max(10, columns - 1)));
    this.#hasStatus = text !== '';
    return true;
  }

  /** Says what a person should know before it is too late: one line on standard error. */
  warn(text: string): void {
    this.#clear();
    this.#stderr.stream.write(`${this.#stderrColors.yellow('warning:')} ${text}\n`);
  }

  /** One event of a command that follows something: a line of text, or a line of JSON. */
  event(value: unknown, text: string): void {
    this.#clear();
    this.#stdout.stream.write(this.json ? `${JSON.stringify(value)}\n` : `${text}\n`);
  }

  /** Text from elsewhere as it came: on a terminal without what could rewrite the screen, else byte for byte. */
  raw(bytes: Buffer): void {
    this.#clear();
    this.#stdout.stream.write(this.#stdout.isTerminal ? displayPage(bytes.toString('utf8')) : bytes);
  }

  /** The end of a command. */
  outcome({ result, text, printed }: Outcome): void {
    this.#clear();
    if (printed === true) return;
    if (this.json) this.#stdout.stream.write(`${JSON.stringify({ ok: true, result })}\n`);
    else if (text !== '') this.#stdout.stream.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** The end of a command that failed. */
  failure(error: SignalboxError): void {
    this.#clear();
    const { code, message, hint } = error;
    if (this.json) {
      this.#stdout.stream.write(`${JSON.stringify({ ok: false, error: { code, message, hint: hint ?? null } })}\n`);
      return;
    }
    this.#stderr.stream.write(`${this.#stderrColors.red('error:')} ${message}\n`);
    if (hint !== undefined) this.#stderr.stream.write(`${hint}\n`);
  }

  #clear(): void {
    if (this.#hasStatus) this.#stderr.stream.write('\r\x1b[2K');
    this.#hasStatus = false;
  }

  /** Resolves when all that was printed is with the operating system. */
  async flush(): Promise<void> {
    const drained = ({ stream }: Screen): Promise<void> =>
      new Promise((resolve) => {
        if (stream.destroyed || stream.writableEnded) resolve();
        else stream.write('', () => resolve());
      });
    await Promise.all([drained(this.#stdout), drained(this.#stderr)]);
  }
}
