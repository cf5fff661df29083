import { spawn } from 'node:child_process';
import { headAndTail, SignalboxError } from '../../core/failures.ts';
import type { Hook, HookMessage } from './hook.ts';

/** The shell finds its command here. */
const COMMAND = 'SIGNALBOX_HOOK';

/** How long a command may take, milliseconds. */
const LIMIT_MS = 30_000;

/** Characters of a failed command's output that are kept. */
const MOST_OUTPUT = 4000;

/** Exit codes of `sh` for a command that is not there, or cannot be run: no later try mends that. */
const HOPELESS: readonly (number | null)[] = [126, 127];

/** What {@link CommandHook} is made of. */
export interface CommandHookOptions {
  command: string;
  /** The environment of the command: the worker's own, since it is the same person's. */
  env: Readonly<Record<string, string | undefined>>;
  onOutput: (text: string) => void;
  /** By default 30 s. */
  limitMs?: number;
}

/** A command line for `sh`, run on the host with the message on its standard input. */
export class CommandHook implements Hook {
  readonly #options: CommandHookOptions;

  constructor(options: CommandHookOptions) {
    this.#options = options;
  }

  async call(message: HookMessage, signal: AbortSignal): Promise<void> {
    const { limitMs = LIMIT_MS, onOutput } = this.#options;
    signal.throwIfAborted();
    const timeout = AbortSignal.timeout(limitMs);
    const ended = await this.#run(message, AbortSignal.any([signal, timeout]));
    signal.throwIfAborted();
    if (ended.code === 0) return;
    const said = ended.output.trim();
    if (said !== '') onOutput(`The hook said: ${said}`);
    const how = timeout.aborted ? `took longer than ${limitMs / 1000} s` : `ended with ${ended.how}`;
    throw new SignalboxError('command_failed', `the hook command ${how}; what it said is in the worker's log`, {
      retryable: !HOPELESS.includes(ended.code),
    });
  }

  async #run(message: HookMessage, end: AbortSignal): Promise<{ code: number | null; how: string; output: string }> {
    const { command, env } = this.#options;
    // Not as an argument: everybody on the host may list those.
    const child = spawn('sh', ['-c', `eval "$${COMMAND}"`], {
      cwd: '/',
      env: { ...env, [COMMAND]: command },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own, so that what it started ends with it.
      detached: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (output = headAndTail(output + chunk.toString('utf8'), MOST_OUTPUT)));
    }
    // A command need not read what it is told.
    child.stdin.on('error', () => undefined);
    child.stdin.end(`${JSON.stringify(message)}\n`);
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It ended just now.
      }
    };
    end.addEventListener('abort', kill, { once: true });
    try {
      return await new Promise((resolve, reject) => {
        child.once('error', (cause) =>
          reject(
            new SignalboxError('environment', `sh could not be started for the hook: ${cause.message}`, { cause }),
          ),
        );
        // Not `close`: something that it left in the background may keep the streams open.
        child.once('exit', (code, name) => resolve({ code, how: name ?? `exit code ${String(code)}`, output }));
      });
    } finally {
      end.removeEventListener('abort', kill);
      child.stdout.destroy();
      child.stderr.destroy();
    }
  }
}
