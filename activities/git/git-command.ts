import { diskFailure } from '../system-errors.ts';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Writable } from 'node:stream';
import { CommandFailedError, headAndTail, SignalboxError } from '../../core/failures.ts';

/** What one git process is given. Paths are absolute. */
export interface GitOptions {
  gitDir?: string;
  workTree?: string;
  indexFile?: string;
  /** Working directory; by default the work tree, else the git directory, else `/`. */
  cwd?: string;
  /**
   * `none` (default): no configuration or attributes of the system or the user, for what an agent may have touched.
   * `user`: theirs count, for work in their own checkout and on their remotes; hooks, monitors and automatic gc stay off.
   */
  configuration?: 'none' | 'user';
  /**
   * In a session of its own: Ctrl+C at the worker's terminal does not reach it, it has no terminal to ask on, and its own
   * children end with it when `signal` is aborted.
   */
  ownSession?: boolean;
  /** Standard input; without it the process reads an empty one. */
  input?: string | Buffer;
  /** Added to the hardened environment, after it; `undefined` takes a variable out of it. */
  env?: Readonly<Record<string, string | undefined>>;
  /** What the process and its children can read once, from file descriptor 3: neither listed nor in an environment. */
  secret?: string;
  /** Aborting it kills the process and rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Settings of highest precedence, as `-c name=value`. */
  config?: Readonly<Record<string, string>>;
  /** Exit codes that are answers; any other throws. By default only 0. */
  allowedExitCodes?: readonly number[];
  /** Most bytes of standard output to keep. By default 256 MiB. */
  maxOutput?: number;
  /** When the output is larger: `fail` (default), or `cut` it there, end the process and count it as success. */
  overflow?: 'fail' | 'cut';
}

/** How a git process ended. */
export interface GitResult {
  stdout: Buffer;
  /** Head and tail only, when it is long. */
  stderr: string;
  exitCode: number;
  /** True when output was cut at `maxOutput`. */
  truncated: boolean;
}

/** The oldest git that has `merge-tree --write-tree`. */
export const MINIMUM_GIT = '2.38.0';

const SETTINGS: Readonly<Record<string, string>> = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.untrackedCache': 'false',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'submodule.recurse': 'false',
  'protocol.allow': 'never',
  'protocol.file.allow': 'always',
};

/** Git looks for attributes of the user's where no configuration names a file. */
const NO_ATTRIBUTES: Readonly<Record<string, string>> = { 'core.attributesFile': '/dev/null' };

const ISOLATION = ['GIT_CONFIG_NOSYSTEM', 'GIT_CONFIG_GLOBAL', 'GIT_ATTR_NOSYSTEM'];

const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'USER', 'LOGNAME', 'XDG_CONFIG_HOME'];

/**
 * The environment of every git process: nothing of the caller's `GIT_*` variables, of the system's or the user's
 * configuration and attributes, of replace objects or hooks; no prompts, no pager, plain pathspecs, file transport only.
 */
function hardenedEnvironment(options: GitOptions): Record<string, string | undefined> {
  const env: Record<string, string> = {
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'false',
    SSH_ASKPASS: 'false',
    GIT_EDITOR: 'false',
    GIT_PAGER: 'cat',
    GIT_ALLOW_PROTOCOL: 'file',
  };
  if (options.configuration === 'user') for (const name of ISOLATION) Reflect.deleteProperty(env, name);
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  const isolated = options.configuration === 'user' ? {} : NO_ATTRIBUTES;
  Object.entries({ ...SETTINGS, ...isolated, ...options.config }).forEach(([key, value], index, all) => {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
    env['GIT_CONFIG_COUNT'] = String(all.length);
  });
  if (options.gitDir !== undefined) env['GIT_DIR'] = options.gitDir;
  if (options.workTree !== undefined) env['GIT_WORK_TREE'] = options.workTree;
  if (options.indexFile !== undefined) env['GIT_INDEX_FILE'] = options.indexFile;
  return { ...env, ...options.env };
}

function shown(args: readonly string[]): string {
  return headAndTail(['git', ...args].join(' '), 300);
}

/**
 * Runs native git and waits for it.
 *
 * @throws CommandFailedError when the exit code is none of `allowedExitCodes`
 * @throws SignalboxError `environment` when git is missing or the disk is full
 */
