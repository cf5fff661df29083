import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import type { Keyboard } from '../../cli/framework/input.ts';
import { runCli } from '../../cli/run-cli.ts';

/** What a command line printed and came to. */
export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
  /** Standard output, parsed; `undefined` if it is no JSON. */
  json: { ok?: boolean; result?: unknown; error?: { code: string; message: string; hint: string | null } } | undefined;
}

/** A directory for one test, with a Signalbox home of its own and, if asked for, a repository. */
export class CliWorld {
  readonly root = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-cli-')));
  readonly repository = path.join(this.root, 'repo');
  readonly home = path.join(this.root, 'home');
  private readonly workers = new Set<number>();
  env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: this.root,
    SIGNALBOX_HOME: this.home,
    SIGNALBOX_CACHE: process.env['SIGNALBOX_CACHE'] ?? path.join(process.env['HOME'] ?? '/root', '.cache', 'signalbox'),
  };

  constructor() {
    mkdirSync(this.repository);
  }

  /** Makes the repository, with one commit on `main` unless `unborn`. */
  init(unborn = false): this {
    this.git('init', '-q', '-b', 'main');
    this.git('config', 'user.email', 'ada@example.org');
    this.git('config', 'user.name', 'Ada');
    if (!unborn) {
      this.write('README.md', 'A repository.\n');
      this.commit('first');
    }
    return this;
  }

  /** Writes a file of the repository. */
  write(file: string, text: string): this {
    const target = path.join(this.repository, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
    return this;
  }

  /**
   * Writes the configuration; `text` follows the version and the project. The agents of most tests are told what to do by
   * files outside of their work trees, so that on the host they run without bubblewrap, unless the text says how.
   */
  config(text: string): this {
    const sandbox = /^sandbox:/m.test(text) ? '' : '\nsandbox: { bubblewrap: off }\n';
    return this.write('.signalbox/config.yaml', `version: 1\nproject: demo\n${text}${sandbox}`);
  }

  /** Writes a task file. */
  task(id: string, manifest = '', body = 'Do it.'): this {
    return this.write(`.signalbox/tasks/${id}-task.md`, `---\nid: "${id}"\n${manifest}\n---\n${body}\n`);
  }

  commit(message: string): void {
    this.git('add', '.');
    this.git('commit', '-q', '-m', message);
  }

  git(...args: string[]): string {
    return execFileSync('git', args, { cwd: this.repository, encoding: 'utf8', stdio: 'pipe' });
  }

  /** Runs a command line in this process, in the repository. */
  async signalbox(...argv: string[]): Promise<CliResult> {
    return await this.signalboxUntil(null, ...argv);
  }

  /** Like {@link signalbox}, and types Ctrl+C as soon as standard error matches. */
  async signalboxUntil(pattern: RegExp | null, ...argv: string[]): Promise<CliResult> {
    const stdin = new PassThrough().end();
    return await this.run(argv, { stream: stdin, isTerminal: false }, (text, interrupt) => {
      if (pattern?.test(text) === true) interrupt.abort();
    });
  }

  /** Like {@link signalbox}, with something on its standard input. */
  async signalboxReading(text: string, ...argv: string[]): Promise<CliResult> {
    return await this.run(argv, { stream: new PassThrough().end(text), isTerminal: false });
  }

  /** Like {@link signalbox}, at a terminal: each answer is typed when its question is on the screen. */
  async signalboxAsking(answers: [question: RegExp, answer: string][], ...argv: string[]): Promise<CliResult> {
    const stdin = new PassThrough();
    const open = [...answers];
    return await this.run(argv, { stream: stdin, isTerminal: true }, (text) => {
      const [question, answer] = open[0] ?? [];
      if (question?.test(text) !== true) return;
      open.shift();
      // The question may be on the screen before anybody listens.
      setImmediate(() => stdin.write(`${answer ?? ''}\r`));
    });
  }

  private async run(
    argv: readonly string[],
    stdin: Keyboard,
    onProgress: (all: string, interrupt: AbortController) => void = () => undefined,
  ): Promise<CliResult> {
    const interrupt = new AbortController();
    const out = collector();
    const err = collector((text) => {
      this.noteWorkers(text);
      onProgress(text, interrupt);
    });
    const code = await runCli(argv, {
      directory: this.repository,
      env: this.env,
      stdin,
      stdout: { stream: out.stream, isTerminal: false },
      stderr: { stream: err.stream, isTerminal: stdin.isTerminal },
      interrupted: interrupt.signal,
    });
    return { code, stdout: out.text(), stderr: err.text(), json: parseJson(out.text()) };
  }

  /** Remembers the background workers that a command says it started. */
  noteWorkers(text: string): void {
    for (const [, pid] of text.matchAll(/in the background \(pid (\d+),/g)) this.workers.add(Number(pid));
  }

  /** The background workers that commands said they started. */
  get workerPids(): readonly number[] {
    return [...this.workers];
  }

  /** Ends the background workers at once, as a crash would. */
  killWorkers(): void {
    for (const pid of this.workers) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    this.workers.clear();
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Parses exactly one JSON object on one line. */
export function parseJson(text: string): CliResult['json'] {
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length !== 1) return undefined;
  try {
    // What a test makes of it is looked at field by field.
    return JSON.parse(lines[0] ?? '') as CliResult['json'];
  } catch {
    return undefined;
  }
}

function collector(onText: (all: string) => void = () => undefined): { stream: Writable; text: () => string } {
  const pieces: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      pieces.push(chunk.toString());
      onText(pieces.join(''));
      done();
    },
  });
  return { stream, text: () => pieces.join('') };
}
