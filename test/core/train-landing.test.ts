import { describe, expect, test } from '@jest/globals';
import { learn } from '../../core/failure-belief.ts';
import { blamed, checked, jobs, merged, plan, planBehind, type Job } from '../../core/train-checks.ts';
import { accepted, beginAccepting, landed, landingNews, mayGrow, moved } from '../../core/train-landing.ts';
import { emptyTrain, membersOf, submit, type TrainQueue } from '../../core/train-queue.ts';
import type { Ride } from '../../core/train.ts';
import { trainMember } from '../../scripts/simulate/train.ts';
import { integrationEvidence, integrationFailure } from '../support/train-evidence.ts';
import { arrived, land, outcomes, planAndMerge } from '../support/train-steps.ts';

const train = (tasks: readonly string[], ride: Partial<Ride> = {}): TrainQueue =>
  tasks.reduce((queue, task) => submit(queue, trainMember(task, ride)), emptyTrain());

/** All candidates get their verdicts; red are those with one of these tasks in them. */
function verdicts(queue: TrainQueue, bad: readonly string[] = []): TrainQueue {
  return jobs(queue).reduce((next, job) => {
    const isRed = job.kind === 'candidate' && job.commit.split(' ').some((task) => bad.includes(task));
    return checked(next, job.id, isRed ? integrationFailure() : null);
  }, queue);
}

