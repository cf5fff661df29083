import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { describeRun, isInterrupted, isOver, statusOf } from '../../core/run-description.ts';
import { reduceRun } from '../../core/reduce-run.ts';
import type { RunEvent } from '../../core/run-events.ts';
import { initialRunState, type RunState, type TaskView } from '../../core/run-state.ts';
import { runTable } from '../../core/run-table.ts';
import { waitingRequests } from '../../core/waiting.ts';
import { lockSnapshot, tasksToStart } from '../../core/schedule.ts';
import type { TaskReport } from '../../core/task-report.ts';
import { settings, taskView } from '../support/run-rules.ts';
import { NO_USAGE } from '../../core/usage.ts';

const view = (id: string, depends_on: string[] = [], priority = 0): TaskView =>
  taskView({ id, name: `name of ${id}`, depends_on, priority, turns: 8 });
const byId = (...list: TaskView[]): Record<string, TaskView> => Object.fromEntries(list.map((task) => [task.id, task]));
const views = byId(view('a'), view('b', ['a']), view('c', ['b']), view('d'));

const report = (task: string, state: TaskReport['state'], seq = 1): TaskReport => ({
  task,
  attempt: seq,
  seq,
  state,
  reason: state === 'merged' ? null : 'the doctor said no',
  failure: null,
  turns: 1,
  usage: { ...NO_USAGE, input_tokens: 5 },
  branch: 'signalbox/r/x',
  commit: 'c'.repeat(40),
  mergedCommit: state === 'merged' ? 'm'.repeat(40) : null,
});

function play(events: RunEvent[], tasks = views, from?: RunState): RunState {
  const start = from ?? initialRunState(settings({ maxParallel: 2 }), 'base');
  const loaded: RunEvent = { type: 'loaded', at: 0, tasks: Object.values(tasks), last: true };
  return [...(from === undefined ? [loaded] : []), ...events].reduce(
    (state, event) => reduceRun(state, event, tasks),
    start,
  );
}

const granted = (seq: number, ...tasks: string[]): RunEvent[] => [
  { type: 'synced', at: 1, seq },
  { type: 'locks', at: 1, answer: { seq, granted: tasks, refused: [] } },
];

const statusIn = (state: RunState) => statusOf(state, views);
const isOverIn = (state: RunState) => isOver(state, views);

