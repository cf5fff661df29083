import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { CommandFailedError, SignalboxError } from '../../core/failures.ts';
import { startGit } from './git-command.ts';
import { diskFailure } from '../system-errors.ts';

const ZERO = '0'.repeat(40);

/** How long a git process stays without work, in milliseconds. */
const IDLE = 5000;

/**
 * Moves the refs of one repository by native git, all by one process for as long as there is work: a process for each
 * move costs a busy worker more than the move. Git holds its locks only within a transaction, and gives them up when
 * its input ends, so a worker that is killed leaves none behind.
 */
export class RefWriter {
  readonly #gitDir: string;
  #session: Session | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(gitDir: string) {
    this.#gitDir = gitDir;
  }

  /**
   * Makes a ref point to a commit, if it is at `expected` (`null`: it must not exist).
   *
   * @throws CommandFailedError if it is elsewhere, or locked, or not writable
   */
  async move(name: string, commit: string, expected: string | null): Promise<void> {
    const turn = this.#last.then(async () => {
      const session = this.#session?.isOver() === false ? this.#session : new Session(this.#gitDir);
      this.#session = session;
      await session.update(name, commit, expected ?? ZERO);
    });
    this.#last = turn.catch(() => undefined);
    await turn;
  }
}

/** One `git update-ref --stdin`. It ends at the first update that it refuses. */
class Session {
  readonly #git: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;
  #stderr = '';
  #error: Error | null = null;
  #over = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(gitDir: string) {
    this.#git = startGit(['update-ref', '--stdin'], { gitDir });
    this.#git.stderr.on('data', (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString()).slice(-4000)));
    // A process that has ended breaks the pipe; its exit tells why.
    this.#git.stdin.on('error', () => undefined);
    this.#git.on('error', (error) => (this.#error = error));
    this.#git.on('exit', () => (this.#over = true));
    this.#closed = Promise.race([once(this.#git, 'close'), once(this.#git, 'error')]).catch(() => undefined);
    this.#lines = createInterface({ input: this.#git.stdout })[Symbol.asyncIterator]();
  }

  isOver(): boolean {
    return this.#over || this.#error !== null || this.#git.stdin.writableEnded;
  }

  async update(name: string, commit: string, expected: string): Promise<void> {
    clearTimeout(this.#idle);
    this.#keepAlive(true);
    this.#git.stdin.write(`start\nupdate ${name} ${commit} ${expected}\ncommit\n`);
    for (const answer of ['start: ok', 'commit: ok']) {
      const line = await this.#lines.next();
      if (line.done !== true && line.value === answer) continue;
      await this.#closed;
      throw this.#failure(name);
    }
    this.#keepAlive(false);
    this.#idle = setTimeout(() => this.#git.stdin.end(), IDLE).unref();
  }

  /** Between updates nothing of it keeps this process from ending. */
  #keepAlive(busy: boolean): void {
    for (const part of [this.#git, this.#git.stdin, this.#git.stdout, this.#git.stderr]) {
      const handle = part as { ref?: () => void; unref?: () => void };
      if (busy) handle.ref?.();
      else handle.unref?.();
    }
  }

  #failure(name: string): Error {
    if (this.#error !== null) {
      return new SignalboxError('environment', `git could not be started: ${this.#error.message}`, {
        cause: this.#error,
      });
    }
    const { exitCode, signalCode: signal } = this.#git;
    const facts = { command: `git update-ref ${name}`, exitCode, signal, stdout: '', stderr: this.#stderr };
    return diskFailure(this.#stderr) ?? new CommandFailedError(facts);
  }
}
