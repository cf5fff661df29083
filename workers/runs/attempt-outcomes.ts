import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { isTaskReport, type AttemptFailure, type TaskReport } from '../../core/task-report.ts';
import { readHistory } from './decoded-history.ts';
import { toMilliseconds } from './timestamp.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** How an attempt ended, as its task told its run. */
export interface AttemptOutcome {
  attempt: number;
  /** What kind of failure it was, where there was one. */
  outcome: 'merged' | 'cancelled' | 'failed' | AttemptFailure;
  /** One sentence; `null` where the outcome says it all. */
  reason: string | null;
  /** The snapshot of its work. */
  commit: string | null;
  /** ISO 8601. */
  ended_at: string;
}

/**
 * How the attempts at a task ended, the first one first, by the histories of its workflow's executions: a task reports by
 * signals, and a sent signal is an event. Without those that have not ended, or whose workflow was terminated.
 *
 * @param histories in any order, each from its first event
 */
export function attemptOutcomes(histories: readonly (readonly HistoryEvent[])[]): AttemptOutcome[] {
  const reports = histories.flat().flatMap((event) => {
    const report = reportIn(event);
    return report === null ? [] : [{ report, at: toMilliseconds(event.eventTime) }];
  });
  reports.sort((a, b) => a.report.attempt - b.report.attempt || a.report.seq - b.report.seq);
  const outcomes = new Map<number, AttemptOutcome>();
  for (const { report, at } of reports) {
    const { attempt, state, failure, reason, commit } = report;
    if (state === 'waiting' || state === 'needs_locks') continue;
    // A task that is cancelled between two attempts reports so with the number of the first.
    if (attempt < 1 || outcomes.has(attempt)) continue;
    const outcome = state === 'retrying' || state === 'failed' ? (failure ?? 'failed') : state;
    outcomes.set(attempt, { attempt, outcome, reason, commit, ended_at: new Date(at).toISOString() });
  }
  return [...outcomes.values()];
}

function reportIn(event: HistoryEvent): TaskReport | null {
  const sent = event.signalExternalWorkflowExecutionInitiatedEventAttributes;
  const [payload] = sent?.signalName === 'report' ? (sent.input?.payloads ?? []) : [];
  if (!payload) return null;
  const value: unknown = defaultPayloadConverter.fromPayload(payload);
  return isTaskReport(value) ? value : null;
}

/** Reads the histories of all executions of a task's workflow; none if it was never started, or was forgotten. */
export async function taskHistories(client: Client, workflowId: string): Promise<HistoryEvent[][]> {
  const { workflow } = client;
  const executions = new Set<string>();
  try {
    // The list may lag behind: the newest execution is asked for by name.
    executions.add((await workflow.getHandle(workflowId).describe()).runId);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    return [];
  }
  for await (const { runId } of workflow.list({ query: `WorkflowId = ${JSON.stringify(workflowId)}` }))
    executions.add(runId);
  return await Promise.all([...executions].map((runId) => readHistory(client, workflowId, runId)));
}