describe('the reducer of a run', () => {
  test('a task that is tried again before its old workflow has closed is not failed by that close', () => {
    const failed = report('d', 'failed');
    const start: RunEvent[] = [...granted(1, 'd'), { type: 'started', at: 2, task: 'd' }];
    const retried: RunEvent[] = [
      { type: 'report', at: 3, report: failed },
      { type: 'retryTask', at: 4, task: 'd', guidance: null },
    ];
    const close: RunEvent = { type: 'closed', at: 5, task: 'd', how: 'failed', report: failed };
    expect(play([...start, ...retried, close]).tasks['d']).toMatchObject({ status: 'pending', reason: null });
    expect(play([...start, close]).tasks['d']).toMatchObject({ status: 'failed', open: false, holds: false });
  });

  test('a cancelled task that is tried again, and has its locks already, is not failed by the old workflow’s close', () => {
    const cancelled = play([
      ...granted(1, 'd'),
      { type: 'started', at: 2, task: 'd' },
      { type: 'cancelTask', at: 3, task: 'd' },
      { type: 'report', at: 4, report: report('d', 'cancelled') },
      { type: 'retryTask', at: 5, task: 'd', guidance: null },
      ...granted(6, 'd'),
    ]);
    const closed = play([{ type: 'closed', at: 7, task: 'd', how: 'cancelled', report: null }], views, cancelled);
    // Failed, it would start all the same, and work without its locks.
    expect(closed.tasks['d']).toMatchObject({ status: 'working', holds: true });
    expect(tasksToStart(closed)).toEqual(['d']);
  });

  test('wants the tasks whose dependencies are merged, and as many as there are free places', () => {
    const state = play([]);
    const snapshot = lockSnapshot(state, views, 'run');
    expect(snapshot.wants.map((want) => want.task)).toEqual(['a', 'd']);
    expect(snapshot.slots).toBe(2);
    const after = play([...granted(1, 'a'), { type: 'report', at: 2, report: report('a', 'merged') }]);
    expect(lockSnapshot(after, views, 'run').wants.map((want) => want.task)).toEqual(['b', 'd']);
    expect(after.head).toBe('m'.repeat(40));
  });

  test('starts what was granted for its newest snapshot, and ignores answers to older ones', () => {
    expect(tasksToStart(play(granted(1, 'a')))).toEqual(['a']);
    const stale = play([
      { type: 'synced', at: 1, seq: 2 },
      { type: 'locks', at: 1, answer: { seq: 1, granted: ['a'], refused: [] } },
    ]);
    expect(tasksToStart(stale)).toEqual([]);
  });

  test('a paused run wants nothing and takes no grant; resumed it wants again', () => {
    const paused = play([{ type: 'pause', at: 1 }, ...granted(1, 'a')]);
    expect(lockSnapshot(paused, views, 'run').wants).toEqual([]);
    expect(tasksToStart(paused)).toEqual([]);
    expect(statusIn(paused).status).toBe('paused');
    expect(lockSnapshot(play([{ type: 'resume', at: 2 }], views, paused), views, 'run').wants).toHaveLength(2);
  });

  test('a failed task blocks all that depends on it with the reason, and the rest goes on', () => {
    const state = play([...granted(1, 'a'), { type: 'report', at: 2, report: report('a', 'failed') }]);
    expect(state.tasks['b']).toMatchObject({ status: 'blocked', reason: 'depends on a, which failed' });
    expect(state.tasks['c']).toMatchObject({ status: 'blocked', reason: 'depends on b, which is blocked' });
    expect(lockSnapshot(state, views, 'run').wants.map((want) => want.task)).toEqual(['d']);
    expect(isOverIn(state)).toBe(false);
    const retried = play(
      [
        { type: 'closed', at: 3, task: 'a', how: 'failed', report: null },
        { type: 'retryTask', at: 4, task: 'a', guidance: null },
      ],
      views,
      state,
    );
    expect(retried.tasks['b']?.status).toBe('pending');
  });

  test('what Ctrl+C stopped is told apart from what a person paused or stopped, which outlasts it', () => {
    const interrupted = play([{ type: 'interrupt', at: 1 }]);
    expect(isInterrupted(statusIn(interrupted))).toBe(true);
    for (const type of ['pause', 'stop'] as const) {
      const before = play([
        { type, at: 1 },
        { type: 'interrupt', at: 2 },
      ]);
      const after = play([{ type, at: 2 }], views, interrupted);
      for (const state of [before, after])
        expect(statusIn(state)).toEqual({ status: 'paused', reason: 'stopped, its agents ended' });
    }
    expect(statusIn(play([{ type: 'resume', at: 3 }], views, interrupted)).status).toBe('running');
  });

  test('under stop, nothing starts after a failure, and the run is over when the running tasks are', () => {
    const start = initialRunState(settings({ maxParallel: 2, onTaskFailure: 'stop' }), 'base');
    const loaded = reduceRun(start, { type: 'loaded', at: 0, tasks: Object.values(views), last: true }, views);
    const state = play(
      [...granted(1, 'a', 'd'), { type: 'report', at: 2, report: report('a', 'failed') }],
      views,
      loaded,
    );
    expect(lockSnapshot(state, views, 'run').wants).toEqual([]);
    expect(isOverIn(state)).toBe(false);
    const over = play([{ type: 'report', at: 3, report: report('d', 'merged') }], views, state);
    expect(statusIn(over)).toMatchObject({ status: 'failed' });
    expect(statusIn(over).reason).toContain('a failed: the doctor said no');
  });

  test('a task whose workflow was terminated has failed with that reason, and frees its locks', () => {
    const state = play([
      ...granted(1, 'a'),
      { type: 'started', at: 1, task: 'a' },
      { type: 'closed', at: 2, task: 'a', how: 'terminated', report: null },
    ]);
    expect(state.tasks['a']).toMatchObject({
      status: 'failed',
      reason: 'its workflow was terminated',
      holds: false,
      open: false,
    });
  });

  test('verified work that has not landed makes a finished run wait, with the way to mend it', () => {
    const one = byId(view('a'));
    const refused = {
      tip: 't'.repeat(40),
      landed: false,
      reason: 'the checkout is not clean',
      hint: 'commit or stash',
      diverged: false,
    };
    const merged: RunEvent[] = [...granted(1, 'a'), { type: 'report', at: 2, report: report('a', 'merged') }];
    const state = play([...merged, { type: 'landing', at: 2, news: refused }], one);
    expect(statusIn(state)).toMatchObject({ status: 'waiting' });
    expect(statusIn(state).reason).toContain('commit or stash');
    expect(isOverIn(state)).toBe(false);
    const landed = play(
      [{ type: 'landing', at: 3, news: { ...refused, landed: true, reason: null, hint: null } }],
      one,
      state,
    );
    expect(statusIn(landed)).toEqual({ status: 'completed', reason: null });
  });

  test('the same messages twice, or late, change nothing', () => {
    const ids = Object.keys(views);
    const anyEvent: fc.Arbitrary<RunEvent> = fc.oneof(
      fc.record({
        type: fc.constant('report' as const),
        at: fc.constant(5),
        report: fc
          .tuple(
            fc.constantFrom(...ids),
            fc.constantFrom('merged' as const, 'failed' as const, 'retrying' as const),
            fc.integer({ min: 1, max: 3 }),
          )
          .map(([task, state, seq]) => report(task, state, seq)),
      }),
      fc.record({
        type: fc.constant('closed' as const),
        at: fc.constant(5),
        task: fc.constantFrom(...ids),
        how: fc.constant('terminated'),
        report: fc.constant(null),
      }),
      fc.record({ type: fc.constant('pause' as const), at: fc.constant(5) }),
      fc.record({ type: fc.constant('cancelTask' as const), at: fc.constant(5), task: fc.constantFrom(...ids) }),
      fc.record({ type: fc.constant('started' as const), at: fc.constant(5), task: fc.constantFrom(...ids) }),
    );
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 12 }), (events) => {
        const once = play(events);
        const last = events.at(-1);
        expect(last === undefined ? once : play([last], views, once)).toEqual(once);
      }),
    );
  });

  test("a task that has ended stays ended, whatever comes later but a person's retry", () => {
    const merged = play([...granted(1, 'a'), { type: 'report', at: 2, report: report('a', 'merged', 2) }]);
    const later = play(
      [
        { type: 'report', at: 3, report: report('a', 'retrying', 1) },
        { type: 'closed', at: 3, task: 'a', how: 'terminated', report: null },
        { type: 'cancelTask', at: 3, task: 'a' },
        { type: 'retryTask', at: 3, task: 'a', guidance: null },
      ],
      views,
      merged,
    );
    expect(later.tasks['a']?.status).toBe('merged');
  });

  test('a task that waits at its pull request says what for; when it has ended, only where it is', () => {
    const working: RunEvent[] = [...granted(1, 'd'), { type: 'started', at: 2, task: 'd' }];
    const news = {
      task: 'd',
      attempt: 1,
      number: 7,
      url: 'https://github.test/7',
      waits: 'waits for a review',
      person: true,
    };
    const waiting = play([...working, { type: 'request', at: 3, news }]);
    const run = {
      project: 'p',
      run: 'r',
      manifest: { sha256: '', bytes: 0 },
      repository: { id: '', path: '', branch: 'main', host: '' },
    };
    const described = (state: RunState) =>
      describeRun(state, views, { run, baseCommit: 'b', startedAt: 0, endedAt: null });
    expect(described(waiting).tasks['d']).toMatchObject({
      reason: 'pull request #7: waits for a review (https://github.test/7)',
      pull_request: { number: 7, url: 'https://github.test/7', waits_for: 'waits for a review', needs_person: true },
    });
    expect(waitingRequests(described(waiting))).toMatchObject([
      { task_id: 'd', number: 7, waits_for: 'waits for a review' },
    ]);
    const merged = play([{ type: 'report', at: 4, report: report('d', 'merged') }], views, waiting);
    const late = play([{ type: 'request', at: 5, news }], views, merged);
    for (const state of [merged, late]) {
      expect(described(state).tasks['d']).toMatchObject({ reason: null, pull_request: { number: 7, waits_for: null } });
      expect(waitingRequests(described(state))).toEqual([]);
    }
    const retrying = play([{ type: 'report', at: 4, report: report('d', 'retrying') }], views, waiting);
    expect(described(retrying).tasks['d']).toMatchObject({ pull_request: { waits_for: null, needs_person: false } });
    const never = { ...news, number: null, url: null, waits: 'no rights' };
    const refused = play([{ type: 'request', at: 4, news: never }], views, waiting);
    expect(described(refused).tasks['d']).toMatchObject({ reason: 'no pull request yet: no rights' });
    const failed = play([{ type: 'report', at: 5, report: report('d', 'failed') }], views, refused);
    expect(described(failed).tasks['d']).not.toHaveProperty('pull_request');
  });

  test('is described in the public shape, and as a table that survives awkward names', () => {
    const odd = { ...view('a'), name: 'a | b\nc' };
    const state = play(granted(1, 'a'), byId(odd));
    const run = {
      project: 'p',
      run: 'r',
      repository: { id: 'x', path: '/repo', branch: 'main', host: 'h' },
      manifest: { sha256: '0', bytes: 1 },
    };
    const description = describeRun(state, byId(odd), { run, baseCommit: 'base', startedAt: 0, endedAt: null });
    expect(description).toMatchObject({
      run_id: 'r',
      status: 'running',
      integration_branch: 'main',
      tasks: { a: { status: 'working', started_at: '1970-01-01T00:00:00.001Z' } },
    });
    const table = runTable(description).split('\n');
    expect(table[0]).toBe('**running**: 0 of 1 tasks merged, 1 working');
    expect(table.find((line) => line.startsWith('| a '))).toBe('| a | a \\| b c | working | 1 |  |  |');
  });
});
