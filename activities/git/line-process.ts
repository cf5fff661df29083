import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { CommandFailedError, SignalboxError } from '../../core/failures.ts';
import { diskFailure } from '../system-errors.ts';

/** How long a process stays without work, in milliseconds. */
const IDLE = 5000;

/**
 * A process that is asked over its input, and answers in lines, for as long as there is work: a process for each question
 * costs a busy worker more than its answer. Its input ends with this process, so none is left behind. One question at a
 * time.
 */
export class LineProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #command: string;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;
  #stderr = '';
  #error: Error | null = null;
  #over = false;
  #idle: NodeJS.Timeout | undefined;

  /** @param command what it is called in failures */
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

  /**
   * Asks, and takes as many lines as `accepts` has answers for; each says whether the line is what was hoped for.
   *
   * @param signal ends the process when it is aborted: another one is needed then
   * @throws CommandFailedError if one is not, or the process ends before; SignalboxError `environment` if it could not start
   */
  async ask(
    question: string,
    accepts: readonly ((line: string) => boolean)[],
    signal?: AbortSignal,
  ): Promise<string[]> {
    signal?.throwIfAborted();
    clearTimeout(this.#idle);
    const end = (): void => void this.#child.kill('SIGKILL');
    signal?.addEventListener('abort', end, { once: true });
    try {
      return await this.#answers(question, accepts);
    } finally {
      signal?.removeEventListener('abort', end);
    }
  }

  async #answers(question: string, accepts: readonly ((line: string) => boolean)[]): Promise<string[]> {
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
