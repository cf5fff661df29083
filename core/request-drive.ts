import { reduceRequest, type RequestEvent, type RequestState, type RequestTurn } from './pull-request.ts';
import type { RemoteActivities, WatchedRequest } from './remote.ts';
import type { TrainMember } from './train.ts';

/** A member of the train that waits at its pull request; plain JSON. */
export interface TrackedRequest {
  member: TrainMember;
  /** The tip of the integration branch that the request's head was made and verified on. */
  base: string;
  request: RequestState;
}

/** What {@link driveRequest} does things with. */
export interface RequestMeans {
  remote: Pick<RemoteActivities, 'openRequest' | 'mergeRequest'>;
  /** Asked before the remote is asked to merge: a member that has left by now is not merged. */
  mayMerge: () => boolean;
  /** Milliseconds since the epoch; in a workflow its own clock. */
  now: () => number;
}

/**
 * Requests that wait for news; not those whose candidates are being made anew, or that could not be seen just now.
 *
 * @param now milliseconds since the epoch
 */
export function watchedRequests(tracked: readonly TrackedRequest[], now: number): WatchedRequest[] {
  return tracked.flatMap(({ member, request }) => {
    const { number, seen, lookAt, phase, blind } = request;
    if (number === null || phase !== 'waiting') return [];
    if (blind && lookAt !== null && lookAt > now) return [];
    return [{ run: member.run, task: member.task, number, seen, lookAt }];
  });
}

/**
 * Tells a request what happened, and does what follows from it, until it waits for news or for the train: to follow the
 * remote, to make the candidate anew, or to give it back to its task.
 */
export async function driveRequest(
  { member, base, request }: TrackedRequest,
  event: RequestEvent,
  { remote, mayMerge, now }: RequestMeans,
): Promise<RequestTurn> {
  let turn = reduceRequest(request, event, member.attempt);
  for (;;) {
    const { state, step } = turn;
    if (step.do === 'open') {
      const { number, head } = state;
      const answer = await remote.openRequest({ member, ready: true, known: { number, head } });
      turn = reduceRequest(state, openedEvent(answer, now()), member.attempt);
    } else if (step.do === 'merge' && state.number !== null) {
      if (!mayMerge()) return { state, step: { do: 'wait' } };
      const { number, head } = state;
      const answer = await remote.mergeRequest({ member, number, head, base });
      turn = reduceRequest(state, { type: 'answered', at: now(), answer }, member.attempt);
    } else return turn;
  }
}

function openedEvent(answer: Awaited<ReturnType<RemoteActivities['openRequest']>>, at: number): RequestEvent {
  switch (answer.outcome) {
    case 'opened':
    case 'updated': {
      const { number, url, draft, graceMs } = answer;
      return { type: 'opened', number, url, draft, graceMs };
    }
    case 'refused':
      return { type: 'refused', at, refusal: answer };
    case 'off': {
      const reason = 'the configuration of its run asks for no pull request';
      return { type: 'refused', at, refusal: { outcome: 'refused', reason, hint: null, passing: false } };
    }
  }
}
