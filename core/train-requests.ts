import type { Evidence } from './evidence.ts';
import { newRequest, reduceRequest, type RequestTurn } from './pull-request.ts';
import { emptyLane, isRequested, longestGreen, sameLane, without } from './train-lane.ts';
import { answer, settle, type RequestedMember, type TrainQueue } from './train-queue.ts';
import { memberKey, type MemberId } from './train.ts';

/** How long to wait before the remote is followed again that could not be, milliseconds. */
const PAUSE = 30_000;

/**
 * Takes green members that are merged through pull requests out of their lanes: from now on they wait for their requests.
 *
 * @param at milliseconds since the epoch
 */
export function handOver(queue: TrainQueue, at: number): TrainQueue {
  if (queue.halt !== null) return queue;
  const requests = [...queue.requests];
  const lanes = queue.lanes.map((lane) => {
    const [member] = lane.members;
    const candidate = longestGreen(lane)?.candidate;
    const isProven = ['proven', 'unproven'].includes(lane.canary.state);
    if (!isRequested(lane.ride) || !isProven || member === undefined || candidate == null) return lane;
    const before = requests.findIndex((other) => memberKey(other.member) === memberKey(member));
    const request = requests[before]?.request ?? newRequest(candidate.commit, at);
    const next: RequestedMember = {
      ...{ member, request, base: candidate.tip, candidate: candidate.commit },
      ...{ pushed: requests[before]?.pushed ?? null, todo: null, pause: null, isRebuilt: false },
    };
    if (before === -1) requests.push(next);
    else requests[before] = next;
    return without(lane, new Set([memberKey(member)]));
  });
  return settle({ ...queue, lanes, requests });
}

/** Changes a member's request; an unknown one changes nothing: it may have been withdrawn. */
export function updateRequest(queue: TrainQueue, member: MemberId, change: Partial<RequestedMember>): TrainQueue {
  const key = memberKey(member);
  const requests = queue.requests.map((other) => (memberKey(other.member) === key ? { ...other, ...change } : other));
  return { ...queue, requests };
}

/** Records where a request stands, and what follows from it. */
export function noteRequest(queue: TrainQueue, member: MemberId, { state, step }: RequestTurn): TrainQueue {
  if (step.do === 'reject') return rejectRequest(queue, member, step.evidence);
  const todo = step.do === 'follow' ? step : step.do === 'rebuild' ? ({ do: 'rebuild' } as const) : null;
  return updateRequest(queue, member, { request: state, todo, pause: null });
}

/** The request for which the train itself has to do something now. @param at milliseconds since the epoch */
export function nextErrand(queue: TrainQueue, at: number): RequestedMember | null {
  if (queue.halt !== null) return null;
  return queue.requests.find(({ todo, pause }) => todo !== null && (pause === null || pause <= at)) ?? null;
}

/**
 * Puts a member back into its lane: its candidate is made anew, on what the remote has now.
 *
 * @param tip the accepted tip; where it is still the one that the candidate was made on, another one would not do better
 * @param at milliseconds since the epoch
 */
export function rebuildRequest(queue: TrainQueue, requested: RequestedMember, tip: string, at: number): TrainQueue {
  const { member } = requested;
  const request = queue.requests.find((other) => memberKey(other.member) === memberKey(member));
  if (request === undefined) return queue;
  if (tip === requested.base) {
    const reason = `${member.run.repository.branch} here has commits that the remote lacks`;
    const refusal = { outcome: 'refused', reason, hint: 'push them', passing: true } as const;
    return noteRequest(queue, member, reduceRequest(request.request, { type: 'refused', at, refusal }, member.attempt));
  }
  const { ride } = request.member;
  // What is being checked in the lane keeps its places: the member comes behind it, before those that came later.
  const lanes = queue.lanes.map((lane) => {
    if (!sameLane(lane.ride, ride)) return lane;
    const busy = lane.members.slice(0, 1);
    const rest = [request.member, ...lane.members.slice(1)].sort((one, other) => one.arrival - other.arrival);
    return { ...lane, members: [...busy, ...rest] };
  });
  const isThere = queue.lanes.some((lane) => sameLane(lane.ride, ride));
  const all = isThere ? lanes : [...lanes, { ...emptyLane(ride), members: [request.member] }];
  return updateRequest({ ...queue, lanes: all }, member, { isRebuilt: true, todo: null });
}

/** A request is over, and its member goes back to its task. */
function rejectRequest(queue: TrainQueue, member: MemberId, evidence: Evidence): TrainQueue {
  return answer(gone(queue, member), member, { outcome: 'rejected', attempt: member.attempt, evidence });
}

/** The accepted tip has what the remote merged. */
export function requestMerged(queue: TrainQueue, member: MemberId, commit: string): TrainQueue {
  return answer(gone(queue, member), member, { outcome: 'merged', attempt: member.attempt, commit });
}

/** The remote could not be followed just now. @param at milliseconds since the epoch */
export function pauseRequest(queue: TrainQueue, member: MemberId, at: number): TrainQueue {
  return updateRequest(queue, member, { pause: at + PAUSE });
}

function gone(queue: TrainQueue, member: MemberId): TrainQueue {
  const key = memberKey(member);
  return {
    ...queue,
    lanes: queue.lanes.map((lane) => without(lane, new Set([key]))),
    requests: queue.requests.filter((other) => memberKey(other.member) !== key),
  };
}
