import type { temporal } from '@temporalio/proto';
import { toMilliseconds } from './timestamp.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** An event, and when its workflow came to know of it, milliseconds since the epoch. */
export interface MetEvent {
  event: HistoryEvent;
  at: number;
}

/**
 * A history in the order and at the times in which the workflow met it: a workflow task brings all that has happened by
 * its start at once, signals and updates before everything else. What no workflow task has brought yet comes last, at
 * its own time.
 */
export function asMet(history: readonly HistoryEvent[]): MetEvent[] {
  const met: MetEvent[] = [];
  const starts = new Map<string, number>();
  let waiting: HistoryEvent[] = [];
  let now = 0;
  const flush = (): void => {
    met.push(...waiting.map((event) => ({ event, at: toMilliseconds(event.eventTime) })));
    waiting = [];
  };
  for (const [index, event] of history.entries()) {
    const completed = event.workflowTaskCompletedEventAttributes;
    if (event.workflowTaskStartedEventAttributes) starts.set(String(event.eventId), toMilliseconds(event.eventTime));
    else if (completed) {
      now = starts.get(String(completed.startedEventId)) ?? toMilliseconds(event.eventTime);
      const brought = [...waiting, ...updatesOf(history, index)];
      const first = brought.filter(isMessage);
      const rest = brought.filter((other) => !isMessage(other));
      met.push(...[...first, ...rest].map((other) => ({ event: other, at: now })));
      waiting = [];
    } else if (isCommand(event)) {
      flush();
      met.push({ event, at: now === 0 ? toMilliseconds(event.eventTime) : now });
    } else if (!event.workflowExecutionUpdateAcceptedEventAttributes) waiting.push(event);
    else if (now === 0) waiting.push(event);
  }
  flush();
  return met;
}

/** The updates that a workflow task accepted: they are written behind its end. */
function updatesOf(history: readonly HistoryEvent[], completed: number): HistoryEvent[] {
  const next = history.findIndex((event, index) => index > completed && event.workflowTaskStartedEventAttributes);
  return history
    .slice(completed + 1, next === -1 ? undefined : next)
    .filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes);
}

function isMessage(event: HistoryEvent): boolean {
  return Boolean(
    event.workflowExecutionSignaledEventAttributes ?? event.workflowExecutionUpdateAcceptedEventAttributes,
  );
}

/** What the workflow did itself. */
function isCommand(event: HistoryEvent): boolean {
  return Boolean(
    event.signalExternalWorkflowExecutionInitiatedEventAttributes ??
    event.activityTaskScheduledEventAttributes ??
    event.markerRecordedEventAttributes,
  );
}
