import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { RunDescription } from '../../core/description.ts';
import type { LocksAnswer } from '../../core/locks.ts';
import { describeRun } from '../../core/run-description.ts';
import type { RequestNews } from '../../core/pull-request.ts';
import { reduceRun } from '../../core/reduce-run.ts';
import type { RunEvent } from '../../core/run-events.ts';
import { unpackRun, type PackedTask } from '../../core/packed-run.ts';
import { initialRunState, type RunState, type TaskView } from '../../core/run-state.ts';
import { isTaskReport } from '../../core/task-report.ts';
import type { LandingNews, TrainHalt } from '../../core/train.ts';
import type { RunInput } from '../../core/workflow-inputs.ts';
import { asMet } from './history-order.ts';
import { updateEvents } from './update-events.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Payloads = readonly Payload[] | null | undefined;

/** What an execution's history says about its run: what the run's own workflow knows, without a worker. */
export interface FoldedRun {
  input: RunInput;
  state: RunState;
  views: Record<string, TaskView>;
}

/**
 * Folds the history of a run's current execution with the workflow's own reducer.
 *
 * @param history complete from the execution's first event
 * @returns `null` if the history does not begin with a run's input
 */
export function foldRun(history: readonly HistoryEvent[]): FoldedRun | null {
  const [first] = history;
  const input = argument(first?.workflowExecutionStartedEventAttributes?.input?.payloads, isRunInput);
  if (input === null) return null;
  const packed = (first?.workflowExecutionStartedEventAttributes?.input?.payloads ?? []).slice(1);
  const chunks = packed.map((payload) => argument([payload], isPackedTasks) ?? []);
  let state = unpackRun(input, ...chunks) ?? initialRunState(input.settings, input.baseCommit);
  const views: Record<string, TaskView> = {};
  const scheduled = new Map<string, string>();
  for (const { event, at } of asMet(history)) {
    const type = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (type) scheduled.set(String(event.eventId), type);
    for (const change of runEvents(event, scheduled, at)) {
      if (change.type === 'loaded') for (const view of change.tasks) views[view.id] = view;
      state = reduceRun(state, change, views);
    }
  }
  return { input, state, views };
}

/** The public description of what was folded. @param endedAt milliseconds since the epoch, of a closed run */
export function describeFolded({ input, state, views }: FoldedRun, endedAt: number | null): RunDescription {
  return describeRun(state, views, {
    run: input.run,
    baseCommit: input.baseCommit,
    startedAt: input.startedAt,
    endedAt,
    image: input.image,
  });
}

/**
 * What one event of a run's history means to the run.
 *
 * @param scheduled the types of the activities scheduled so far, by the id of the scheduling event
 * @param at when the run came to know of it, milliseconds since the epoch
 */
function runEvents(event: HistoryEvent, scheduled: ReadonlyMap<string, string>, at: number): RunEvent[] {
  const signal = event.workflowExecutionSignaledEventAttributes;
  if (signal) return signalEvents(signal.signalName ?? '', signal.input?.payloads, at);
  const sent = event.signalExternalWorkflowExecutionInitiatedEventAttributes;
  if (sent?.signalName === 'sync') return synced(argument(sent.input?.payloads, isSnapshot), at);
  // Only open tasks are told these; those of a former run count as open since the run adopted them.
  if (sent?.signalName === 'pause' || sent?.signalName === 'stop' || sent?.signalName === 'resume')
    return [{ type: 'started', at, task: taskOf(sent.workflowExecution?.workflowId) }];
  if (sent?.signalName === 'decision' || sent?.signalName === 'growth') {
    const news = argument(sent.input?.payloads, isNews);
    const task = taskOf(sent.workflowExecution?.workflowId);
    return news === null ? [] : [{ type: 'told', at, task, report: news.report }];
  }
  if (event.timerFiredEventAttributes) return [{ type: 'tick', at }];
  const asked = event.activityTaskScheduledEventAttributes;
  if (asked?.activityType?.name === 'signalWithStart') {
    const request = argument(asked.input?.payloads, isServiceSignal);
    return request?.signal === 'sync' && isSnapshot(request.payload) ? synced(request.payload, at) : [];
  }
  const done = event.activityTaskCompletedEventAttributes;
  if (done) return activityEvents(scheduled.get(String(done.scheduledEventId)) ?? '', done.result?.payloads, at);
  const marker = event.markerRecordedEventAttributes;
  if (marker?.markerName === 'core_local_activity') {
    const data = argument(marker.details?.['data']?.payloads, isMarkerData);
    return activityEvents(data?.activity_type ?? '', marker.details?.['result']?.payloads, at);
  }
  const update = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input;
  if (update) return updateEvents(update.name ?? '', argument(update.args?.payloads, isAnything), at);
  if (event.workflowExecutionCancelRequestedEventAttributes) return [{ type: 'cancel', at }];
  return childEvents(event, at);
}

function signalEvents(name: string, payloads: Payloads, at: number): RunEvent[] {
  switch (name) {
    case 'pause':
    case 'resume':
    case 'stop':
    case 'interrupt':
      return [{ type: name, at }];
    case 'report': {
      const report = argument(payloads, isTaskReport);
      return report === null ? [] : [{ type: 'report', at, report }];
    }
    case 'locks': {
      const answer = argument(payloads, isLocksAnswer);
      // The answer is to a snapshot that was sent: its number counts as sent even where the sending left no event.
      return answer === null ? [] : [...synced(answer, at), { type: 'locks', at, answer }];
    }
    case 'landing': {
      const news = argument(payloads, isLandingNews);
      return news === null ? [] : [{ type: 'landing', at, news }];
    }
    case 'halted':
      return [{ type: 'halted', at, halt: argument(payloads, isTrainHalt) }];
    case 'request': {
      const news = argument(payloads, isRequestNews);
      return news === null ? [] : [{ type: 'request', at, news }];
    }
    default:
      return [];
  }
}

