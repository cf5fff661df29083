import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  isRequestOver,
  newRequest,
  reduceRequest,
  type RequestEvent,
  type RequestState,
  type RequestStep,
} from '../../core/pull-request.ts';
import type { MergeAnswer, RequestView } from '../../core/remote.ts';

const HEAD = 'a'.repeat(40);
const OTHER = 'b'.repeat(40);
const MERGE = 'c'.repeat(40);

function view(part: Partial<RequestView> = {}): RequestView {
  return {
    ...{
      number: 7,
      url: 'https://github.test/7',
      state: 'open',
      draft: false,
      head: HEAD,
      mergeCommit: null,
      by: null,
    },
    ...{ mergeable: 'yes', checks: { total: 1, pending: [], failed: [] } },
    ...part,
  };
}
const seen = (part: Partial<RequestView> = {}, at = 100_000): RequestEvent => ({
  ...{ type: 'seen', at, stamp: 's' },
  view: view(part),
});
const opened: RequestEvent = { type: 'opened', number: 7, url: 'u', draft: false, graceMs: 60_000 };

/** Plays events from a pushed commit on. */
function play(...events: RequestEvent[]): { state: RequestState; step: RequestStep } {
  let turn: { state: RequestState; step: RequestStep } = { state: newRequest(HEAD, 0), step: { do: 'open' } };
  for (const event of events) turn = reduceRequest(turn.state, event, 2);
  return turn;
}

describe('a pull request', () => {
  test('is opened, merged when its checks are green, and followed', () => {
    expect(play(opened).step).toEqual({ do: 'wait' });
    expect(play(opened, seen()).step).toEqual({ do: 'merge' });
    const answer: MergeAnswer = { outcome: 'merged', commit: MERGE };
    const done = play(opened, seen(), { type: 'answered', at: 1, answer });
    expect(done).toMatchObject({ state: { phase: 'merged' }, step: { do: 'follow', commit: MERGE } });
  });

  test('that a person merges is followed; one that they close goes back to its task', () => {
    expect(play(opened, seen({ state: 'merged', mergeCommit: MERGE, by: 'ada' })).step).toEqual({
      ...{ do: 'follow', commit: MERGE },
    });
    expect(play(opened, seen({ state: 'closed', by: 'ada' })).step).toMatchObject({
      do: 'reject',
      evidence: { kind: 'rejected', attempt: 2, summary: '@ada closed pull request #7 without merging it' },
    });
  });

  test('whose check failed goes back to its task with what the check says', () => {
    const failed = [{ name: 'test', summary: '3 failed', url: 'https://ci.test', output: 'a.txt:2: no' }];
    expect(play(opened, seen({ checks: { total: 2, pending: ['lint'], failed } })).step).toMatchObject({
      do: 'reject',
      evidence: {
        kind: 'failed_integration',
        commit: HEAD,
        summary: 'check test of pull request #7 failed',
        detail: 'test: 3 failed\nhttps://ci.test\na.txt:2: no',
      },
    });
  });

  test('without checks waits for the first one until the grace is over', () => {
    const none = { checks: { total: 0, pending: [], failed: [] } };
    expect(play(opened, seen(none, 59_999))).toMatchObject({ state: { lookAt: 60_000 }, step: { do: 'wait' } });
    expect(play(opened, seen(none, 60_000)).step).toEqual({ do: 'merge' });
  });

  test('that is a draft still is made ready; one that a person made a draft again is left alone', () => {
    expect(play({ ...opened, draft: true }, seen({ draft: true })).step).toEqual({ do: 'open' });
    expect(play(opened, seen({ draft: true, mergeable: 'conflict' }))).toMatchObject({
      state: { waits: 'a person made it a draft again' },
      step: { do: 'wait' },
    });
  });

  test.each([
    ['conflict', 'it conflicts with the branch on the remote'],
    ['behind', 'the branch on the remote has moved'],
  ] as const)('that is in %s is built anew', (mergeable, why) => {
    expect(play(opened, seen({ mergeable })).step).toEqual({ do: 'rebuild', why });
  });

  test('whose base moved before the merge is built anew, and goes on with the new commit', () => {
    const moved: RequestEvent = { type: 'answered', at: 1, answer: { outcome: 'moved', what: 'base', now: OTHER } };
    expect(play(opened, seen(), moved).step).toMatchObject({ do: 'rebuild' });
    const again: RequestEvent = { type: 'pushed', at: 2, head: OTHER };
    const next = play(opened, seen(), moved, again);
    expect(next).toMatchObject({ state: { head: OTHER, number: 7, madeReady: true }, step: { do: 'open' } });
    expect(play(opened, seen(), moved, again, opened, seen({ head: OTHER })).step).toEqual({ do: 'merge' });
  });

  test('that the remote refuses is tried again, ever more seldom, and says what it waits for', () => {
    const blocked: RequestEvent = { type: 'answered', at: 1000, answer: { outcome: 'blocked', reason: 'a review' } };
    const once = play(opened, seen(), blocked);
    expect(once).toMatchObject({ state: { waits: 'a review', lookAt: 16_000 }, step: { do: 'wait' } });
    expect(play(opened, seen(), blocked, seen({}, 15_999)).step).toEqual({ do: 'wait' });
    expect(play(opened, seen(), blocked, seen({}, 16_000)).step).toEqual({ do: 'merge' });
    expect(play(opened, seen(), blocked, seen({}, 16_000), { ...blocked, at: 16_000 }).state.lookAt).toBe(76_000);
  });

  test('that only a person can move says so; what passes by itself does not', () => {
    expect(play(opened, seen({ mergeable: 'blocked' })).state).toMatchObject({ person: true, lookAt: null });
    expect(play(opened, seen({ head: OTHER })).state).toMatchObject({ person: true });
    expect(play(opened, seen({ mergeable: 'blocked' }), seen({ mergeable: 'unknown' })).state.person).toBe(false);
    const refusal = { outcome: 'refused', reason: 'no rights.', hint: 'Get some.' } as const;
    const refused = (passing: boolean): RequestEvent => ({
      ...{ type: 'refused', at: 0, refusal: { ...refusal, passing } },
    });
    expect(play(opened, refused(false)).state).toMatchObject({ person: true, waits: 'no rights. Get some.' });
    expect(play(opened, refused(true)).state).toMatchObject({ person: false, blind: true, lookAt: 15_000 });
    expect(play(opened, refused(true), seen({ draft: true })).state).toMatchObject({ blind: false });
  });

  test('that could not be opened is tried again when it is time', () => {
    const refusal = { outcome: 'refused', reason: 'no line', hint: null, passing: true } as const;
    const refused: RequestEvent = { type: 'refused', at: 0, refusal };
    expect(play(refused)).toMatchObject({ state: { waits: 'no line', lookAt: 15_000 }, step: { do: 'wait' } });
    expect(play(refused, { type: 'tick', at: 14_999 }).step).toEqual({ do: 'wait' });
    expect(play(refused, { type: 'tick', at: 15_000 }).step).toEqual({ do: 'open' });
  });
});

