import { describe, expect, test } from '@jest/globals';
import { learn, UNKNOWN_FAILURES } from '../../core/failure-belief.ts';
import { blamed, canaryShown, checked, jobs, merged, notMerged, plan, type Job } from '../../core/train-checks.ts';
import { halt, resume } from '../../core/train-halt.ts';
import { accepted, beginAccepting } from '../../core/train-landing.ts';
import { emptyTrain, membersOf, submit, withdraw, type TrainQueue } from '../../core/train-queue.ts';
import type { Ride } from '../../core/train.ts';
import { trainMember } from '../../scripts/simulate/train.ts';
import { conflictEvidence, integrationEvidence, integrationFailure } from '../support/train-evidence.ts';
import { arrived, land, outcomes, planAndMerge } from '../support/train-steps.ts';

const add = (queue: TrainQueue, tasks: readonly string[], ride: Partial<Ride> = {}): TrainQueue =>
  tasks.reduce((next, task) => submit(next, trainMember(task, ride)), queue);

const ofKind = (queue: TrainQueue, kind: Job['kind']): Job => jobs(queue).find((job) => job.kind === kind)!;
const commits = (queue: TrainQueue): string[] => jobs(queue).map(({ kind, commit }) => `${kind}: ${commit}`);
const verdict = (queue: TrainQueue, commit: string, green: boolean): TrainQueue =>
  checked(queue, jobs(queue).find((job) => job.commit === commit)!.id, green ? null : integrationFailure());

describe('planning', () => {
  test('takes no more places than there are, and fills one that is free with what has come since', () => {
    let queue = planAndMerge(add(emptyTrain(), ['a'], { slots: 2 }));
    expect(commits(queue)).toEqual(['candidate: base a']);
    queue = planAndMerge(add(queue, ['b'], { slots: 2 }));
    expect(commits(queue)).toEqual(['candidate: base a', 'candidate: base a b']);
    expect(plan(add(queue, ['c'], { slots: 2 })).planned).toEqual([]);
  });

  test('lets independent lanes share the places, and others take turns by age', () => {
    let queue = add(add(emptyTrain(), ['x'], { lane: 'x' }), ['y'], { lane: 'y' });
    queue = planAndMerge(add(queue, ['m']));
    expect(commits(queue)).toEqual(['candidate: base x', 'candidate: base y']);
    queue = land(verdict(queue, 'base x', true));
    // Whoever comes later waits until the oldest has had its turn.
    queue = planAndMerge(add(queue, ['x2'], { lane: 'x' }));
    expect(commits(queue)).toEqual(['candidate: base y']);
    queue = planAndMerge(land(verdict(queue, 'base y', true)), 'base x y');
    expect(commits(queue)).toEqual(['candidate: base x y m']);
  });

  test('never mixes members with other definitions of checks', () => {
    const queue = planAndMerge(add(add(emptyTrain(), ['a'], { checks: 'c1' }), ['b'], { checks: 'c2' }));
    expect(commits(queue)).toEqual(['candidate: base a']);
  });
});

