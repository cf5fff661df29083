import Table from 'cli-table3';
import type { Measurement } from './measure.ts';

/** A measured value with what it should be. */
export interface Verdict {
  what: string;
  goal: string;
  measured: string;
  /** `null` where there is no goal to miss. */
  met: boolean | null;
}

const STYLE = { style: { head: [], border: [] } };

/** Goals and what was measured. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const table = new Table({ head: ['', 'goal', 'measured', ''], ...STYLE });
  for (const { what, goal, measured, met } of verdicts) {
    table.push([what, goal, measured, met === null ? '' : met ? 'met' : 'MISSED']);
  }
  return table.toString();
}

/** What each run cost, by task. */
export function costTable(measurements: readonly Measurement[]): string {
  const table = new Table({
    head: [
      'per task',
      'tasks',
      'wall',
      'CPU worker',
      'children',
      'server',
      'spawned',
      'machine',
      'disk',
      'database',
      'others',
    ],
    ...STYLE,
  });
  for (const one of measurements) {
    const each = (value: number | undefined, unit: (value: number) => string): string =>
      value === undefined ? '?' : unit(value / one.tasks);
    const spawned = Object.values(one.spawned).reduce((sum, count) => sum + count, 0);
    table.push([
      one.what,
      one.tasks,
      each(one.wall, ms),
      each(one.cpu?.worker, ms),
      each(one.cpu?.children, ms),
      each(one.cpu?.server, ms),
      each(spawned, (value) => value.toFixed(1)),
      each(one.started ?? undefined, (value) => value.toFixed(1)),
      each(one.disk, kib),
      each(one.database, kib),
      one.disturbed === null ? '?' : `${Math.round(one.disturbed * 100)} %`,
    ]);
  }
  return table.toString();
}

/** Which programs a worker started for a task. */
export function spawnedLine({ what, tasks, spawned }: Measurement): string {
  const parts = Object.entries(spawned)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${(count / tasks).toFixed(1)}`);
  return `${what}: ${parts.join(', ')}`;
}

/** Seconds as milliseconds. */
export function ms(seconds: number): string {
  return `${Math.round(seconds * 1000)} ms`;
}

/** Seconds as milliseconds and tenths of them. */
export function tenths(seconds: number): string {
  return `${(seconds * 1000).toFixed(1)} ms`;
}

/** Seconds, for what takes several. */
export function s(seconds: number): string {
  return `${seconds.toFixed(2)} s`;
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
}

/** Bytes as mebibytes. */
export function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 2 : 0)} MiB`;
}