describe('accepting', () => {
  test('takes the longest green prefix whole, and tells each member its own merge', () => {
    const queue = verdicts(planAndMerge(train(['a', 'b', 'c'])));
    const { queue: begun, acceptance } = beginAccepting(queue);
    expect(acceptance!.members.map(({ task }) => task)).toEqual(['a', 'b', 'c']);
    const waiting = accepted(begun, { commit: 'tip', base: 'base', commits: { 'project..run..b..1': 'merge of b' } });
    expect(waiting).toMatchObject({ outbox: [], lanes: [], tip: 'tip' });
    const over = arrived(waiting);
    expect(over.outbox.map(({ result }) => result)).toEqual([
      { outcome: 'merged', attempt: 1, commit: 'tip' },
      { outcome: 'merged', attempt: 1, commit: 'merge of b' },
      { outcome: 'merged', attempt: 1, commit: 'tip' },
    ]);
    expect(over.lanes).toEqual([]);
    expect(over.tip).toBe('tip');
  });

  test('goes on with a longer prefix that is still being checked, and counts it from its new first member', () => {
    let queue = planAndMerge(train(['a', 'b', 'c', 'd', 'e'], { slots: 3 }));
    const sizes = queue.lanes[0]!.checks.map(({ size }) => size);
    queue = checked(queue, jobs(queue)[0]!.id, null);
    expect(mayGrow(queue)).toBe(true);
    queue = land(queue);
    expect(queue.lanes[0]!.checks.map(({ size }) => size)).toEqual(sizes.slice(1).map((size) => size - sizes[0]!));
    expect(membersOf(queue)).toHaveLength(5 - sizes[0]!);
  });

  test('waits while more of its lane is being merged', () => {
    let queue = planAndMerge(train(['a'], { slots: 2 }));
    queue = plan(submit(queue, trainMember('b'))).queue;
    queue = checked(queue, jobs(queue)[0]!.id, null);
    expect(beginAccepting(queue).acceptance).toBeNull();
    const { id } = queue.lanes[0]!.checks.find(({ candidate }) => candidate === null)!;
    const commits = ['base a', 'base a b'];
    const made = { base: 'base', tip: 'base', prefixes: [{ id, size: 2 }], commits, cut: null, conflicts: [] };
    queue = merged(queue, [id], made);
    expect(beginAccepting(queue).acceptance!.members.map(({ task }) => task)).toEqual(['a']);
  });

  test('of one lane at a time', () => {
    let queue = submit(submit(emptyTrain(), trainMember('a', { lane: 'x' })), trainMember('b', { lane: 'y' }));
    queue = verdicts(planAndMerge(queue));
    queue = beginAccepting(queue).queue;
    expect(beginAccepting(queue).acceptance).toBeNull();
  });

  test('that found the branch moved lets its members wait again, and stands after twenty times', () => {
    let queue = train(['a', 'b']);
    for (let time = 1; time <= 20; time += 1) {
      expect(queue.halt).toBeNull();
      queue = verdicts(planAndMerge(queue, `base${time}`));
      queue = moved(beginAccepting(queue).queue);
      expect(membersOf(queue).map(({ task }) => task)).toEqual(['a', 'b']);
      expect(queue.outbox).toEqual([]);
    }
    expect(queue.halt?.kind).toBe('error');
  });

  describe('of a green prefix before a red one', () => {
    const tasks = Array.from('abcdefghijklmnopqrst');
    const built = planAndMerge(train(tasks, { slots: 2 }));
    const [short, long] = jobs(built) as [Job, Job];
    const searching = checked(checked(built, long.id, integrationFailure()), short.id, null);
    const accepting = beginAccepting(searching).queue;
    const behind = planBehind(accepting);
    const begun = jobs(behind);

    test('lets the search behind it begin meanwhile, on what is merged already', () => {
      expect(begun.length).toBeGreaterThan(0);
      for (const { commit } of begun) {
        expect(commit.startsWith(`${short.commit} `)).toBe(true);
        expect(long.commit.startsWith(`${commit} `)).toBe(true);
      }
      // The same that would be checked if it were accepted first.
      const after = accepted(accepting, { commit: short.commit, base: 'base', commits: {} });
      expect(jobs(plan(after).queue).map(({ commit }) => commit)).toEqual(begun.map(({ commit }) => commit));
    });

    test('leaves the search as it is, on the new tip', () => {
      const after = accepted(behind, { commit: short.commit, base: 'base', commits: {} });
      expect(jobs(after).map(({ id, commit }) => [id, commit])).toEqual(begun.map(({ id, commit }) => [id, commit]));
      for (const { candidate } of after.lanes[0]!.checks)
        expect(candidate).toMatchObject({ base: short.commit, tip: short.commit });
      expect(plan(after)).toMatchObject({ planned: [], begun: [] });
    });

    test('ends the search if it cannot be accepted', () => {
      expect(jobs(moved(behind))).toEqual([]);
    });

    test('tells each task the commit that merged it', () => {
      const { arrivals } = accepted(behind, { commit: short.commit, base: 'base', commits: {} });
      const told = arrivals.flatMap((arrival) => arrival.told);
      expect(told.map(({ result }) => result.outcome === 'merged' && result.commit)).toEqual(
        told.map((_, at) => ['base', ...tasks.slice(0, at + 1)].join(' ')),
      );
    });

    test('starts nothing that is not merged: who is behind a culprit, and other lanes', () => {
      const other = plan(submit(accepting, trainMember('z', { checks: 'other' })));
      expect(jobs(planBehind(submit(accepting, trainMember('z', { checks: 'other' })))).length).toBe(begun.length);
      expect(other.planned).toEqual([]);
      const gone = { ...accepting, lanes: accepting.lanes.map((lane) => ({ ...lane, chain: null })) };
      expect(jobs(planBehind(gone))).toEqual([]);
    });
  });

  test('of green members makes a failure less likely', () => {
    const before = train(['a', 'b', 'c']);
    const { belief } = land(verdicts(planAndMerge(before)));
    expect(belief).toEqual(learn(before.belief, 3, 0));
  });

  test('of members whose checks prove nothing says so, where that is not forbidden', () => {
    const queue = verdicts(planAndMerge(train(['a'], { canary: 'warn' })));
    const [lane] = queue.lanes;
    expect(beginAccepting(queue).acceptance).toBeNull();
    const unproven = { ...queue, lanes: [{ ...lane!, canary: { state: 'unproven' as const } }] };
    const [told] = land(unproven).outbox;
    expect(told?.result).toMatchObject({ outcome: 'merged', warnings: [expect.stringContaining('prove nothing')] });
  });
});

describe('a landing', () => {
  test('answers only those that were accepted before it began, and tells their runs', () => {
    const [first, second] = [trainMember('a'), { ...trainMember('b'), run: { ...trainMember('b').run, run: 'other' } }];
    const accept = (before: TrainQueue): TrainQueue => {
      const { queue, acceptance } = beginAccepting(verdicts(planAndMerge(before)));
      return accepted(queue, { ...acceptance!.check.candidate!, commits: {} });
    };
    const both = accept(submit(accept(submit(emptyTrain(), first)), second));
    expect(both.arrivals).toHaveLength(2);
    const refused = { tip: 't', landed: false, reason: 'dirty', hint: null, diverged: false };
    const { queue, tell } = landed(both, 1, refused);
    expect([outcomes(queue), tell]).toEqual([['a merged'], [first.run]]);
    expect(membersOf(queue).map(({ task }) => task)).toEqual(['b']);
    expect(landed(queue, 1, { ...refused, landed: true, reason: null }).tell).toEqual([first.run]);
  });
});

