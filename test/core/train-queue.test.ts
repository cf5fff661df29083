import { describe, expect, test } from '@jest/globals';
import { canaryShown, checked, jobs, merged, plan } from '../../core/train-checks.ts';
import { beginAccepting, accepted, moved } from '../../core/train-landing.ts';
import { emptyTrain, membersOf, runsOf, submit, withdraw, type TrainQueue } from '../../core/train-queue.ts';
import { memberKey } from '../../core/train.ts';
import { trainMember } from '../../scripts/simulate/train.ts';
import { arrived, outcomes, planAndMerge } from '../support/train-steps.ts';

const tasks = (queue: TrainQueue): string[] => membersOf(queue).map(({ task }) => task);

describe('the queue of a train', () => {
  test('takes a member once, however often it is submitted, and each attempt by itself', () => {
    const once = submit(emptyTrain(), trainMember('a'));
    expect(submit(once, trainMember('a'))).toEqual(once);
    expect(tasks(submit(once, { ...trainMember('a'), attempt: 2 }))).toEqual(['a', 'a']);
    expect(runsOf(membersOf(once))).toEqual([trainMember('a').run]);
  });

  test('answers a member that it has dealt with the same again, whatever is asked', () => {
    const gone = withdraw(submit(emptyTrain(), trainMember('a')), trainMember('a'));
    expect(gone.lanes).toEqual([]);
    const again = withdraw(submit(gone, trainMember('a')), trainMember('a'));
    expect(outcomes(again)).toEqual(['a withdrawn', 'a withdrawn', 'a withdrawn']);
    expect(membersOf(again)).toEqual([]);
  });

  test('answers one that it has never heard of, and does not take it in when its submission comes late', () => {
    const queue = submit(withdraw(emptyTrain(), trainMember('a')), trainMember('a'));
    expect(outcomes(queue)).toEqual(['a withdrawn', 'a withdrawn']);
    expect(membersOf(queue)).toEqual([]);
  });

  test('remembers the last fifty answers', () => {
    let queue = emptyTrain();
    for (let index = 0; index < 60; index += 1) queue = withdraw(queue, trainMember(`${index}`));
    expect(queue.answered).toHaveLength(50);
    expect(queue.answered[49]?.key).toBe(memberKey(trainMember('59')));
  });

  test('keeps what is checked of the members before the one that leaves', () => {
    const queue = planAndMerge(['a', 'b', 'c', 'd'].reduce((to, task) => submit(to, trainMember(task)), emptyTrain()));
    const sizes = queue.lanes[0]!.checks.map(({ size }) => size);
    expect(sizes.length).toBe(2);
    const [short, long] = sizes as [number, number];
    const last = withdraw(queue, membersOf(queue)[long - 1]!);
    expect(last.lanes[0]!.checks.map(({ size }) => size)).toEqual(short < long ? [short] : []);
    expect(withdraw(queue, membersOf(queue)[0]!).lanes[0]!.checks).toEqual([]);
  });

  test('lets a member that is being accepted leave only when that has failed', () => {
    let queue = planAndMerge(submit(emptyTrain(), trainMember('a')));
    for (const { id } of jobs(queue)) queue = checked(queue, id, null);
    queue = beginAccepting(queue).queue;
    const leaving = withdraw(queue, trainMember('a'));
    expect(leaving.outbox).toEqual([]);
    expect(withdraw(leaving, trainMember('a'))).toEqual(leaving);
    const accepting = accepted(leaving, { commit: 'tip', base: 'base', commits: {} });
    // It is on its way to the branch: it is told when that is over.
    expect(withdraw(accepting, trainMember('a'))).toEqual(accepting);
    expect(submit(accepting, trainMember('a'))).toEqual(accepting);
    expect(outcomes(arrived(accepting))).toEqual(['a merged']);
    expect(outcomes(moved(leaving))).toEqual(['a withdrawn']);
    expect(tasks(moved(queue))).toEqual(['a']);
  });

  test('gives the place of a canary free when what it ran on has left', () => {
    const ride = { canary: 'warn', slots: 1 } as const;
    let queue = submit(submit(emptyTrain(), trainMember('a', ride)), trainMember('b', ride));
    queue = planAndMerge(queue);
    queue = checked(queue, jobs(queue)[0]!.id, null);
    const [canary] = jobs(queue);
    expect(canary?.kind).toBe('canary');
    queue = withdraw(queue, trainMember('a', ride));
    expect(plan(queue).planned).toHaveLength(1);
    // What it shows late counts for nothing: it is shown again.
    queue = planAndMerge(canaryShown(queue, canary!.id, true));
    queue = checked(queue, jobs(queue)[0]!.id, null);
    expect(jobs(queue).map(({ kind }) => kind)).toEqual(['canary']);
  });

  test('does not mind what was merged for members that have all left', () => {
    const { queue, planned } = plan(submit(emptyTrain(), trainMember('a')));
    const ids = planned.flatMap(({ checks }) => checks.map(({ id }) => id));
    const gone = withdraw(queue, trainMember('a'));
    const prefixes = ids.map((id) => ({ id, size: 1 }));
    const made = { base: 'base', tip: 'base', prefixes, commits: ['c'], cut: null, conflicts: [] };
    expect(merged(gone, ids, made)).toEqual(gone);
  });
});
