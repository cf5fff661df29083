import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../activities/package-root.ts';
import { parseJson, type CliResult, type CliWorld } from './cli.ts';

/** How long a process may take to say something before a test gives up, milliseconds. */
const PATIENCE_MS = 60_000;

/** A command line as a process of its own, in the repository of a {@link CliWorld}. */
export class CliProcess {
  readonly pid: number;
  /** Resolves when it has ended; a signal counts as code -1. Its background workers are noted in the world. */
  readonly ended: Promise<CliResult>;
  readonly #child: ChildProcess;
  readonly #world: CliWorld;
  #stdout = '';
  #stderr = '';
  #waiters: { pattern: RegExp; resolve: () => void }[] = [];

  constructor(world: CliWorld, ...argv: string[]) {
    const bin = path.join(packageRoot(), 'cli', 'signalbox.js');
    this.#world = world;
    this.#child = spawn(process.execPath, [bin, ...argv], {
      cwd: world.repository,
      env: world.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.#child.pid ?? -1;
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#stdout += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      this.#world.noteWorkers(this.#stderr);
      for (const { pattern, resolve } of this.#waiters) if (pattern.test(this.#stderr)) resolve();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code) => {
        const [stdout, stderr] = [this.#stdout, this.#stderr];
        resolve({ code: code ?? -1, stdout, stderr, json: parseJson(stdout) });
      });
    });
  }

  /** Resolves when standard error matches; rejects with all that was said if it ends before, or does not say it. */
  async says(pattern: RegExp): Promise<void> {
    const said = new Promise<true>((resolve) => {
      if (pattern.test(this.#stderr)) resolve(true);
      else this.#waiters.push({ pattern, resolve: () => resolve(true) });
    });
    const silence = new AbortController();
    const silent = sleep(PATIENCE_MS, null, { signal: silence.signal }).catch(() => null);
    const first = await Promise.race([said, this.ended, silent]);
    silence.abort();
    if (first === true) return;
    const how = first === null ? 'it goes on' : `it ended (${first.code})`;
    throw new Error(`${how} without saying ${String(pattern)}: ${this.#stderr}`);
  }

  /** Sends it a signal; Ctrl+C is `SIGINT`. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
