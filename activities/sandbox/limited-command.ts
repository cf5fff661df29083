import path from 'node:path';
import { packageRoot } from '../package-root.ts';

/** What `docker/step-limits.sh` sets; `null` leaves it as it is. */
export interface ProcessLimits {
  /** The record of the step that tells when it has them; `null` for a command that is no step. */
  directory: string | null;
  /** Most bytes of a file that is written. */
  fileSize: number | null;
  /** Most bytes of data of each process. */
  data: number | null;
  /** Most processes and threads of the user, all of them counted. */
  processes: number | null;
  /** Directories of control groups that it joins; `own`: it is in one already, which the record gets to know. */
  groups: readonly string[] | 'own';
}

/** The argument vector that runs a command with limits that it cannot lift. */
export function limitedCommand(limits: ProcessLimits, command: readonly string[]): string[] {
  const { directory, fileSize, data, processes, groups } = limits;
  const number = (value: number | null, unit: number): string =>
    value === null ? '-' : String(Math.ceil(value / unit));
  return [
    '/bin/sh',
    path.join(packageRoot(), 'docker', 'step-limits.sh'),
    directory ?? '-',
    number(fileSize, 512),
    number(data, 1024),
    number(processes, 1),
    ...(groups === 'own' ? [groups] : [String(groups.length), ...groups]),
    ...command,
  ];
}
