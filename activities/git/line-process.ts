import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { CommandFailedError, SignalboxError } from '../../core/failures.ts';
import { diskFailure } from '../system-errors.ts';

/** How long a process stays without work, in milliseconds. */
const IDLE = 5000;

/** Says of a line that a process answers whether it is what was hoped for. */
type Accept = (line: string) => boolean;

/**
 * A program that is asked over its input, and answers in lines. One process serves for as long as there is work, since one
 * for each question costs a busy worker more than its answer; where it has ended, the next question starts another. Its
 * input ends with this process, so none is left behind. Many may ask at once; they are answered one after the other.
 */
export class LineProcess {
  readonly #start: () => ChildProcessWithoutNullStreams;
  readonly #command: string;
  #session: Session | null = null;
  #last: Promise<unknown> = Promise.resolve();

  /** @param command what it is called in failures */
  constructor(start: () => ChildProcessWithoutNullStreams, command: string) {
    this.#start = start;
    this.#command = command;
  }

  /**
   * Asks, and takes as many lines as there are in `accepts`.
   *
   * @param signal ends the process when it is aborted
   * @throws CommandFailedError if a line is not accepted, or the process ends before; SignalboxError `environment` if it
   *   could not start
   */
  async ask(question: string, accepts: readonly Accept[], signal?: AbortSignal): Promise<string[]> {
    const turn = this.#last.then(async () => {
      signal?.throwIfAborted();
      if (this.#session?.isOver() !== false) this.#session = new Session(this.#start(), this.#command);
      return await this.#session.ask(question, accepts, signal);
    });
    this.#last = turn.catch(() => undefined);
    return await turn;
  }
}

/** One process of a {@link LineProcess}. */
class Session {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #command: string;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;
  #stderr = '';
  #error: Error | null = null;
  #over = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(child: ChildProcessWithoutNullStreams, command: string) {
    this.#child = child;
    this.#command = command;
    child.stderr.on('data', (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString()).slice(-4000)));
    // A process that has ended breaks the pipe; its exit tells why.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => (this.#error = error));
    child.on('exit', () => (this.#over = true));
    this.#closed = Promise.race([once(child, 'close'), once(child, 'error')]).catch(() => undefined);
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Has it ended, so that another one is needed? */
  isOver(): boolean {
    return this.#over || this.#error !== null || this.#child.stdin.writableEnded;
  }

  async ask(question: string, accepts: readonly Accept[], signal?: AbortSignal): Promise<string[]> {
    clearTimeout(this.#idle);
    const end = (): void => void this.#child.kill('SIGKILL');
    signal?.addEventListener('abort', end, { once: true });
    try {
      return await this.#answers(question, accepts);
    } finally {
      signal?.removeEventListener('abort', end);
    }
  }

  async #answers(question: string, accepts: readonly Accept[]): Promise<string[]> {
    this.#keepAlive(true);
    this.#child.stdin.write(question);
    const answers: string[] = [];
    for (const accept of accepts) {
      const line = await this.#lines.next();
      if (line.done === true || !accept(line.value)) {
        this.#child.stdin.end();
        await this.#closed;
        throw this.#failure();
      }
      answers.push(line.value);
    }
    this.#keepAlive(false);
    this.#idle = setTimeout(() => this.#child.stdin.end(), IDLE).unref();
    return answers;
  }

  /** Between questions nothing of it keeps this process from ending. */
  #keepAlive(busy: boolean): void {
    for (const part of [this.#child, this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      const handle = part as { ref?: () => void; unref?: () => void };
      if (busy) handle.ref?.();
      else handle.unref?.();
    }
  }

  #failure(): Error {
    if (this.#error !== null) {
      const message = `${this.#command} could not be started: ${this.#error.message}`;
      return new SignalboxError('environment', message, { cause: this.#error });
    }
    const { exitCode, signalCode: signal } = this.#child;
    const facts = { command: this.#command, exitCode, signal, stdout: '', stderr: this.#stderr };
    return diskFailure(this.#stderr) ?? new CommandFailedError(facts);
  }
}
