import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { RunDescription } from '../../core/description.ts';
import { statusQuery } from '../../workflows/messages.ts';
import type { Beside } from './world.ts';

/** What a run's workflows left, and how soon the run answered. */
export class RunHistories {
  /** How long each answer to the status query took, in seconds, the shortest first. */
  readonly answers: number[] = [];
  /** Events of the longest history of any execution, of the run, its tasks, the lock table or the train. */
  largest = 0;
  /** Executions of the run itself: one, and one more each time that it continued as new. */
  executions = 0;

  /** Asks a run for its status every second, and looks at all histories when it is over. */
  readonly watch: Beside = async (client, workflowId, over) => {
    while (!over.aborted) {
      const began = performance.now();
      await client.workflow.getHandle(workflowId).query<RunDescription>(statusQuery);
      this.answers.push((performance.now() - began) / 1000);
      await sleep(1000, undefined, { signal: over }).catch(() => undefined);
    }
    this.answers.sort((a, b) => a - b);
    await this.#look(client, workflowId);
  };

  /** The answer that so large a share of all is no slower than, in seconds. */
  answer(share: number): number {
    return this.answers[Math.min(this.answers.length - 1, Math.floor(this.answers.length * share))] ?? 0;
  }

  async #look(client: Client, run: string): Promise<void> {
    const query = `WorkflowId STARTS_WITH '${run}' OR WorkflowType = 'repository' OR WorkflowType = 'train'`;
    for await (const found of client.workflow.list({ query })) {
      if (found.workflowId === run) this.executions += 1;
      const { workflowId, runId, status } = found;
      // Lists tell the length of closed histories only.
      const open = status.name === 'RUNNING';
      const { historyLength } = open ? await client.workflow.getHandle(workflowId, runId).describe() : found;
      this.largest = Math.max(this.largest, historyLength);
    }
  }
}
