import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

/** CPU that a process has used, in seconds. */
export interface ProcessCpu {
  own: number;
  /** Of its children that have ended, and of theirs. */
  children: number;
}

/** Clock ticks a second in /proc; the kernel shows this value to every program. */
const TICKS = 100;

/** The CPU of a process, or `null` where the system does not tell (no /proc). */
export function processCpu(pid: number): ProcessCpu | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const seconds = (first: number): number => (Number(fields[first]) + Number(fields[first + 1])) / TICKS;
    return { own: seconds(11), children: seconds(13) };
  } catch {
    return null;
  }
}

/** What the whole machine has done since it was started. */
export interface MachineCounters {
  /** Seconds since some moment. */
  at: number;
  /** CPU seconds of all processes. */
  busy: number;
  /** Processes and threads ever started; `null` where the system does not tell. */
  started: number | null;
}

/** Counts the machine's work; two readings make a measurement. */
export function machineCounters(): MachineCounters {
  const busy = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
  return { at: performance.now() / 1000, busy, started: processesStarted() };
}

function processesStarted(): number | null {
  try {
    return Number(/^processes (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? Number.NaN);
  } catch {
    return null;
  }
}

/** How many processors there are, and how many processes wanted one during the last minute. */
export function machineLoad(): { cores: number; load: number } {
  return { cores: cpus().length, load: loadavg()[0] ?? 0 };
}