export async function runGit(args: readonly string[], options: GitOptions = {}): Promise<GitResult> {
  options.signal?.throwIfAborted();
  const limit = options.maxOutput ?? 256 * 1024 * 1024;
  const child = spawn('git', args, {
    cwd: options.cwd ?? options.workTree ?? options.gitDir ?? '/',
    env: hardenedEnvironment(options),
    stdio: [
      options.input === undefined ? 'ignore' : 'pipe',
      'pipe',
      'pipe',
      ...(options.secret === undefined ? [] : ['pipe' as const]),
    ],
    detached: options.ownSession === true,
  });
  const seen = { stdout: [] as Buffer[], size: 0, stderr: '', truncated: false };
  const { exitCode, signal } = await new Promise<{ exitCode: number | null; signal: string | null }>(
    (resolve, reject) => {
      const abort = (): void => {
        // The leader of a session shares its number with its group.
        if (options.ownSession === true) killGroup(child.pid);
        else child.kill('SIGKILL');
        reject(options.signal?.reason as Error);
      };
      options.signal?.addEventListener('abort', abort, { once: true });
      child.stdout?.on('data', (chunk: Buffer) => {
        if (seen.truncated) return;
        seen.stdout.push(chunk);
        seen.size += chunk.length;
        if (seen.size <= limit) return;
        seen.truncated = true;
        child.kill('SIGKILL');
      });
      child.stderr?.on(
        'data',
        (chunk: Buffer) => (seen.stderr = headAndTail(seen.stderr + chunk.toString('utf8'), 8000)),
      );
      // A process that ends before it has read everything breaks the pipe; its exit code tells the story.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(options.input);
      if (options.secret !== undefined) {
        const secret = child.stdio[3] as Writable;
        secret.on('error', () => undefined);
        secret.end(options.secret);
      }
      child.once('error', (error: NodeJS.ErrnoException) => {
        options.signal?.removeEventListener('abort', abort);
        reject(spawnFailure(error, args));
      });
      child.once('close', (code, name) => {
        options.signal?.removeEventListener('abort', abort);
        resolve({ exitCode: code, signal: name });
      });
    },
  );
  const { stderr, truncated } = seen;
  const stdout = Buffer.concat(seen.stdout);
  if (truncated && options.overflow === 'cut')
    return { stdout: stdout.subarray(0, limit), stderr, exitCode: 0, truncated };
  if (truncated) throw new SignalboxError('internal', `${shown(args)} wrote more than ${limit} bytes`);
  if (exitCode === null || !(options.allowedExitCodes ?? [0]).includes(exitCode)) {
    const head = headAndTail(stdout.toString('utf8', 0, 8000));
    throw (
      diskFailure(stderr) ?? new CommandFailedError({ command: shown(args), exitCode, signal, stdout: head, stderr })
    );
  }
  return { stdout, stderr, exitCode, truncated };
}

function killGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // All of it has ended by itself.
  }
}

/** Starts a git process that is talked to over its streams; its `error` event may come instead of `exit`. */
export function startGit(args: readonly string[], options: Pick<GitOptions, 'gitDir'>): ChildProcessWithoutNullStreams {
  return spawn('git', args, { cwd: options.gitDir ?? '/', env: hardenedEnvironment(options), stdio: 'pipe' });
}

/** As {@link startGit}, a shell script whose git commands run in that repository. */
export function startGitScript(script: string, options: Pick<GitOptions, 'gitDir'>): ChildProcessWithoutNullStreams {
  return spawn('sh', ['-c', script], { cwd: options.gitDir ?? '/', env: hardenedEnvironment(options), stdio: 'pipe' });
}

function spawnFailure(error: NodeJS.ErrnoException, args: readonly string[]): SignalboxError {
  if (error.code === 'ENOENT' && error.path === 'git')
    return new SignalboxError('environment', 'git was not found, or the directory to run it in is gone', {
      hint: `Install git ${MINIMUM_GIT} or later, and have it on the PATH.`,
      cause: error,
    });
  return new SignalboxError('environment', `${shown(args)} could not be started: ${error.message}`, { cause: error });
}

/** The version of the git on the path. @throws SignalboxError `environment` when it is missing or too old */
export async function requireGit(): Promise<string> {
  const { stdout } = await runGit(['version']);
  const version = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(stdout.toString());
  const [, major = '0', minor = '0'] = version ?? [];
  if (Number(major) < 2 || (Number(major) === 2 && Number(minor) < 38))
    throw new SignalboxError('environment', `git ${version?.[0] ?? 'of unknown version'} is too old`, {
      hint: `Install git ${MINIMUM_GIT} or later.`,
    });
  return version?.[0] ?? '';
}
