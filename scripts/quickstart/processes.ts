import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { Place } from './place.ts';

const ENDS_WITHIN_MS = 10_000;

/**
 * Ends a process if it still is the one that is meant: its command line has all of `words`, since a pid is used again.
 * Returns when it is gone.
 */
export async function endProcess(pid: number, words: readonly string[]): Promise<void> {
  const runs = async (): Promise<boolean> => {
    const { stdout } = await execa('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { reject: false });
    return words.every((word) => stdout.includes(word));
  };
  if (!(await runs())) return;
  process.kill(pid, 'SIGTERM');
  for (const deadline = Date.now() + ENDS_WITHIN_MS; await runs();) {
    if (Date.now() > deadline) return void process.kill(pid, 'SIGKILL');
    await sleep(50);
  }
}

/** Ends the background workers of the quickstart. */
export async function endWorkers(place: Place): Promise<void> {
  const directory = join(place.home, 'workers');
  const logs = existsSync(directory) ? readdirSync(directory) : [];
  const pids = logs.map((log) => Number(/Z-(\d+)\.log$/.exec(log)?.[1])).filter((pid) => pid > 0);
  for (const pid of pids) await endProcess(pid, [join(place.root, 'cli/signalbox.js'), 'worker', 'start']);
}
