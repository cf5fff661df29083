import type { PullRequestDescription, RunDescription, WaitDescription } from './description.ts';
import { personCommands } from './person-commands.ts';

/** A task that waits for a person, as lists and hooks tell it. */
export interface WaitingTask extends WaitDescription {
  run_id: string;
  task_id: string;
  name: string;
  /** What to type, the likeliest first. */
  commands: string[];
}

/** A pull request that only a person can move, as lists tell it. */
export interface WaitingRequest extends Pick<PullRequestDescription, 'number' | 'url'> {
  task_id: string;
  name: string;
  waits_for: string;
}

/** The pull requests of a run that only a person can move. */
export function waitingRequests({ tasks }: Pick<RunDescription, 'tasks'>): WaitingRequest[] {
  return Object.entries(tasks).flatMap(([task_id, { name, pull_request: request }]) => {
    if (request?.needs_person !== true || request.waits_for === null) return [];
    const { number, url, waits_for } = request;
    return [{ task_id, name, number, url, waits_for }];
  });
}

/** The tasks of a run that wait for a person, the longest first. */
export function waitingTasks({ run_id, tasks }: Pick<RunDescription, 'run_id' | 'tasks'>): WaitingTask[] {
  return Object.entries(tasks)
    .flatMap(([task_id, { name, wait }]) =>
      wait === null ? [] : [{ run_id, task_id, name, ...wait, commands: personCommands(run_id, task_id, wait) }],
    )
    .sort((a, b) => (a.since < b.since ? -1 : a.since > b.since ? 1 : 0));
}
