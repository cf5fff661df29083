import { describe, expect, test } from '@jest/globals';
import { begin, emptyTrain, finish, landing, submit, withdraw, type TrainMember } from '../../core/train.ts';

const run = {
  project: 'p',
  run: 'r',
  repository: { id: 'x', path: '/repo', branch: 'main', host: 'h' },
  manifest: { sha256: '0', bytes: 1 },
};
const member = (task: string, attempt = 1): TrainMember => ({ run, task, name: task, attempt, commit: 'c', base: 'b' });

describe('the queue of a train', () => {
  test('takes a member once, however often it is submitted', () => {
    const once = submit(emptyTrain(), member('a')).queue;
    expect(submit(once, member('a')).queue.waiting).toHaveLength(1);
    const working = begin(once);
    expect(submit(working, member('a')).queue).toEqual(working);
    expect(submit(once, member('a', 2)).queue.waiting).toHaveLength(2);
  });

  test('answers a member that it has dealt with the same again', () => {
    const done = finish(begin(submit(emptyTrain(), member('a')).queue), { outcome: 'merged', attempt: 1, commit: 'm' });
    expect(submit(done, member('a')).answer).toEqual({ outcome: 'merged', attempt: 1, commit: 'm' });
    expect(withdraw(done, member('a')).answer).toEqual({ outcome: 'merged', attempt: 1, commit: 'm' });
  });

  test('lets a waiting member go at once, and leaves one in work to whoever works on it', () => {
    const waiting = submit(submit(emptyTrain(), member('a')).queue, member('b')).queue;
    const gone = withdraw(waiting, member('b'));
    expect(gone.answer).toEqual({ outcome: 'withdrawn', attempt: 1 });
    expect(gone.queue.waiting.map((other) => other.task)).toEqual(['a']);
    expect(submit(gone.queue, member('b')).answer?.outcome).toBe('withdrawn');
    expect(withdraw(begin(waiting), member('a')).answer).toBeNull();
  });

  test('tells each run once that its work has not landed, and all of them when it has', () => {
    const refused = { tip: 't', landed: false, reason: 'dirty', hint: 'stash', diverged: false };
    const first = landing(emptyTrain(), refused, run);
    expect(first.tell).toEqual([run]);
    expect(landing(first.queue, refused, null).tell).toEqual([]);
    const other = { ...run, run: 'r2' };
    const second = landing(first.queue, { ...refused, tip: 't2' }, other);
    expect(second.tell).toEqual([run, other]);
    const landed = landing(second.queue, { ...refused, landed: true, reason: null, hint: null }, null);
    expect(landed.tell).toEqual([run, other]);
    expect(landed.queue.unlanded).toBeNull();
  });

  test('a landing that works at once tells nobody', () => {
    expect(
      landing(emptyTrain(), { tip: 't', landed: true, reason: null, hint: null, diverged: false }, run).tell,
    ).toEqual([]);
  });
});
