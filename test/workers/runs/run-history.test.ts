import { describe, expect, test } from '@jest/globals';
import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { TaskView } from '../../../core/run-state.ts';
import type { TaskReport } from '../../../core/task-report.ts';
import { NO_USAGE } from '../../../core/usage.ts';
import type { RunInput } from '../../../core/workflow-inputs.ts';
import { settings, taskView } from '../../support/run-rules.ts';
import { describeFolded, foldRun } from '../../../workers/runs/run-history.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

const input: RunInput = {
  version: 1,
  run: {
    project: 'demo',
    run: 'r1',
    repository: { id: 'abc', path: '/repo', branch: 'main', host: 'h1' },
    manifest: { sha256: '0'.repeat(64), bytes: 2 },
  },
  settings: settings({ maxParallel: 2 }),
  baseCommit: 'base',
  startedAt: 1000,
};

const view = (id: string, depends_on: string[] = []): TaskView =>
  taskView({ id, depends_on, name: `name-${id}`, claims: { reads: [], writes: [id] }, turns: 8 });

const report = (task: string, state: TaskReport['state'], seq: number): TaskReport => ({
  task,
  attempt: 1,
  seq,
  state,
  reason: state === 'merged' ? null : 'because',
  failure: null,
  turns: 2,
  usage: { ...NO_USAGE, output_tokens: 5 },
  branch: `signalbox/r1/${task}`,
  commit: 'work',
  mergedCommit: state === 'merged' ? 'merge' : null,
});

/** A history of these events, numbered, one second apart. */
function history(...events: HistoryEvent[]): HistoryEvent[] {
  const started: HistoryEvent = { workflowExecutionStartedEventAttributes: { input: payloads(input) } };
  return [started, ...events].map((event, index) => ({
    ...event,
    eventId: event.eventId ?? numbered(index + 1),
    eventTime: { seconds: numbered(index + 1) },
  }));
}

// The SDK gives 64-bit numbers as objects of a library of its own; all that is read of them is their number.
const numbered = (value: number) => value as unknown as NonNullable<HistoryEvent['eventId']>;
const payloads = (...values: unknown[]) => ({
  payloads: values.map((value) => defaultPayloadConverter.toPayload(value)),
});
const workflow = (task: string) => ({ workflowId: `signalbox/demo/run/r1/task/${task}` });
const signal = (signalName: string, ...args: unknown[]): HistoryEvent => ({
  workflowExecutionSignaledEventAttributes: { signalName, input: payloads(...args) },
});
const childStarted = (task: string): HistoryEvent => ({
  childWorkflowExecutionStartedEventAttributes: { workflowExecution: workflow(task) },
});
const loaded = (...tasks: TaskView[]): HistoryEvent[] => [
  { eventId: numbered(100), activityTaskScheduledEventAttributes: { activityType: { name: 'loadTasks' } } },
  {
    activityTaskCompletedEventAttributes: {
      scheduledEventId: numbered(100),
      result: payloads({ tasks, next: null }),
    },
  },
];
const synced = (seq: number): HistoryEvent => ({
  signalExternalWorkflowExecutionInitiatedEventAttributes: { signalName: 'sync', input: payloads({ seq, run: 'x' }) },
});

function fold(...events: HistoryEvent[]) {
  const folded = foldRun(history(...events));
  if (folded === null) throw new Error('nothing was folded');
  return describeFolded(folded, null);
}