describe('merging', () => {
  const begun = plan(add(emptyTrain(), ['a', 'b', 'c', 'd'])).queue;
  const ids = begun.lanes[0]!.checks.map(({ id }) => id);
  const built = { base: 'base', tip: 'base', cut: null, conflicts: [] };

  test('sends a member in conflict back, and checks the others without it', () => {
    const conflicts = [{ member: membersOf(begun)[0]!, evidence: conflictEvidence() }];
    const prefixes = [{ id: ids.at(-1)!, size: 3 }];
    const queue = merged(begun, ids, { ...built, conflicts, prefixes, commits: ['base b', 'base b c', 'base b c d'] });
    expect(outcomes(queue)).toEqual(['a rejected']);
    expect(membersOf(queue).map(({ task }) => task)).toEqual(['b', 'c', 'd']);
    expect(commits(queue)).toEqual(['candidate: base b c d']);
  });

  test('lets one wait that only conflicts with those before it, until they have landed', () => {
    const prefixes = ids.map((id) => ({ id, size: 2 }));
    let queue = merged(begun, ids, { ...built, prefixes, commits: ['base a', 'base a b'], cut: 2 });
    expect(commits(queue)).toEqual(['candidate: base a b']);
    expect(plan(queue).planned).toEqual([]);
    queue = land(verdict(queue, 'base a b', true));
    expect(plan(queue).planned[0]!.checks.at(-1)!.size).toBe(2);
  });

  test('on another base than before voids what was known', () => {
    let queue = planAndMerge(add(emptyTrain(), ['a', 'b', 'c'], { slots: 1 }));
    queue = verdict(queue, jobs(queue)[0]!.commit, false);
    expect(queue.lanes[0]!.red).toBeGreaterThan(1);
    queue = { ...queue, lanes: queue.lanes.map((lane) => ({ ...lane, chain: null })) };
    queue = planAndMerge(queue, 'base2');
    expect(queue.lanes[0]!.red).toBe(0);
    expect(queue.lanes[0]!.failure).toBeNull();
  });

  test('is not done again for what is searched inside of it', () => {
    const long = planAndMerge(add(emptyTrain(), ['a', 'b', 'c', 'd', 'e', 'f', 'g'], { slots: 1 }));
    const { commit } = jobs(long)[0]!;
    const { queue, planned, begun: ids } = plan(verdict(long, commit, false));
    const [search] = jobs(queue);
    expect([planned, ids]).toEqual([[], [search!.id]]);
    expect(commit.startsWith(`${search!.commit} `)).toBe(true);
    // Somebody who leaves takes the rest of it along.
    const [, second] = membersOf(long);
    const left = withdraw(verdict(long, commit, false), second!);
    expect(left.lanes[0]!.chain!.commits).toEqual(['base a']);
    expect(plan(left).planned.length).toBe(1);
  });

  test('that cannot be gives the places free', () => {
    const queue = notMerged(begun, ids);
    expect(jobs(queue)).toEqual([]);
    expect(plan(queue).planned).toHaveLength(1);
  });
});

describe('a red check', () => {
  test('ends the longer ones, and a green one the shorter', () => {
    const queue = planAndMerge(add(emptyTrain(), ['a', 'b', 'c', 'd', 'e', 'f', 'g'], { slots: 3 }));
    const [short, middle, long] = jobs(queue).map(({ commit }) => commit) as [string, string, string];
    expect(commits(verdict(queue, middle, false))).toEqual([`candidate: ${short}`]);
    expect(commits(verdict(queue, middle, true))).toEqual([`candidate: ${long}`]);
  });

  test('is blamed on a member that is red alone, when the tip is green by itself', () => {
    let queue = verdict(planAndMerge(add(emptyTrain(), ['a'])), 'base a', false);
    expect(commits(queue)).toEqual(['tip: base']);
    queue = verdict(queue, 'base', true);
    expect(commits(queue)).toEqual(['culprit: base a']);
    expect(queue.belief).toEqual(learn(UNKNOWN_FAILURES, 0, 1));
    // It holds up nobody.
    queue = planAndMerge(add(queue, ['b']));
    expect(commits(queue)).toEqual(['candidate: base b', 'culprit: base a']);
    queue = blamed(queue, ofKind(queue, 'culprit').id, integrationEvidence());
    expect(outcomes(queue)).toEqual(['a rejected']);
    expect(blamed(queue, 1, integrationEvidence())).toBe(queue);
  });

  test('of two that are green alone lets the first land, and sends the second back', () => {
    let queue = planAndMerge(add(emptyTrain(), ['a', 'b']));
    queue = verdict(queue, 'base a', true);
    queue = verdict(queue, 'base a b', false);
    queue = land(queue);
    // The tip with the first one was checked already.
    expect(outcomes(queue)).toEqual(['a merged']);
    expect(commits(queue)).toEqual(['culprit: base a b']);
  });

  test('on a tip that is red itself stops the train and blames nobody', () => {
    let queue = verdict(planAndMerge(add(emptyTrain(), ['a'])), 'base a', false);
    queue = checked(queue, ofKind(queue, 'tip').id, integrationFailure('boom'));
    expect(queue.halt).toMatchObject({ kind: 'tip', detail: 'boom', tip: 'base' });
    expect(outcomes(queue)).toEqual([]);
    expect(jobs(queue)).toEqual([]);
    expect(plan(queue).planned).toEqual([]);
    // Everything is checked again when it goes on: also what was red.
    const again = planAndMerge(resume(queue));
    expect(jobs(again)[0]).toMatchObject({ commit: 'base a', epoch: queue.epoch + 1 });
  });

  test('is blamed without a look at the tip where the project says so', () => {
    const queue = verdict(planAndMerge(add(emptyTrain(), ['a'], { recheckTip: false })), 'base a', false);
    expect(commits(queue)).toEqual(['culprit: base a']);
  });

  test('after a green one of the same check counts for nothing', () => {
    const queue = planAndMerge(add(emptyTrain(), ['a'], { canary: 'warn' }));
    const { id } = jobs(queue)[0]!;
    const green = checked(queue, id, null);
    expect(checked(green, id, integrationFailure())).toEqual(green);
  });
});

