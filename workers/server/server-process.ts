import { spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, openSync, readFileSync, readdirSync, renameSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { execa } from 'execa';

import { processStartTime } from '../../activities/process-identity.ts';
import { SignalboxError } from '../../core/failures.ts';
import { LOOPBACK } from './ports.ts';
import { type ServerLayout } from './server-layout.ts';
import { TUNING_ARGUMENTS } from './tuning.ts';

const LONGEST_LOG = 10 * 1024 * 1024;

/** A process, named for good: see `processStartTime`. */
export interface ProcessIdentity {
  pid: number;
  started: string;
}

/** Starts the server detached, with its output in the log file; it outlives this process. */
export function spawnServer(
  cli: string,
  layout: ServerLayout,
  ports: { grpc: number; ui: number },
  env: Readonly<Record<string, string | undefined>>,
): ProcessIdentity {
  const log = openLog(layout.logFile);
  for (const suffix of ['', '-wal', '-shm']) keepPrivate(`${layout.dataFile}${suffix}`);
  // The server makes its database with the modes that it inherits.
  const mask = process.umask(0o077);
  try {
    const child = spawn(cli, serverArguments(layout, ports), {
      cwd: layout.directory,
      detached: true,
      // Nothing else of the environment: it may hold secrets, and `TEMPORAL_*` would be read as the CLI's own options.
      env: { PATH: env['PATH'], HOME: env['HOME'], TMPDIR: env['TMPDIR'], TZ: env['TZ'], LANG: env['LANG'] },
      stdio: ['ignore', log, log],
    });
    child.on('error', () => undefined);
    child.unref();
    const started = child.pid === undefined ? null : processStartTime(child.pid);
    if (child.pid === undefined || started === null) {
      throw new SignalboxError('environment', `${cli} cannot be started; its log is ${layout.logFile}`);
    }
    return { pid: child.pid, started };
  } finally {
    process.umask(mask);
    closeSync(log);
  }
}

/** A file of an earlier version, which others could read. */
function keepPrivate(file: string): void {
  if (existsSync(file)) chmodSync(file, 0o600);
}

/** Ends a process: gracefully, then by force; returns when it is gone. */
export async function endProcess({ pid, started }: ProcessIdentity, patience = 10_000): Promise<void> {
  const alive = (): boolean => processStartTime(pid) === started;
  const forceAt = Date.now() + patience;
  let forced = false;
  for (let first = true; alive(); first = false) {
    if (first) kill(pid, 'SIGTERM');
    if (!forced && Date.now() >= forceAt) {
      forced = true;
      kill(pid, 'SIGKILL');
    }
    if (Date.now() >= forceAt + patience) {
      throw new SignalboxError('environment', `the Temporal server (pid ${pid}) cannot be ended`);
    }
    await delay(20);
  }
}

/**
 * A server that runs on this data file although no state names it: whoever started it died before writing the state
 * down, or the state was deleted. Two servers on one data file would ruin it.
 */
export async function findStrayServer(
  layout: ServerLayout,
): Promise<{ process: ProcessIdentity; grpcPort: number; uiPort: number } | null> {
  for (const { pid, args } of await commandLines()) {
    if (!args.includes('start-dev') || !args.includes(layout.dataFile)) continue;
    const started = processStartTime(pid);
    const [grpcPort, uiPort] = ['--port', '--ui-port'].map((flag) => Number(args[args.indexOf(flag) + 1]));
    if (started !== null && grpcPort && uiPort) return { process: { pid, started }, grpcPort, uiPort };
  }
  return null;
}

/** The last lines of the server's log. */
export function logTail(layout: ServerLayout, lines = 12): string {
  try {
    return readFileSync(layout.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

function serverArguments(layout: ServerLayout, ports: { grpc: number; ui: number }): string[] {
  return [
    'server',
    'start-dev',
    '--ip',
    LOOPBACK,
    '--port',
    String(ports.grpc),
    '--ui-port',
    String(ports.ui),
    '--db-filename',
    layout.dataFile,
    ...TUNING_ARGUMENTS,
  ];
}

function openLog(file: string): number {
  try {
    if (statSync(file).size > LONGEST_LOG) renameSync(file, `${file}.1`);
  } catch {
    // There is none yet.
  }
  return openSync(file, 'a', 0o600);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in between.
  }
}

async function commandLines(): Promise<{ pid: number; args: string[] }[]> {
  if (process.platform === 'linux') {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => ({ pid: Number(name), args: readCommandLine(name) }));
  }
  const { stdout } = await execa('ps', ['-axww', '-o', 'pid=,command='], { reject: false });
  return stdout.split('\n').map((line) => {
    const [pid, ...args] = line.trim().split(/\s+/);
    return { pid: Number(pid), args };
  });
}

function readCommandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
