import { describe, expect, test } from '@jest/globals';
import type { Decision } from '../../core/person.ts';
import { reduceRun } from '../../core/reduce-run.ts';
import { nextDeadline } from '../../core/reduce-waits.ts';
import { describeRun, isOver, statusOf } from '../../core/run-description.ts';
import type { RunEvent } from '../../core/run-events.ts';
import { initialRunState, type RunSettings, type RunState, type TaskView } from '../../core/run-state.ts';
import { lockSnapshot, tasksToStart, tasksToTell } from '../../core/schedule.ts';
import type { TaskReport } from '../../core/task-report.ts';
import { NO_USAGE } from '../../core/usage.ts';
import { settings, taskView } from '../support/run-rules.ts';

/** A run in which things happen at given seconds. */
class Played {
  state: RunState;
  readonly views: Record<string, TaskView>;
  #seq = 0;

  constructor(views: TaskView[], given: Partial<RunSettings> = {}) {
    this.views = Object.fromEntries(views.map((view) => [view.id, view]));
    this.state = initialRunState(settings(given), 'base');
    this.play({ type: 'loaded', at: 0, tasks: views, last: true });
  }

  play(...events: RunEvent[]): this {
    for (const event of events) this.state = reduceRun(this.state, event, this.views);
    return this;
  }

