import type { RunDescription, WaitDescription } from './description.ts';
import { personCommands } from './person-commands.ts';

/** A task that waits for a person, as lists and hooks tell it. */
export interface WaitingTask extends WaitDescription {
  run_id: string;
  task_id: string;
  name: string;
  /** What to type, the likeliest first. */
  commands: string[];
}

/** The tasks of a run that wait for a person, the longest first. */
export function waitingTasks({ run_id, tasks }: Pick<RunDescription, 'run_id' | 'tasks'>): WaitingTask[] {
  return Object.entries(tasks)
    .flatMap(([task_id, { name, wait }]) =>
      wait === null ? [] : [{ run_id, task_id, name, ...wait, commands: personCommands(run_id, task_id, wait) }],
    )
    .sort((a, b) => (a.since < b.since ? -1 : a.since > b.since ? 1 : 0));
}
