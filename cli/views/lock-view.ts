import type { LockReport } from '../../workers/runs/read-locks.ts';
import { table } from './table.ts';
import { displayText } from './text.ts';
import { localTime } from './waiting-view.ts';

/** Globs shown of one task; `-o json` has them all. */
const MOST_GLOBS = 6;

/** Who holds locks, who waits for them and why, and what was taken back. */
export function lockText({ source, holders, waiters, taken_back: takenBack }: LockReport): string {
  if (holders.length + waiters.length + takenBack.length === 0) return 'nothing is locked';
  const held = holders.map((holder) => [
    holder.task_id,
    holder.run_id,
    timeOf(holder.since),
    globs(holder.writes),
    globs(holder.reads),
  ]);
  const waiting = waiters.map(({ task_id, run_id, since, waits_for, clash }) => [
    task_id,
    run_id,
    timeOf(since),
    displayText(waits_for),
    clash === null ? '' : `${clash.own} meets ${clash.other}`,
  ]);
  const taken = takenBack.map(({ run_id, task_ids, reason, at }) => [
    task_ids.join(' '),
    run_id,
    timeOf(at),
    displayText(reason),
  ]);
  const heads = (...names: string[]) => names.map((head) => ({ head }));
  return [
    ...(holders.length === 0 ? [] : [table(heads('HOLDS', 'RUN', 'SINCE', 'WRITES', 'READS'), held)]),
    ...(waiters.length === 0 ? [] : [table(heads('WAITS', 'RUN', 'SINCE', 'FOR', 'CLASH'), waiting)]),
    ...(takenBack.length === 0 ? [] : [table(heads('TAKEN BACK', 'RUN', 'AT', 'WHY'), taken)]),
    ...(source === 'table' ? [] : ['No worker runs: this is what the open runs know, without times.']),
  ].join('\n\n');
}

function globs(all: readonly string[]): string {
  const more = all.length > MOST_GLOBS ? ` and ${all.length - MOST_GLOBS} more` : '';
  return displayText(`${all.slice(0, MOST_GLOBS).join(' ')}${more}`);
}

function timeOf(time: string | null): string {
  return time === null ? '' : localTime(time);
}
