import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostId, makePrivateDirectory } from '../activities/home.ts';
import { packageRoot } from '../activities/package-root.ts';
import { SignalboxError } from '../core/failures.ts';
import { isHostServed, isWorkerPolling } from './runs/pollers.ts';
import type { Session } from './session.ts';

/** How long a background worker stays when no run is open, as `worker start --idle-exit` takes it. */
const IDLE_EXIT = '60s';

/**
 * Options of Node for a worker process. The default lets V8 grow two young generations of tens of megabytes; a small
 * one costs a worker no time, and every process that it starts is quicker, since a fork copies the tables of all memory.
 */
export const WORKER_NODE_OPTIONS: readonly string[] = ['--max-semi-space-size=4'];

/**
 * Settings of glibc's allocator for a worker process, which other systems ignore. Its threads would each keep a pool of
 * their own, and buffers of half a megabyte (git indexes) leave holes there: together some 150 MB.
 */
export const WORKER_VARIABLES: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
};

/** How long a worker may take to begin polling, milliseconds; the first start bundles the workflows. */
const START_MS = 60_000;

/**
 * Sees to it that a worker polls: starts one in the background, in a session of its own, if none does. It ends itself
 * when no run has been open for a while.
 *
 * @returns whether one was started
 * @throws SignalboxError `environment` with the end of its log if it does not come up
 */
export async function ensureWorker(session: Session): Promise<boolean> {
  const host = hostId(session.home);
  const polls = async (): Promise<boolean> =>
    (await isHostServed(session.client, host)) && (await isWorkerPolling(session.client));
  if (await polls()) return false;
  const directory = makePrivateDirectory(session.home.workers);
  const time = new Date().toISOString().replace(/[:.]/g, '-');
  const unnamed = path.join(directory, `${time}-of-${process.pid}.log`);
  const out = openSync(unnamed, 'a', 0o600);
  const command = [
    ...WORKER_NODE_OPTIONS,
    path.join(packageRoot(), 'cli', 'signalbox.js'),
    'worker',
    'start',
    '--idle-exit',
    IDLE_EXIT,
  ];
  const child = spawn(process.execPath, command, {
    cwd: '/',
    env: { ...WORKER_VARIABLES, ...session.env, SIGNALBOX_HOME: session.home.root },
    stdio: ['ignore', out, out],
    detached: true,
  });
  closeSync(out);
  // The worker's own pid tells whose log it is, and which process to end.
  const log = child.pid === undefined ? unnamed : path.join(directory, `${time}-${child.pid}.log`);
  renameSync(unnamed, log);
  let ended: string | null = null;
  child.on('error', (error) => {
    ended = error.message;
  });
  child.on('exit', (code, signal) => {
    ended = `it ended with ${signal ?? `exit code ${String(code)}`}`;
  });
  session.onProgress(`No worker runs: starting one in the background (pid ${child.pid ?? 'unknown'}, log ${log})`);
  const failure = async (): Promise<string | null> => {
    for (const deadline = Date.now() + START_MS; Date.now() < deadline;) {
      await sleep(50);
      if (ended !== null) return ended;
      if (await polls()) return null;
    }
    return `it does not poll after ${START_MS / 1000} s`;
  };
  const reason = await failure();
  child.removeAllListeners();
  child.unref();
  if (reason === null) return true;
  const tail = readFileSync(log, 'utf8').slice(-2000).trim();
  throw new SignalboxError('environment', `the worker did not come up: ${reason}${tail === '' ? '' : `\n${tail}`}`, {
    hint: `Its log is ${log}. Start one in a terminal of its own with "signalbox worker start".`,
  });
}
