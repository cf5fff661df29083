import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';

/** One execution of a workflow with its whole history. */
export interface ExecutionHistory {
  workflowId: string;
  runId: string;
  events: temporal.api.history.v1.IHistoryEvent[];
}

/** The histories of all executions that a visibility query finds, the earliest started first. */
export async function historiesOf(client: Client, query: string): Promise<ExecutionHistory[]> {
  const found: { workflowId: string; runId: string; startTime: Date }[] = [];
  for await (const { workflowId, runId, startTime } of client.workflow.list({ query })) {
    found.push({ workflowId, runId, startTime });
  }
  found.sort((a, b) => a.startTime.getTime() - b.startTime.getTime());
  const histories: ExecutionHistory[] = [];
  for (const { workflowId, runId } of found) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    histories.push({ workflowId, runId, events: events ?? [] });
  }
  return histories;
}

/** The size of the largest payload, or other binary value, in anything that a history holds, bytes. */
export function largestPayload(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((largest, part) => Math.max(largest, largestPayload(part)), 0);
}
