import { availableParallelism, totalmem } from 'node:os';
import { CONTAINER_DEFAULTS } from '../../core/container-config.ts';

/** What a configuration says of what one step may use. Absent means the default, which is never "everything". */
export interface LimitSettings {
  memory?: number;
  cpus?: number;
  pids?: number;
  fileSize?: number;
  /** Of a `/tmp` of its own. */
  tmpfs?: number;
}

/** What one step may use, on either backend. */
export interface StepLimits {
  /** Bytes of memory, swap included. */
  memory: number;
  /** Processors. */
  cpus: number;
  /** Processes and threads. */
  pids: number;
  /** Bytes of the largest file that may be written. */
  fileSize: number;
}

/** What a step may use by a configuration, with the defaults filled in. */
export function stepLimits({ memory, cpus, pids, fileSize }: LimitSettings): StepLimits {
  return {
    memory: memory ?? Math.min(CONTAINER_DEFAULTS.memory, totalmem()),
    cpus: cpus ?? Math.min(CONTAINER_DEFAULTS.cpus, availableParallelism()),
    pids: pids ?? CONTAINER_DEFAULTS.pids,
    fileSize: fileSize ?? CONTAINER_DEFAULTS.fsize,
  };
}