describe('a halt', () => {
  const why = { kind: 'error', reason: 'no', hint: '', detail: '', tip: 'base' } as const;

  test('takes culprits back in the order in which they came', () => {
    let queue = verdict(
      planAndMerge(add(emptyTrain(), ['a', 'b'], { slots: 1, recheckTip: false })),
      'base a b',
      false,
    );
    queue = verdict(planAndMerge(queue), 'base a', false);
    expect(commits(queue)).toEqual(['culprit: base a']);
    const halted = halt(queue, why);
    expect(membersOf(halted).map(({ task }) => task)).toEqual(['a', 'b']);
    expect(halted.culprits).toEqual([]);
    // Evidence that comes late blames nobody.
    expect(blamed(halted, ofKind(queue, 'culprit').id, integrationEvidence())).toBe(halted);
  });

  test('lets what is being accepted come to its end', () => {
    let queue = planAndMerge(add(emptyTrain(), ['a', 'b', 'c'], { slots: 3 }));
    queue = beginAccepting(verdict(queue, 'base a', true)).queue;
    queue = accepted(halt(queue, why), { commit: 'tip', base: 'base', commits: {} });
    queue = arrived(queue);
    expect(outcomes(queue)).toEqual(['a merged']);
    expect(membersOf(queue).map(({ task }) => task)).toEqual(['b', 'c']);
    expect(resume(queue).halt).toBeNull();
  });

  test('is over only once', () => {
    const queue = emptyTrain();
    expect(resume(queue)).toBe(queue);
  });
});

describe('a canary', () => {
  const green = (canary: Ride['canary']): TrainQueue =>
    verdict(planAndMerge(add(emptyTrain(), ['a'], { canary })), 'base a', true);

  test('runs once, on the first tree that is green, and nothing lands before', () => {
    const queue = green('warn');
    expect(commits(queue)).toEqual(['canary: base a']);
    expect(beginAccepting(queue).acceptance).toBeNull();
    const shown = canaryShown(queue, ofKind(queue, 'canary').id, true);
    expect(commits(shown)).toEqual([]);
    expect(beginAccepting(shown).acceptance).not.toBeNull();
  });

  test('of checks that prove nothing stops the train under `block`, and warns otherwise', () => {
    const blocked = green('block');
    expect(canaryShown(blocked, ofKind(blocked, 'canary').id, false).halt?.kind).toBe('canary');
    const warned = green('warn');
    const shown = canaryShown(warned, ofKind(warned, 'canary').id, false);
    expect(shown.halt).toBeNull();
    expect(land(shown).outbox[0]!.result).toHaveProperty('warnings');
  });

  test('that is off is not waited for', () => {
    expect(beginAccepting(green('off')).acceptance).not.toBeNull();
  });

  test('of a member that left counts for nothing', () => {
    const queue = green('block');
    const { id } = ofKind(queue, 'canary');
    expect(canaryShown(withdraw(queue, trainMember('a')), id, false).halt).toBeNull();
  });
});