  grant(at: number, ...granted: string[]): this {
    this.#seq += 1;
    // What the table grants to a task that holds locks, it tells with all that it may write then.
    const grown = granted.flatMap((task) => {
      const globs = this.state.tasks[task]?.growth?.globs;
      return globs === undefined ? [] : [{ task, writes: globs }];
    });
    return this.play(
      { type: 'synced', at, seq: this.#seq },
      { type: 'locks', at, answer: { seq: this.#seq, granted, grown, refused: [] } },
    );
  }

  refuse(at: number, task: string, final?: true): this {
    this.#seq += 1;
    const refusal = { task, by: 'other', clash: ['a', 'a'] as [string, string], ...(final ? { final } : {}) };
    return this.play(
      { type: 'synced', at, seq: this.#seq },
      { type: 'locks', at, answer: { seq: this.#seq, granted: [], refused: [refusal] } },
    );
  }

  /** The task is started, and reports. */
  report(at: number, task: string, said: Partial<TaskReport> & Pick<TaskReport, 'state' | 'seq'>): this {
    const counts = { attempt: 1, turns: 1, usage: { ...NO_USAGE }, branch: null, commit: null, mergedCommit: null };
    return this.play({ type: 'report', at, report: { task, reason: null, failure: null, ...counts, ...said } });
  }

  decide(at: number, task: string, outcome: Decision['outcome'], more: Partial<Decision> = {}): this {
    const wait = this.task(task).waits;
    return this.play({
      type: 'decideTask',
      at,
      task,
      decision: { wait, outcome, text: null, inputs: {}, by: 'person', ...more },
    });
  }

  task(id: string) {
    const task = this.state.tasks[id];
    if (task === undefined) throw new Error(`no task ${id}`);
    return task;
  }

  get wants(): string[] {
    return lockSnapshot(this.state, this.views, 'run').wants.map((want) => want.task);
  }

  get status(): string {
    return statusOf(this.state, this.views).status;
  }
}

const second = 1000;
const minute = 60 * second;

describe('a task that needs a word before it starts', () => {
  const views = [taskView({ id: 'a' }), taskView({ id: 'b', depends_on: ['a'], approval: 'start' })];

  test('asks when all that it depends on is merged, and wants its locks once it has the word', () => {
    const run = new Played(views).grant(1, 'a').play({ type: 'started', at: 1, task: 'a' });
    expect(run.task('b')).toMatchObject({ status: 'pending', wait: null });
    run.report(2, 'a', { state: 'merged', seq: 1, mergedCommit: 'm' });
    expect(run.task('b')).toMatchObject({ status: 'waiting_for_person', wait: { kind: 'start', id: 1, since: 2 } });
    expect(run.wants).toEqual([]);
    expect(run.status).toBe('waiting');
    run.decide(3, 'b', 'approve');
    expect(run.task('b')).toMatchObject({ status: 'pending', wait: null });
    expect(run.wants).toEqual(['b']);
    expect(run.status).toBe('running');
  });

  test('is cancelled by a rejection, and asks again when it is retried after a rejection', () => {
    const run = new Played([taskView({ id: 'b', approval: 'start' })]).decide(3, 'b', 'reject', { text: 'not now' });
    expect(run.task('b')).toMatchObject({ status: 'cancelled', reason: 'rejected by a person: not now', endedAt: 3 });
    expect(isOver(run.state, run.views)).toBe(true);
    run.play({ type: 'retryTask', at: 4, task: 'b', guidance: null });
    expect(run.task('b')).toMatchObject({ status: 'waiting_for_person', wait: { id: 2 } });
  });

  test('takes no word for another wait than the one it is in, and no kind of word that does not fit', () => {
    const run = new Played([taskView({ id: 'b', approval: 'start' })]);
    const before = run.state;
    for (const [outcome, more] of [
      ['approve', { wait: 0 }],
      ['answer', {}],
      ['retry', {}],
    ] as const) {
      expect(run.decide(3, 'b', outcome, more).state).toEqual(before);
    }
  });
});

describe('a task with inputs', () => {
  const inputs = [
    { name: 'REGION', prompt: 'Which region?', secret: false },
    { name: 'TOKEN', prompt: 'The token?', secret: true },
  ];
  const views = [taskView({ id: 'a' }), taskView({ id: 'b', depends_on: ['a'], inputs })];

  test('asks at once, long before it could start, for those that are missing, until it has all', () => {
    const run = new Played(views);
    expect(run.task('b').wait).toMatchObject({ kind: 'input', inputs });
    expect(run.status).toBe('running');
    run.decide(2, 'b', 'answer', { inputs: { REGION: { value: 'eu' } } });
    expect(run.task('b').wait).toMatchObject({ id: 2, inputs: [inputs[1]] });
    run.decide(3, 'b', 'answer', { inputs: { TOKEN: { sealed: 'x' } } });
    expect(run.task('b')).toMatchObject({ status: 'pending', wait: null, inputs: { REGION: { value: 'eu' } } });
  });

  test('never takes a secret in clear', () => {
    const run = new Played(views).decide(2, 'b', 'answer', { inputs: { TOKEN: { value: 'in clear' } } });
    expect(JSON.stringify(run.state)).not.toContain('in clear');
    expect(run.task('b').wait).toMatchObject({ id: 1 });
  });

  test('that is blocked asks for nothing, and asks again when it no longer is', () => {
    const run = new Played(views).play({ type: 'cancelTask', at: 1, task: 'a' });
    expect(run.task('b')).toMatchObject({ status: 'blocked', wait: null });
    run.play({ type: 'retryTask', at: 2, task: 'a', guidance: null });
    expect(run.task('b')).toMatchObject({ status: 'waiting_for_person', wait: { id: 2 } });
  });
});

describe('a task that asks while it is at work', () => {
  const asking = (given: Partial<RunSettings> = {}): Played =>
    new Played([taskView({ id: 'a' }), taskView({ id: 'b' })], { maxParallel: 1, ...given })
      .grant(1, 'a')
      .play({ type: 'started', at: 1, task: 'a' })
      .report(2, 'a', {
        state: 'waiting',
        seq: 1,
        reason: 'which one?',
        wait: { kind: 'question', question: 'which?' },
      });

  test('keeps its locks for a while but no place, and is told the answer', () => {
    const run = asking();
    const snapshot = lockSnapshot(run.state, run.views, 'run');
    expect(snapshot).toMatchObject({ slots: 1, holds: [{ task: 'a', idle: true }], wants: [{ task: 'b' }] });
    run.decide(3, 'a', 'answer', { text: 'the first' });
    expect(run.task('a')).toMatchObject({ status: 'working', wait: null, holds: true });
    expect(tasksToTell(run.state)).toEqual(['a']);
    expect(run.task('a').news).toMatchObject({ kind: 'decision', report: 1, released: false });
    run.play({ type: 'told', at: 4, task: 'a', report: 1 });
    expect(tasksToTell(run.state)).toEqual([]);
  });

  test('that nobody answers for ten minutes gives up its locks, and is told the answer when it has them again', () => {
    const run = asking();
    expect(nextDeadline(run.state)).toBe(2 + 10 * minute);
    run.play({ type: 'tick', at: 2 + 10 * minute });
    expect(run.task('a')).toMatchObject({ status: 'waiting_for_person', holds: false, open: true });
    expect(nextDeadline(run.state)).toBe(null);
    run.decide(11 * minute, 'a', 'answer', { text: 'x' });
    expect(run.task('a').status).toBe('waiting_for_lock');
    expect(tasksToTell(run.state)).toEqual([]);
    expect(run.wants).toEqual(['a', 'b']);
    run.grant(12 * minute, 'a');
    expect(tasksToTell(run.state)).toEqual(['a']);
    expect(tasksToStart(run.state)).toEqual([]);
    expect(run.task('a')).toMatchObject({ status: 'working', news: { released: true } });
  });

  test('and is rejected hears so without its locks', () => {
    const run = asking()
      .play({ type: 'tick', at: 11 * minute })
      .decide(12 * minute, 'a', 'reject');
    expect(tasksToTell(run.state)).toEqual(['a']);
  });

  test('gets the default after the deadline: a question is rejected even where approval is the default', () => {
    const run = asking({ people: { deadlineMs: minute, outcome: 'approve' } });
    expect(run.task('a').wait?.deadline).toBe(2 + minute);
    run.play({ type: 'tick', at: 1 + minute });
    expect(run.task('a').wait).not.toBe(null);
    run.play({ type: 'tick', at: 2 + minute });
    expect(run.task('a').news).toMatchObject({ kind: 'decision', decision: { outcome: 'reject', by: 'deadline' } });
  });

  test('at a bound is not let go on by a deadline, whatever the default: nothing is spent with nobody there', () => {
    const people = { deadlineMs: minute, outcome: 'approve' } as const;
    const waiting = (kind: 'review' | 'merge'): Played =>
      new Played([taskView({ id: 'a' })], { people })
        .grant(1, 'a')
        .play({ type: 'started', at: 1, task: 'a' })
        .report(2, 'a', { state: 'waiting', seq: 1, wait: { kind, question: 'what now?' } })
        .play({ type: 'tick', at: 2 * minute });
    expect(waiting('review').task('a').news).toMatchObject({ decision: { outcome: 'reject', by: 'deadline' } });
    expect(waiting('merge').task('a').news).toMatchObject({ decision: { outcome: 'approve', by: 'deadline' } });
  });

  test('makes its run wait only when nothing else can go on', () => {
    expect(asking().status).toBe('running');
    const alone = new Played([taskView({ id: 'a' }), taskView({ id: 'c', depends_on: ['a'] })])
      .grant(1, 'a')
      .play({ type: 'started', at: 1, task: 'a' })
      .report(2, 'a', { state: 'waiting', seq: 1, wait: { kind: 'merge', question: 'may it?' } });
    expect(alone.status).toBe('waiting');
    expect(describeRun(alone.state, alone.views, facts).reason).toBe('a waits for a word before it is merged: may it?');
  });

  test('is named as the reason why its run waits, with how many others do', () => {
    const two = new Played([taskView({ id: 'a', approval: 'start' }), taskView({ id: 'b', approval: 'start' })]);
    two.play({ type: 'tick', at: 1 });
    expect(describeRun(two.state, two.views, facts).reason).toBe(
      'a waits for a word before it starts, and 1 more task waits for a person: May a task-a start?',
    );
  });
});

const facts = {
  run: {
    project: 'p',
    run: 'r',
    repository: { id: 'i', path: '/', branch: 'main', host: 'h' },
    manifest: { sha256: '', bytes: 0 },
  },
  baseCommit: 'base',
  startedAt: 0,
  endedAt: null,
};

describe('a task that wrote outside of its claims', () => {
  const growing = (): Played =>
    new Played([taskView({ id: 'a' }), taskView({ id: 'b' })], { growthWaitMs: 5 * minute })
      .grant(1, 'a')
      .play({ type: 'started', at: 1, task: 'a' })
      .report(2, 'a', { state: 'needs_locks', seq: 1, claims: ['lib/x.ts'] });

  test('asks for the rest of what it needs while it holds what it has', () => {
    const run = growing();
    const { holds, wants } = lockSnapshot(run.state, run.views, 'run');
    expect(holds).toMatchObject([{ task: 'a', claims: { writes: ['a/**'] } }]);
    expect(wants[0]).toMatchObject({ task: 'a', grows: true, claims: { writes: ['a/**', 'lib/x.ts'] } });
    run.grant(3, 'a');
    expect(run.task('a')).toMatchObject({ status: 'working', growth: null, extra: ['lib/x.ts'] });
    expect(run.task('a').news).toMatchObject({ kind: 'growth', released: false });
  });

  test('says whom it waits for, and gives up all after a while', () => {
    const run = growing().refuse(3, 'a');
    expect(run.task('a')).toMatchObject({
      status: 'waiting_for_lock',
      holds: true,
      reason: expect.stringContaining('other'),
    });
    expect(nextDeadline(run.state)).toBe(2 + 5 * minute);
    run.play({ type: 'tick', at: 2 + 5 * minute });
    expect(run.task('a')).toMatchObject({ holds: false, open: true, extra: ['lib/x.ts'] });
    expect(run.wants).toEqual(['a', 'b']);
    run.grant(6 * minute, 'a');
    expect(run.task('a').news).toMatchObject({ kind: 'growth', released: true });
    expect(tasksToTell(run.state)).toEqual(['a']);
  });

  test('gives up all at once where waiting could be a deadlock', () => {
    expect(growing().refuse(3, 'a', true).task('a')).toMatchObject({ holds: false, status: 'waiting_for_lock' });
  });

  test('claims what it needed from the start when it is tried again', () => {
    const run = growing()
      .grant(3, 'a')
      .report(4, 'a', { state: 'failed', seq: 2, reason: 'no' })
      .play({ type: 'closed', at: 5, task: 'a', how: 'failed', report: null })
      .play({ type: 'retryTask', at: 6, task: 'a', guidance: 'try harder' });
    const [want] = lockSnapshot(run.state, run.views, 'run').wants;
    expect(want).toMatchObject({ task: 'a', claims: { writes: ['a/**', 'lib/x.ts'] } });
    expect(run.task('a').guidance).toEqual(['try harder']);
    run.grant(7, 'a').play({ type: 'started', at: 8, task: 'a' });
    expect(run.task('a').guidance).toEqual([]);
  });
});

describe('what people change in a run', () => {
  const views = [taskView({ id: 'a' }), taskView({ id: 'b', depends_on: ['a'] }), taskView({ id: 'c' })];

  test('a skipped task blocks what depends on it, unless it counts as done', () => {
    const blocked = new Played(views).play({ type: 'skipTask', at: 1, task: 'a', satisfied: false });
    expect(blocked.task('b')).toMatchObject({ status: 'blocked', reason: 'depends on a, which was skipped' });
    const free = new Played(views).play({ type: 'skipTask', at: 1, task: 'a', satisfied: true });
    expect(free.wants).toEqual(['b', 'c']);
  });

  test('a task at work is not skipped', () => {
    const run = new Played(views).grant(1, 'a').play({ type: 'started', at: 1, task: 'a' });
    run.play({ type: 'skipTask', at: 2, task: 'a', satisfied: true });
    expect(run.task('a').status).toBe('working');
  });

  test('a priority decides who is first, and the parallelism how many', () => {
    const run = new Played(views, { maxParallel: 1 }).play({ type: 'setTask', at: 1, task: 'c', priority: 5 });
    expect(run.wants).toEqual(['c', 'a']);
    run.play({ type: 'setRun', at: 2, maxParallel: 7 });
    expect(lockSnapshot(run.state, run.views, 'run').slots).toBe(7);
  });

  test('added tasks are known when they are loaded, and may depend on old ones', () => {
    const run = new Played(views).play({ type: 'addTasks', at: 1, manifest: { sha256: 'new', bytes: 1 } });
    const added = taskView({ id: 'd', depends_on: ['c'] });
    run.views['d'] = added;
    run.play({ type: 'loaded', at: 2, tasks: [added], last: true });
    expect(run.state.manifest?.sha256).toBe('new');
    expect(run.task('d').status).toBe('pending');
    expect(Object.keys(run.state.tasks)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a task that an earlier run merged is merged, and what depends on it may start', () => {
    const run = new Played([
      taskView({ id: 'a', done: { run: 'old', commit: 'm' } }),
      taskView({ id: 'b', depends_on: ['a'] }),
    ]);
    expect(run.task('a')).toMatchObject({ status: 'merged', mergedCommit: 'm', reason: 'merged by run old' });
    expect(run.wants).toEqual(['b']);
  });
});
