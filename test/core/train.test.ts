import { describe, expect, test } from '@jest/globals';
import { checked, merged, plan } from '../../core/train-checks.ts';
import { beginLanding, landed, landingNews, moved } from '../../core/train-landing.ts';
import { emptyTrain, membersOf, submit, withdraw, type TrainQueue } from '../../core/train-queue.ts';
import type { TrainMember } from '../../core/train.ts';
import { trainMember } from '../../scripts/simulate/train.ts';

const { run } = trainMember('a');
const member = (task: string, attempt = 1): TrainMember => ({ ...trainMember(task), attempt });

/** Takes all that waits to a green candidate, about to land. */
function landing(queue: TrainQueue): TrainQueue {
  const { queue: planned, planned: lanes } = plan(queue);
  const checks = lanes.flatMap((lane) => lane.checks);
  const prefixes = checks.map(({ id, size }) => ({ id, size, commit: `m${size}` }));
  const ids = checks.map(({ id }) => id);
  const built = merged(planned, ids, { base: 'b', tip: 'b', prefixes, cut: null, conflicts: [] });
  return beginLanding(ids.reduce((before, id) => checked(before, id, null), built)).queue;
}

describe('the queue of a train', () => {
  test('takes a member once, however often it is submitted', () => {
    const once = submit(emptyTrain(), member('a'));
    expect(membersOf(submit(once, member('a')))).toHaveLength(1);
    const working = landing(once);
    expect(submit(working, member('a'))).toEqual(working);
    expect(membersOf(submit(once, member('a', 2)))).toHaveLength(2);
  });

  test('answers a member that it has dealt with the same again', () => {
    const done = { ...landed(landing(submit(emptyTrain(), member('a'))), 'm1', {}), outbox: [] };
    const answer = [
      { member: { run, task: 'a', attempt: 1 }, result: { outcome: 'merged', attempt: 1, commit: 'm1' } },
    ];
    expect(submit(done, member('a')).outbox).toEqual(answer);
    expect(withdraw(done, member('a')).outbox).toEqual(answer);
  });

  test('lets a waiting member go at once, and one that is being landed when it is known whether it has landed', () => {
    const waiting = submit(submit(emptyTrain(), member('a')), member('b'));
    const gone = withdraw(waiting, member('b'));
    expect(gone.outbox.map(({ result }) => result)).toEqual([{ outcome: 'withdrawn', attempt: 1 }]);
    expect(membersOf(gone).map((other) => other.task)).toEqual(['a']);
    expect(submit({ ...gone, outbox: [] }, member('b')).outbox.at(0)?.result.outcome).toBe('withdrawn');
    const leaving = withdraw(landing(submit(emptyTrain(), member('a'))), member('a'));
    expect(leaving.outbox).toEqual([]);
    expect(landed(leaving, 'm1', {}).outbox.map(({ result }) => result.outcome)).toEqual(['merged']);
    expect(moved(leaving).outbox.map(({ result }) => result.outcome)).toEqual(['withdrawn']);
    expect(membersOf(moved(leaving))).toEqual([]);
  });

  test('tells each run once that its work has not landed, and all of them when it has', () => {
    const refused = { tip: 't', landed: false, reason: 'dirty', hint: 'stash', diverged: false };
    const first = landingNews(emptyTrain(), refused, [run]);
    expect(first.tell).toEqual([run]);
    expect(landingNews(first.queue, refused, []).tell).toEqual([]);
    const other = { ...run, run: 'r2' };
    const second = landingNews(first.queue, { ...refused, tip: 't2' }, [other]);
    expect(second.tell).toEqual([run, other]);
    const there = landingNews(second.queue, { ...refused, landed: true, reason: null, hint: null }, []);
    expect(there.tell).toEqual([run, other]);
    expect(there.queue.unlanded).toBeNull();
  });

  test('a landing that works at once tells nobody', () => {
    expect(
      landingNews(emptyTrain(), { tip: 't', landed: true, reason: null, hint: null, diverged: false }, [run]).tell,
    ).toEqual([]);
  });
});
