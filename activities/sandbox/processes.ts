import { statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignalboxError } from '../../core/failures.ts';
import { environmentOf, processesCarrying } from '../process-environments.ts';

const ROUNDS = 120;

const hasProc = process.platform === 'linux';

/**
 * Every process that carries `SIGNALBOX_STEP=<name>`, exactly, in its environment, whatever session it went to.
 *
 * @param home the step's $HOME, for those of a step on the host alone: another Signalbox on this machine may have a step of
 * that name, which has another home, or is in a container
 */
export function processesOfStep(name: string, home?: string): number[] {
  const entry = `SIGNALBOX_STEP=${name}`;
  if (!hasProc || home === undefined) return processesCarrying(entry);
  const container = containerSeenFrom('/');
  const isOfAnother = (pid: number): boolean => {
    const own = /(?:^|\0)HOME=([^\0]*)/.exec(environmentOf(pid))?.[1] ?? '';
    const hasOtherHome = own.endsWith(`/${name}/home`) && own !== Buffer.from(home).toString('latin1');
    return hasOtherHome || containerSeenFrom(`/proc/${pid}/root`) !== container;
  };
  return processesCarrying(entry).filter((pid) => !isOfAnother(pid));
}

/** Which step's container a root directory is that of: what its `once` is mounted from, or `null` outside of them. */
function containerSeenFrom(root: string): string | null {
  try {
    const { dev, ino } = statSync(path.join(root, 'signalbox/once'));
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

/**
 * Kills every process that carries the step's name, see {@link processesOfStep}, again and again until none is left.
 *
 * @param others more processes that belong to it
 * @throws SignalboxError `environment` if one survives that for ten seconds, as one that waits for a dead disk does
 */
export async function killProcessesOfStep(
  name: string,
  home: string,
  others: () => readonly number[] = () => [],
): Promise<void> {
  for (let round = 0; ; round++) {
    const found = [...new Set([...processesOfStep(name, home), ...others()])];
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