describe('whatever happens to a request', () => {
  const commit = fc.constantFrom(HEAD, OTHER, MERGE);
  const anyView = fc.record({
    number: fc.constantFrom(7, 8),
    url: fc.constant('u'),
    state: fc.constantFrom('open' as const, 'merged' as const, 'closed' as const),
    draft: fc.boolean(),
    head: commit,
    mergeCommit: fc.option(commit),
    by: fc.option(fc.constant('ada')),
    mergeable: fc.constantFrom(
      'yes' as const,
      'conflict' as const,
      'behind' as const,
      'blocked' as const,
      'unknown' as const,
    ),
    checks: fc.record({
      total: fc.nat(2),
      pending: fc.subarray(['build', 'lint']),
      failed: fc.subarray([{ name: 'test', summary: 'no', url: null, output: 'x' }]),
    }),
  });
  const at = fc.nat(1_000_000);
  const answer: fc.Arbitrary<MergeAnswer> = fc.oneof(
    fc.record({ outcome: fc.constant('merged' as const), commit }),
    fc.record({
      outcome: fc.constant('moved' as const),
      what: fc.constantFrom('head' as const, 'base' as const),
      now: commit,
    }),
    fc.record({ outcome: fc.constant('blocked' as const), reason: fc.constant('r') }),
    fc.record({ outcome: fc.constant('closed' as const) }),
  );
  const event: fc.Arbitrary<RequestEvent> = fc.oneof(
    fc.record({ type: fc.constant('pushed' as const), at, head: commit }),
    fc.record({
      ...{ type: fc.constant('opened' as const), number: fc.constant(7), url: fc.constant('u') },
      ...{ draft: fc.boolean(), graceMs: fc.constant(60_000) },
    }),
    { weight: 4, arbitrary: fc.record({ type: fc.constant('seen' as const), at, view: anyView, stamp: fc.string() }) },
    fc.record({ type: fc.constant('answered' as const), at, answer }),
    fc.record({ type: fc.constant('tick' as const), at }),
  );

  test('only the verified commit is merged, of an open request, without a red, missing or running check', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let state = newRequest(HEAD, 0);
        let verified = HEAD;
        for (const next of events) {
          if (next.type === 'pushed' && !isRequestOver(state)) verified = next.head;
          const turn = reduceRequest(state, next, 1);
          state = turn.state;
          expect(state.head).toBe(verified);
          if (turn.step.do !== 'merge') continue;
          if (next.type !== 'seen') throw new Error('merged without a look');
          const { checks, ...seenAs } = next.view;
          expect(seenAs).toMatchObject({ number: 7, state: 'open', draft: false, head: verified, mergeable: 'yes' });
          expect([checks.pending, checks.failed]).toEqual([[], []]);
          if (checks.total === 0) expect(next.at).toBeGreaterThanOrEqual(state.pushedAt + state.graceMs);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('it ends at most once, and then asks for nothing; all that it is fits in JSON', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let state = newRequest(HEAD, 0);
        let ends = 0;
        for (const next of events) {
          const wasOver = isRequestOver(state);
          const turn = reduceRequest(state, next, 1);
          if (wasOver) expect(turn).toEqual({ state, step: { do: 'wait' } });
          state = turn.state;
          if (turn.step.do === 'follow' || turn.step.do === 'reject') ends += 1;
          expect(turn.step.do === 'follow' || turn.step.do === 'reject').toBe(!wasOver && isRequestOver(state));
          expect(JSON.parse(JSON.stringify(state))).toEqual(state);
          expect(JSON.stringify(state).length).toBeLessThan(1500);
        }
        expect(ends).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1000 },
    );
  });

  test('the same news twice is like once', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 10 }), anyView, at, (events, last, when) => {
        const before = events.reduce((state, next) => reduceRequest(state, next, 1).state, newRequest(HEAD, 0));
        const news: RequestEvent = { type: 'seen', at: when, view: last, stamp: 's' };
        const once = reduceRequest(before, news, 1).state;
        expect(reduceRequest(once, news, 1).state).toEqual(once);
      }),
      { numRuns: 1000 },
    );
  });
});
