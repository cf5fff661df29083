import { describe, expect, test } from '@jest/globals';
import { reduceRun } from '../../../core/reduce-run.ts';
import { initialRunState, type RunState, type TaskView } from '../../../core/run-state.ts';
import { isExhausted } from '../../../core/schedule.ts';
import { settings, taskView } from '../../support/run-rules.ts';
import { stateToGoOnFrom } from '../../../workers/runs/restart-run.ts';

const view = (id: string, depends_on: string[] = []): TaskView => taskView({ id, depends_on });
const views = { a: view('a'), b: view('b', ['a']), c: view('c'), d: view('d') };

/** A run that was terminated: `a` failed, `b` is blocked by it, `c` was cut off while it worked, `d` was cancelled. */
function closedRun(): RunState {
  let state = reduceRun(
    initialRunState(settings(), 'base'),
    { type: 'loaded', at: 1, tasks: Object.values(views), last: true },
    views,
  );
  for (const event of [
    { type: 'started', at: 2, task: 'a' },
    { type: 'closed', at: 3, task: 'a', how: 'terminated', report: null },
    { type: 'started', at: 4, task: 'c' },
    { type: 'cancelTask', at: 5, task: 'd' },
    { type: 'pause', at: 6 },
    { type: 'cancel', at: 7 },
  ] as const) {
    state = reduceRun(state, event, views);
  }
  return state;
}

describe('the state that a run goes on from', () => {
  test('tries all that failed again, and frees what waited for it', () => {
    const { state, retried } = stateToGoOnFrom(closedRun(), views, null, 10);
    expect(retried).toEqual(['a', 'd', 'c']);
    expect(Object.values(state.tasks).map((task) => task.status)).toEqual(['pending', 'pending', 'pending', 'pending']);
    expect(state).toMatchObject({ paused: null, cancelling: false });
    expect(isExhausted(state)).toBe(false);
  });

  test('tries only the named tasks again, and goes on with what was cut off', () => {
    const { state, retried } = stateToGoOnFrom(closedRun(), views, ['d'], 10);
    expect(retried).toEqual(['d', 'c']);
    expect(state.tasks).toMatchObject({
      ...{ a: { status: 'failed' }, b: { status: 'blocked' }, c: { status: 'pending' }, d: { status: 'pending' } },
    });
  });

  test('passes what a person says on to the named tasks, whether they failed or were cut off', () => {
    const { state } = stateToGoOnFrom(closedRun(), views, ['a', 'c'], 10, 'mind the gap');
    expect(Object.values(state.tasks).map(({ guidance }) => guidance)).toEqual([
      ['mind the gap'],
      [],
      ['mind the gap'],
      [],
    ]);
  });

  test('has what was merged, by this run or an earlier one, as it was', () => {
    const done = { ...views, a: taskView({ id: 'a', done: { run: 'before', commit: 'c1' } }) };
    const loaded = { type: 'loaded', at: 1, tasks: Object.values(done), last: true } as const;
    const closed = reduceRun(initialRunState(settings(), 'base'), loaded, done);
    const { state } = stateToGoOnFrom(closed, done, null, 10);
    expect(state.tasks).toMatchObject({ a: { status: 'merged', mergedCommit: 'c1' }, b: { status: 'pending' } });
  });

  test('holds and opens nothing', () => {
    const { state } = stateToGoOnFrom(closedRun(), views, null, 10);
    for (const task of Object.values(state.tasks))
      expect(task).toMatchObject({ holds: false, open: false, cancelling: false });
  });
});