describe('what is known of a lane', () => {
  /** Lane x is known to be red in its first two; one of the main lane and one of lane y wait, too. */
  function redLane(): TrainQueue {
    let queue = train(['x1', 'x2', 'x3'], { lane: 'x', slots: 3 });
    // Of all three prefixes the first is green, the third is red.
    queue = verdicts(planAndMerge(queue), ['x2', 'x3']);
    return queue;
  }

  test('holds on when an independent lane lands', () => {
    let queue = submit(redLane(), trainMember('y1', { lane: 'y', slots: 3 }));
    const { red } = queue.lanes[0]!;
    expect(red).toBeGreaterThan(0);
    queue = landOther(queue, 'y', { base: 'base', tip: 'base' });
    expect(queue.lanes[0]!.red).toBe(red);
  });

  test('is void when one lands that it depends on', () => {
    const queue = landOther(submit(redLane(), trainMember('m1', { slots: 3 })), null, { base: 'base', tip: 'base' });
    expect(queue.lanes[0]).toMatchObject({ red: 0, failure: null, checks: [], base: null, confirmed: null });
  });

  test('is void when what others committed comes in with the landing of an independent one', () => {
    let queue = submit(redLane(), trainMember('y1', { lane: 'y', slots: 3 }));
    queue = landOther(queue, 'y', { base: 'base user', tip: 'base' });
    expect(queue.lanes[0]).toMatchObject({ red: 0, failure: null, base: null });
  });

  test.each([
    ['was built on it', 'user', 'user y1'],
    ['was merged onto it when its checks had passed', 'landed', 'user y1'],
  ])('blames nobody for what others committed, where an independent one lands that %s', (_, base, commit) => {
    // One place: x2 waits while the checks of y1 run.
    const ride = { slots: 1 };
    let queue = verdicts(planAndMerge(train(['x1'], { ...ride, lane: 'x' })));
    queue = submit(queue, trainMember('y1', { ...ride, lane: 'y' }));
    queue = land(submit(queue, trainMember('x2', { ...ride, lane: 'x' })), 'landed');
    expect(queue.lanes.find(({ ride: { lane } }) => lane === 'x')).toMatchObject({ confirmed: 'landed' });
    queue = land(verdicts(planAndMerge(queue, base)), commit, 'user');
    queue = verdicts(planAndMerge(queue, commit), ['x2']);
    expect({ culprits: queue.culprits, jobs: jobs(queue) }).toMatchObject({
      culprits: [],
      jobs: [{ kind: 'tip', commit }],
    });
  });

  /** Lands the only member of another lane. */
  function landOther(queue: TrainQueue, lane: string | null, on: { base: string; tip: string }): TrainQueue {
    const check = { id: 99, size: 1, candidate: { commit: `${on.base} other`, ...on }, green: true };
    const lanes = queue.lanes.map((other) =>
      other.ride.lane === lane ? { ...other, base: on.base, checks: [check], accepting: check.id } : other,
    );
    return accepted({ ...queue, lanes }, { ...check.candidate, commits: {} });
  }

  test('lets a culprit be told, also when nobody else waits', () => {
    let queue = verdicts(planAndMerge(train(['a'], { recheckTip: false })), ['a']);
    const [culprit] = jobs(queue);
    expect(culprit).toMatchObject({ kind: 'culprit', commit: 'base a', member: { task: 'a' } });
    queue = blamed(queue, culprit!.id, integrationEvidence());
    expect(outcomes(queue)).toEqual(['a rejected']);
    expect(queue.lanes).toEqual([]);
  });
});

describe('news of the user’s branch', () => {
  const refused = { tip: 't', landed: false, reason: 'dirty', hint: 'stash', diverged: false };
  const { run } = trainMember('a');

  test('is told to each run once when its work has not accepted, and to all of them when it has', () => {
    const first = landingNews(emptyTrain(), refused, [run]);
    expect(first.tell).toEqual([run]);
    expect(landingNews(first.queue, refused, []).tell).toEqual([]);
    const other = { ...run, run: 'r2' };
    const second = landingNews(first.queue, { ...refused, tip: 't2' }, [other]);
    expect(second.tell).toEqual([run, other]);
    const news = landingNews(second.queue, { ...refused, landed: true, reason: null, hint: null }, []);
    expect(news.tell).toEqual([run, other]);
    expect(news.queue.unlanded).toBeNull();
  });

  test('is told to nobody when it follows at once', () => {
    const news = { tip: 't', landed: true, reason: null, hint: null, diverged: false };
    expect(landingNews(emptyTrain(), news, [run]).tell).toEqual([]);
  });
});
