import { describe, expect, test } from '@jest/globals';
import { watchedRequests } from '../../core/request-drive.ts';
import { checked, jobs } from '../../core/train-checks.ts';
import { halt, tipHalt } from '../../core/train-halt.ts';
import { emptyTrain, membersOf, submit, withdraw, type TrainQueue } from '../../core/train-queue.ts';
import {
  beginDraft,
  beginMerging,
  handOver,
  nextErrand,
  noteDraft,
  noteRequest,
  pauseRequest,
  requestMerged,
  requestNews,
  withoutDraft,
} from '../../core/train-requests.ts';
import { reduceRequest, type RequestEvent } from '../../core/pull-request.ts';
import { trainMember } from '../../scripts/simulate/train.ts';
import { integrationFailure } from '../support/train-evidence.ts';
import { arrived, outcomes, planAndMerge } from '../support/train-steps.ts';

const member = trainMember('a', { push: 'pull_request', recheckTip: false });
const opened = { number: 7, url: 'https://github.test/7', graceMs: 60_000 };

/** A train in which the member's draft is open, and its checks run. */
function drafted(): TrainQueue {
  const queue = planAndMerge(submit(emptyTrain(), member));
  const [wanted] = withoutDraft(queue);
  return noteDraft(beginDraft(queue, wanted!, 1000), member, { pushed: true, opened });
}

/** The same, after the member was green, and something happened to its request. */
function handedOver(...events: RequestEvent[]): TrainQueue {
  const before = drafted();
  const green = handOver(checked(before, jobs(before)[0]!.id, null), 2000);
  const all: RequestEvent[] = [{ type: 'pushed', at: 2000, head: 'base a' }, ...events];
  return all.reduce((queue, event) => {
    const [requested] = queue.requests;
    return noteRequest(queue, member, reduceRequest(requested!.request, event, 1));
  }, green);
}

const refusal = { outcome: 'refused', reason: 'no rights', hint: 'Get some.', passing: false } as const;
const moved: RequestEvent = { type: 'answered', at: 1, answer: { outcome: 'moved', what: 'base', now: 'c' } };
const merged: RequestEvent = { type: 'answered', at: 1, answer: { outcome: 'merged', commit: 'm' } };

describe('a member that is merged through a pull request', () => {
  test('is in the train once while its draft shows it, and has one draft', () => {
    const queue = drafted();
    expect(membersOf(queue)).toHaveLength(1);
    expect(withoutDraft(queue)).toEqual([]);
    expect(watchedRequests(queue.requests, 0)).toEqual([]);
    expect(requestNews(queue.requests[0]!)).toMatchObject({ number: 7, waits: 'its integration checks run here' });
  });

  test('keeps its request when it is green: the verified commit takes the place of the draft’s', () => {
    const queue = handedOver();
    expect(membersOf(queue)).toHaveLength(1);
    expect(queue.requests[0]).toMatchObject({
      ...{ candidate: 'base a', pushed: 'work-a', isRebuilt: false },
      request: { number: 7, head: 'base a', madeReady: false, graceMs: 60_000 },
    });
  });

  test('whose work the tip holds already, since a person merged it while no train knew of it, is merged', () => {
    const queue = planAndMerge(submit(emptyTrain(), member));
    const held = {
      ...queue.lanes[0]!.checks[0]!,
      candidate: { commit: 'base', base: 'base', tip: 'base' },
      green: true,
    };
    const over = arrived(handOver({ ...queue, lanes: [{ ...queue.lanes[0]!, checks: [held] }] }, 2000));
    expect({ outcomes: outcomes(over), waiting: membersOf(over) }).toEqual({ outcomes: ['a merged'], waiting: [] });
    expect(over.requests).toEqual([]);
  });

  test('takes its draft along when it is red here: the next attempt finds it on the remote', () => {
    const before = drafted();
    const red = checked(before, jobs(before)[0]!.id, integrationFailure());
    expect(handOver(red, 2000).requests).toHaveLength(1);
    const gone = handOver({ ...red, culprits: [] }, 2000);
    expect({ requests: gone.requests, waiting: membersOf(gone) }).toEqual({ requests: [], waiting: [] });
  });

  test('that is withdrawn with its draft is gone', () => {
    const queue = withdraw(drafted(), member);
    expect({ requests: queue.requests, outcomes: outcomes(queue) }).toEqual({
      ...{ requests: [], outcomes: ['a withdrawn'] },
    });
  });

  test('that the remote refuses is not looked at before it is time, and says what mends it', () => {
    const queue = handedOver({ type: 'refused', at: 5000, refusal });
    expect(watchedRequests(queue.requests, 19_999)).toEqual([]);
    expect(watchedRequests(queue.requests, 20_000)).toHaveLength(1);
    expect(requestNews(queue.requests[0]!)).toMatchObject({ waits: 'no rights. Get some.', person: true });
  });

  test('that nothing was told of so far is no news', () => {
    const queue = beginDraft(submit(emptyTrain(), member), { ...member, arrival: 1 }, 0);
    expect(requestNews(queue.requests[0]!)).toBeNull();
  });

  test('whose merge cannot be followed says why, and is followed later', () => {
    const queue = pauseRequest(handedOver(merged), member, { why: 'main lost it. Look there.', person: true }, 1000);
    expect(nextErrand(queue, 30_999)).toBeNull();
    expect(nextErrand(queue, 31_000)).toMatchObject({ todo: { do: 'follow', commit: 'm' } });
    expect(requestNews(queue.requests[0]!)).toMatchObject({ waits: 'main lost it. Look there.', person: true });
    expect(outcomes(requestMerged(queue, member, 'm'))).toEqual(['a merged']);
  });

  test('that leaves while the remote merges it waits for how that ends: merged, or taken out', () => {
    const waiting = handedOver({ type: 'opened', ...opened, draft: false });
    const leaving = withdraw(beginMerging(waiting, member)!, member);
    expect(outcomes(leaving)).toEqual([]);
    const after = (event: RequestEvent): TrainQueue =>
      noteRequest(leaving, member, reduceRequest(leaving.requests[0]!.request, event, 1));
    expect(outcomes(after(moved))).toEqual(['a withdrawn']);
    const followed = after(merged);
    expect(nextErrand(followed, 0)).toMatchObject({ todo: { do: 'follow', commit: 'm' } });
    expect(outcomes(requestMerged(followed, member, 'm'))).toEqual(['a merged']);
  });

  test('that has left is not merged', () => {
    const waiting = handedOver({ type: 'opened', ...opened, draft: false });
    expect(beginMerging(withdraw(waiting, member), member)).toBeNull();
  });

  test('that leaves once it is merged is told so, also where the remote cannot be followed, or the train stands', () => {
    const leaving = withdraw(handedOver(merged), member);
    expect(outcomes(leaving)).toEqual([]);
    const why = { why: 'main lost it. Look there.', person: true };
    expect(outcomes(pauseRequest(leaving, member, why, 1000))).toEqual(['a merged']);
    expect(outcomes(handOver(halt(leaving, tipHalt('tip', integrationFailure())), 1000))).toEqual(['a merged']);
  });

  test('whose base moved tells why it is made anew', () => {
    const queue = handedOver(moved);
    expect(requestNews(queue.requests[0]!)).toMatchObject({
      waits: 'the branch on the remote has moved',
      person: false,
    });
  });
});
