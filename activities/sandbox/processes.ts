import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignalboxError } from '../../core/failures.ts';

const ROUNDS = 120;

const hasProc = process.platform === 'linux';

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // The process is gone, or belongs to somebody else: either way it is none that we look for.
    return '';
  }
}

/**
 * Every process that carries `SIGNALBOX_STEP=<name>`, exactly, in its environment, whatever session it went to.
 *
 * @param home the step's $HOME: another Signalbox on this machine may have a step of that name, which has another
 */
export function processesOfStep(name: string, home?: string): number[] {
  if (!hasProc) return listedOfStep(name);
  const entry = `SIGNALBOX_STEP=${name}\0`;
  const isOfAnother = (environment: string): boolean => {
    const own = /(?:^|\0)HOME=([^\0]*)/.exec(environment)?.[1] ?? '';
    return home !== undefined && own.endsWith(`/${name}/home`) && own !== Buffer.from(home).toString('latin1');
  };
  return readdirSync('/proc')
    .filter((directory) => /^\d+$/.test(directory))
    .filter((pid) => {
      const environment = read(`/proc/${pid}/environ`);
      const carries = environment.startsWith(entry) || environment.includes(`\0${entry}`);
      return carries && !isOfAnother(environment);
    })
    .map(Number);
}

/**
 * Kills every process that carries the step's name, see {@link processesOfStep}, again and again until none is left.
 *
 * @throws SignalboxError `environment` if one survives that for ten seconds, as one that waits for a dead disk does
 */
export async function killProcessesOfStep(name: string, home: string): Promise<void> {
  for (let round = 0; ; round++) {
    const found = processesOfStep(name, home);
    if (found.length === 0) return;
    if (round > ROUNDS) {
      const pids = found.join(', ');
      throw new SignalboxError('environment', `step ${name} has processes that cannot be killed: ${pids}`, {
        retryable: true,
      });
    }
    for (const pid of found) kill(pid);
    await sleep(Math.min(100, 2 * (round + 1)));
  }
}

/** Kills a process, or with a negative number a process group; one that is gone already is fine. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone, or not ours to kill; the callers look again and see.
  }
}

function listed(args: readonly string[]): string {
  try {
    return execFileSync('ps', args, {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      stdio: 'pipe',
    });
  } catch {
    return '';
  }
}

function listedOfStep(name: string): number[] {
  const lines = listed(['-axEww', '-o', 'pid=,command=']).split('\n');
  return lines
    .filter((line) => line.split(' ').includes(`SIGNALBOX_STEP=${name}`))
    .map((line) => Number.parseInt(line.trim(), 10))
    .filter((pid) => pid !== process.pid);
}
