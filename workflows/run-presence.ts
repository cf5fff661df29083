import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { RunDescription } from '../core/description.ts';
import type { PersonWait } from '../core/person.ts';
import type { RunRef } from '../core/run-ref.ts';
import type { RunState, TaskViews } from '../core/run-state.ts';
import { runTable } from '../core/run-table.ts';
import { STATUS_ATTRIBUTE, WAITING_ATTRIBUTE } from '../core/search-attributes.ts';
import { hookActivities } from './activity-proxies.ts';

/** Shows a run in the Web UI: its current details, and the search attributes that lists are filtered by. */
export class RunPresence {
  readonly #shown = new Map<string, string>();

  show(description: RunDescription): void {
    setCurrentDetails(runTable(description));
    this.#upsert(STATUS_ATTRIBUTE, description.status);
    const waits = Object.values(description.tasks).some((task) => task.wait !== null);
    this.#upsert(WAITING_ATTRIBUTE, waits ? 'person' : 'nobody');
  }

  #upsert(key: typeof STATUS_ATTRIBUTE | typeof WAITING_ATTRIBUTE, value: string): void {
    const known = workflowInfo().typedSearchAttributes.get(key);
    // A run that was started without it is on a server that does not know it.
    if (known === undefined || (this.#shown.get(key.name) ?? known) === value) return;
    this.#shown.set(key.name, value);
    upsertSearchAttributes([{ key, value }]);
  }
}

/** Calls the person's hook once for each wait; those that an earlier execution knew were told by it. */
export class WaitNotices {
  readonly #told = new Map<string, number>();

  constructor(state: RunState) {
    for (const [id, { wait }] of Object.entries(state.tasks)) if (wait !== null) this.#told.set(id, wait.id);
  }

  /** @returns the calls that are due */
  next(run: RunRef, state: RunState, views: TaskViews): Promise<void>[] {
    return Object.entries(state.tasks).flatMap(([task, { wait }]) => {
      if (wait === null || this.#told.get(task) === wait.id) return [];
      this.#told.set(task, wait.id);
      return [notify(run, task, views[task]?.name ?? task, wait)];
    });
  }
}

async function notify(run: RunRef, task: string, name: string, wait: PersonWait): Promise<void> {
  try {
    await hookActivities(`tell that ${task} waits for a person`).notify({ run, task, name, wait });
  } catch {
    // The hook is a courtesy: the run itself shows what waits.
  }
}