describe('the fold of a run’s history', () => {
  test('has nothing to say of a history that does not begin with a run', () => {
    expect(foldRun([])).toBeNull();
    expect(foldRun([{ workflowExecutionStartedEventAttributes: { input: payloads('hello') } }])).toBeNull();
  });

  test('knows the tasks once they are loaded', () => {
    expect(fold().tasks).toEqual({});
    expect(fold(...loaded(view('a'), view('b', ['a']))).tasks).toMatchObject({
      a: { name: 'name-a', status: 'pending' },
      b: { status: 'pending' },
    });
  });

  test('reads tasks that a local activity loaded', () => {
    const marker = {
      markerName: 'core_local_activity',
      details: { data: payloads({ activity_type: 'loadTasks' }), result: payloads({ tasks: [view('a')], next: null }) },
    };
    expect(Object.keys(fold({ markerRecordedEventAttributes: marker }).tasks)).toEqual(['a']);
  });

  test('follows a task from its lock to its merge', () => {
    const granted = [synced(1), signal('locks', { seq: 1, granted: ['a'], refused: [{ task: 'b', by: 'a' }] })];
    expect(fold(...loaded(view('a'), view('b')), ...granted).tasks).toMatchObject({
      a: { status: 'working' },
      b: { status: 'waiting_for_lock', reason: 'waits for the locks of a' },
    });
    const merged = fold(
      ...loaded(view('a')),
      ...granted,
      childStarted('a'),
      signal('report', report('a', 'merged', 1)),
    );
    expect(merged).toMatchObject({
      status: 'completed',
      head_commit: 'merge',
      usage: { output_tokens: 5 },
      tasks: { a: { status: 'merged', merged_commit: 'merge', turns: 2, attempts: 1 } },
    });
  });

  test('ignores an answer of the lock table to an older snapshot', () => {
    const events = [synced(1), synced(2), signal('locks', { seq: 1, granted: ['a'], refused: [] })];
    expect(fold(...loaded(view('a')), ...events).tasks['a']?.status).toBe('pending');
  });

  test('takes a snapshot’s number from a signal with start, too', () => {
    const start: HistoryEvent = {
      activityTaskScheduledEventAttributes: {
        activityType: { name: 'signalWithStart' },
        input: payloads({ start: {}, signal: 'sync', payload: { seq: 7 } }),
      },
    };
    expect(foldRun(history(...loaded(view('a')), start))?.state.seq).toBe(7);
  });

  test('counts a doubled report once, and takes reports and closes in any order', () => {
    const before = [...loaded(view('a')), childStarted('a')];
    const closed: HistoryEvent = {
      childWorkflowExecutionCompletedEventAttributes: {
        workflowExecution: workflow('a'),
        result: payloads(report('a', 'merged', 1)),
      },
    };
    const told = signal('report', report('a', 'merged', 1));
    expect(fold(...before, told, told, closed).tasks).toEqual(fold(...before, told, closed).tasks);
    expect(fold(...before, closed, told).tasks['a']).toMatchObject({ status: 'merged', attempts: 1 });
  });

  test.each([
    ['failed: no luck', { childWorkflowExecutionFailedEventAttributes: { failure: { message: 'no luck' } } }],
    ['terminated', { childWorkflowExecutionTerminatedEventAttributes: {} }],
    ['timed out', { childWorkflowExecutionTimedOutEventAttributes: {} }],
    ['cancelled', { childWorkflowExecutionCanceledEventAttributes: {} }],
  ])('says that a task without a report was %s', (how, event) => {
    const [[key, attributes]] = Object.entries(event) as [[string, object]];
    const closed = { [key]: { ...attributes, workflowExecution: workflow('a') } };
    const { tasks } = fold(...loaded(view('a')), childStarted('a'), closed);
    expect(tasks['a']).toMatchObject({ status: 'failed', reason: `its workflow was ${how}` });
  });

  test('reads the report in a failed task’s details', () => {
    const failure = { message: 'x', applicationFailureInfo: { details: payloads(report('a', 'failed', 1)) } };
    const closed = { childWorkflowExecutionFailedEventAttributes: { workflowExecution: workflow('a'), failure } };
    const { tasks } = fold(...loaded(view('a')), childStarted('a'), closed);
    expect(tasks['a']).toMatchObject({ status: 'failed', reason: 'because', commit: 'work' });
  });

  test('reads the ends of tasks that an earlier execution started', () => {
    const result = payloads([{ workflowId: workflow('a').workflowId, status: 'terminated', result: null }]);
    const watched: HistoryEvent[] = [
      { eventId: numbered(200), activityTaskScheduledEventAttributes: { activityType: { name: 'watch' } } },
      { activityTaskCompletedEventAttributes: { scheduledEventId: numbered(200), result } },
    ];
    const { tasks } = fold(...loaded(view('a')), childStarted('a'), ...watched);
    expect(tasks['a']).toMatchObject({ status: 'failed', reason: 'its workflow was terminated' });
  });

  test('takes a task for open that it told to go on: it was running already, and was adopted', () => {
    const refused = { startChildWorkflowExecutionFailedEventAttributes: workflow('a') };
    const told: HistoryEvent = {
      signalExternalWorkflowExecutionInitiatedEventAttributes: {
        signalName: 'resume',
        workflowExecution: workflow('a'),
      },
    };
    // It is tried again; the one that is there may be closing.
    expect(foldRun(history(...loaded(view('a')), refused))?.state.tasks['a']?.open).toBe(false);
    expect(foldRun(history(...loaded(view('a')), refused, told))?.state.tasks['a']).toMatchObject({
      open: true,
      holds: true,
    });
  });

  test('meets events as the workflow did: signals and updates of a workflow task first, all when it was started', () => {
    const started = (eventId: number): HistoryEvent => ({
      eventId: numbered(eventId),
      workflowTaskStartedEventAttributes: {},
    });
    const completed = (of: number): HistoryEvent => ({
      workflowTaskCompletedEventAttributes: { startedEventId: numbered(of) },
    });
    const accepted: HistoryEvent = {
      workflowExecutionUpdateAcceptedEventAttributes: {
        acceptedRequest: {
          input: {
            name: 'decideTask',
            args: payloads({
              task: 'a',
              decision: { wait: 1, outcome: 'approve', text: null, inputs: {}, by: 'person' },
            }),
          },
        },
      },
    };
    const asking = { ...view('a'), approval: 'start' as const };
    const waiting = fold(...loaded(asking), started(50), completed(50));
    expect(waiting.tasks['a']?.wait?.since).toBe('1970-01-01T00:00:04.000Z');
    const asks = {
      ...report('a', 'waiting', 1),
      state: 'waiting' as const,
      wait: { kind: 'merge' as const, question: '?' },
    };
    const [first, ...events] = history(
      ...loaded(view('a')),
      childStarted('a'),
      started(49),
      completed(49),
      signal('report', asks),
      started(50),
      completed(50),
      // By now it would give up its locks; but the word that came with the timer is heard first.
      { timerFiredEventAttributes: {} },
      started(51),
      completed(51),
      accepted,
    );
    const quick = payloads({ ...input, settings: settings({ idleLocksMs: 1000 }) });
    const both = foldRun([{ ...first, workflowExecutionStartedEventAttributes: { input: quick } }, ...events]);
    expect(both?.state.tasks['a']?.news).toMatchObject({ kind: 'decision', released: false });
  });

  test('hears people: pause, stop, resume and cancel', () => {
    const tasks = loaded(view('a'));
    expect(fold(...tasks, signal('pause')).status).toBe('paused');
    expect(fold(...tasks, signal('stop'))).toMatchObject({
      status: 'paused',
      reason: expect.stringContaining('stopped'),
    });
    expect(fold(...tasks, signal('pause'), signal('resume')).status).toBe('running');
    expect(fold(...tasks, { workflowExecutionCancelRequestedEventAttributes: {} }).status).toBe('cancelled');
  });

  test('hears accepted updates on tasks', () => {
    const update = (name: string, more: object = {}): HistoryEvent => ({
      workflowExecutionUpdateAcceptedEventAttributes: {
        acceptedRequest: { input: { name, args: payloads({ task: 'a', ...more }) } },
      },
    });
    const tasks = loaded(view('a'), view('b', ['a']));
    expect(fold(...tasks, update('cancelTask')).tasks).toMatchObject({
      a: { status: 'cancelled' },
      b: { status: 'blocked' },
    });
    expect(fold(...tasks, update('cancelTask'), update('retryTask', { guidance: null })).tasks).toMatchObject({
      a: { status: 'pending' },
      b: { status: 'pending' },
    });
  });

  test('waits when the user’s branch refused the work', () => {
    const news = { tip: 'tip', landed: false, reason: 'it is dirty', hint: 'commit' };
    const done = [...loaded(view('a')), childStarted('a'), signal('report', report('a', 'merged', 1))];
    const closed = { childWorkflowExecutionCompletedEventAttributes: { workflowExecution: workflow('a') } };
    expect(fold(...done, closed, signal('landing', news))).toMatchObject({
      status: 'waiting',
      reason: expect.stringContaining('it is dirty'),
      head_commit: 'tip',
    });
  });

  test('does not mind signals with anything in them, or that nobody knows', () => {
    const odd = [
      signal('report', 'hello'),
      signal('report'),
      signal('locks', { seq: 'x' }),
      signal('landing', 3),
      signal('hi'),
    ];
    expect(fold(...loaded(view('a')), ...odd)).toEqual(fold(...loaded(view('a'))));
  });
});