function activityEvents(type: string, result: Payloads, at: number): RunEvent[] {
  if (type === 'loadTasks') {
    const part = argument(result, isTaskPart);
    return part === null ? [] : [{ type: 'loaded', at, tasks: part.tasks, last: part.next === null }];
  }
  if (type !== 'watch') return [];
  const closed = argument(result, isClosedList) ?? [];
  return closed.map(({ workflowId, status, result: report }) => ({
    type: 'closed',
    at,
    task: taskOf(workflowId),
    how: status,
    report: isTaskReport(report) ? report : null,
  }));
}

function childEvents(event: HistoryEvent, at: number): RunEvent[] {
  const started = event.childWorkflowExecutionStartedEventAttributes;
  if (started) return [{ type: 'started', at, task: taskOf(started.workflowExecution?.workflowId) }];
  const completed = event.childWorkflowExecutionCompletedEventAttributes;
  if (completed) {
    const task = taskOf(completed.workflowExecution?.workflowId);
    return [{ type: 'closed', at, task, how: 'completed', report: argument(completed.result?.payloads, isTaskReport) }];
  }
  const failed = event.childWorkflowExecutionFailedEventAttributes;
  if (failed) {
    const report = argument(failed.failure?.applicationFailureInfo?.details?.payloads, isTaskReport);
    const task = taskOf(failed.workflowExecution?.workflowId);
    const how = `failed: ${failed.failure?.message ?? 'no message'}`;
    return [{ type: 'closed', at, task, how, report }];
  }
  const ends = [
    ['cancelled', event.childWorkflowExecutionCanceledEventAttributes],
    ['terminated', event.childWorkflowExecutionTerminatedEventAttributes],
    ['timed out', event.childWorkflowExecutionTimedOutEventAttributes],
  ] as const;
  return ends.flatMap(([how, attributes]): RunEvent[] =>
    attributes
      ? [{ type: 'closed', at, task: taskOf(attributes.workflowExecution?.workflowId), how, report: null }]
      : [],
  );
}

function synced(snapshot: { seq: number } | null, at: number): RunEvent[] {
  return snapshot !== null ? [{ type: 'synced', at, seq: snapshot.seq }] : [];
}

function taskOf(workflowId: string | null | undefined): string {
  return /\/task\/([^/]+)$/.exec(workflowId ?? '')?.[1] ?? '';
}

/** The first argument of a message, or `null` if it is something else: anybody may send a signal with anything in it. */
function argument<T>(payloads: Payloads, accepts: (value: unknown) => value is T): T | null {
  const [payload] = payloads ?? [];
  if (!payload) return null;
  try {
    const value: unknown = defaultPayloadConverter.fromPayload(payload);
    return accepts(value) ? value : null;
  } catch {
    return null;
  }
}

/** A guard for what our own workflows write: it looks at the fields by which they are told apart. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names what it accepts
function shape<T>(check: (fields: Readonly<Record<string, unknown>>) => boolean): (value: unknown) => value is T {
  return (value): value is T =>
    typeof value === 'object' && value !== null && check(Object.fromEntries(Object.entries(value)));
}

const isRunInput = shape<RunInput>(
  ({ version, run, settings }) => version === 1 && isObject(run) && isObject(settings),
);
const isSnapshot = shape<{ seq: number }>(({ seq }) => typeof seq === 'number');
const isServiceSignal = shape<{ signal: string; payload: unknown }>(({ signal }) => typeof signal === 'string');
const isMarkerData = shape<{ activity_type: string }>(({ activity_type }) => typeof activity_type === 'string');
const isNews = shape<{ report: number }>(({ report }) => typeof report === 'number');
const isAnything = (value: unknown): value is unknown => value !== undefined;
const isTaskPart = shape<{ tasks: TaskView[]; next: number | null }>(({ tasks }) => Array.isArray(tasks));
const isLandingNews = shape<LandingNews>(({ tip, landed }) => typeof tip === 'string' && typeof landed === 'boolean');
const isRequestNews = shape<RequestNews>(
  ({ task, attempt }) => typeof task === 'string' && typeof attempt === 'number',
);
const isTrainHalt = shape<TrainHalt>(({ hint, tasks }) => typeof hint === 'string' && Array.isArray(tasks));
const isLocksAnswer = shape<LocksAnswer>(
  ({ seq, granted, refused }) => typeof seq === 'number' && Array.isArray(granted) && Array.isArray(refused),
);
const isClosed = shape<{ workflowId: string; status: string; result: unknown }>(
  ({ workflowId, status }) => typeof workflowId === 'string' && typeof status === 'string',
);

function isClosedList(value: unknown): value is { workflowId: string; status: string; result: unknown }[] {
  return Array.isArray(value) && value.every(isClosed);
}

function isPackedTasks(value: unknown): value is PackedTask[] {
  return Array.isArray(value) && value.every((task) => Array.isArray(task) && typeof task[0] === 'string');
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
