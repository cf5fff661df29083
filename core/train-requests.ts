import type { Evidence } from './evidence.ts';
import { newRequest, reduceRequest, type RequestNews, type RequestState, type RequestTurn } from './pull-request.ts';
import { arrive } from './train-landing.ts';
import { emptyLane, isRequested, longestGreen, sameLane, without } from './train-lane.ts';
import {
  answer,
  runsOf,
  settle,
  withdraw,
  type Arrival,
  type RequestedMember,
  type TrainQueue,
} from './train-queue.ts';
import { memberKey, type MemberId } from './train.ts';

/** What is told of requests that the train itself has something to do for. */
const CHECKED_HERE = 'its integration checks run here';
const FOLLOWED = 'it is merged, and checked here before your branch follows';
const REBUILT = 'it is made anew, since the branch on the remote has moved';

/** How long to wait before the remote is followed again that could not be, milliseconds. */
const PAUSE = 30_000;

/**
 * Takes green members that are merged through pull requests out of their lanes: from now on they wait for their requests.
 * Those that the accepted tip holds already have nothing to wait for: a train that was terminated did not tell them.
 *
 * @param at milliseconds since the epoch
 */
export function handOver(queue: TrainQueue, at: number): TrainQueue {
  // Nothing is followed while the train stands: those who left are not kept waiting.
  if (queue.halt !== null) return queue.requests.reduce((before, { member }) => leaveMerged(before, member), queue);
  const present = new Set(
    [...queue.lanes.flatMap(({ members }) => members), ...queue.culprits.map(({ member }) => member)].map(memberKey),
  );
  // What was in its lane and is not there any more has had its answer.
  const requests = queue.requests.filter(({ member, isRebuilt }) => !isRebuilt || present.has(memberKey(member)));
  const done: Arrival['told'] = [];
  const lanes = queue.lanes.map((lane) => {
    const [member] = lane.members;
    const candidate = longestGreen(lane)?.candidate;
    const isProven = ['proven', 'unproven'].includes(lane.canary.state);
    if (!isRequested(lane.ride) || !isProven || member === undefined || candidate == null) return lane;
    if (candidate.commit === candidate.tip) {
      done.push({ member, result: { outcome: 'merged', attempt: member.attempt, commit: candidate.tip } });
      return without(lane, new Set([memberKey(member)]));
    }
    const before = requests.findIndex((other) => memberKey(other.member) === memberKey(member));
    const request = { ...(requests[before]?.request ?? newRequest(candidate.commit, at)), waits: null };
    const next: RequestedMember = {
      ...{ member, request, base: candidate.tip, candidate: candidate.commit },
      ...{ pushed: requests[before]?.pushed ?? null, todo: null, pause: null },
      ...{ isRebuilt: false, isMerging: false, isLeaving: false },
    };
    if (before === -1) requests.push(next);
    else requests[before] = next;
    return without(lane, new Set([memberKey(member)]));
  });
  const next = settle({ ...queue, lanes, requests });
  return done.length === 0 ? next : arrive(next, { told: done, runs: runsOf(done.map(({ member }) => member)) });
}

/**
 * Members that wait for their checks here, and could show their work on a draft meanwhile: those that have no request.
 */
export function withoutDraft({ lanes, requests }: TrainQueue): RequestedMember['member'][] {
  const known = new Set(requests.map(({ member }) => memberKey(member)));
  return lanes
    .filter(({ ride }) => isRequested(ride))
    .flatMap(({ members }) => members)
    .filter((member) => !known.has(memberKey(member)));
}

/**
 * Begins a member's request as a draft, while the member stays in its lane.
 *
 * @param at milliseconds since the epoch
 */
export function beginDraft(queue: TrainQueue, member: RequestedMember['member'], at: number): TrainQueue {
  const { base, commit } = member;
  // Nothing is verified yet: no head counts.
  const request: RequestState = { ...newRequest('', at), waits: CHECKED_HERE };
  const draft = {
    ...{ member, base, candidate: commit, request, pushed: null },
    todo: null,
    pause: null,
    ...{ isRebuilt: true, isMerging: false, isLeaving: false },
  };
  return { ...queue, requests: [...queue.requests, draft] };
}

/** A draft shows the member's work, or could not be opened: then its request is opened when it is green. */
export function noteDraft(
  queue: TrainQueue,
  member: MemberId,
  note: { pushed: boolean; opened: Pick<RequestState, 'number' | 'url' | 'graceMs'> | null },
): TrainQueue {
  const now = queue.requests.find((other) => memberKey(other.member) === memberKey(member));
  if (now === undefined) return queue;
  return updateRequest(queue, member, {
    ...(note.pushed ? { pushed: now.member.commit } : {}),
    ...(note.opened === null ? {} : { request: { ...now.request, ...shownBy(note.opened) } }),
  });
}

function shownBy({ number, url, graceMs }: Pick<RequestState, 'number' | 'url' | 'graceMs'>): Partial<RequestState> {
  return { number, url, graceMs };
}

/** What a run is to know of a member's request; `null`: nothing yet. */
export function requestNews({ member, request, todo, isRebuilt }: RequestedMember): RequestNews | null {
  const { number, url, waits, person, refusals } = request;
  if (number === null && refusals === 0) return null;
  const { task, attempt } = member;
  const what = todo?.do === 'follow' ? (waits ?? FOLLOWED) : isRebuilt && number !== null ? (waits ?? REBUILT) : waits;
  return { task, attempt, number, url, waits: what, person };
}

/** Changes a member's request; an unknown one changes nothing: it may have been withdrawn. */
export function updateRequest(queue: TrainQueue, member: MemberId, change: Partial<RequestedMember>): TrainQueue {
  const key = memberKey(member);
  const requests = queue.requests.map((other) => (memberKey(other.member) === key ? { ...other, ...change } : other));
  return { ...queue, requests };
}

/** The remote is to merge a request now. @returns `null` if its member has left meanwhile: then it must not */
export function beginMerging(queue: TrainQueue, member: MemberId): TrainQueue | null {
  const isThere = queue.requests.some((other) => memberKey(other.member) === memberKey(member));
  return isThere ? updateRequest(queue, member, { isMerging: true }) : null;
}

/** Records where a request stands, and what follows from it. */
export function noteRequest(queue: TrainQueue, member: MemberId, { state, step }: RequestTurn): TrainQueue {
  if (step.do === 'reject') return rejectRequest(queue, member, step.evidence);
  const todo = step.do === 'follow' ? step : step.do === 'rebuild' ? ({ do: 'rebuild' } as const) : null;
  const noted = updateRequest(queue, member, { request: state, todo, pause: null, isMerging: false });
  const isLeaving = noted.requests.some((other) => other.isLeaving && memberKey(other.member) === memberKey(member));
  return isLeaving && step.do !== 'follow' ? withdraw(noted, member) : noted;
}

/** A member cannot be shown, for its branch holds what somebody else pushed: they may have merged that. */
export function lookForMerge(queue: TrainQueue, member: MemberId): TrainQueue {
  return updateRequest(queue, member, { todo: { do: 'look' } });
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
  // What it waits for is told already.
  if (tip === requested.base && requested.todo?.do === 'look') return updateRequest(queue, member, { todo: null });
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
  // It may have been withdrawn meanwhile, and told so.
  if (!queue.requests.some((other) => memberKey(other.member) === memberKey(member))) return queue;
  return answer(gone(queue, member), member, { outcome: 'merged', attempt: member.attempt, commit });
}

/**
 * The remote could not be followed just now.
 *
 * @param why in words, `null` where that is told elsewhere; and whether only a person can mend it
 * @param at milliseconds since the epoch
 */
export function pauseRequest(
  queue: TrainQueue,
  member: MemberId,
  { why, person }: { why: string | null; person: boolean },
  at: number,
): TrainQueue {
  const now = queue.requests.find((other) => memberKey(other.member) === memberKey(member));
  if (now === undefined) return queue;
  if (now.todo?.do === 'look') return updateRequest(queue, member, { todo: null });
  const waits = why ?? now.request.waits;
  return leaveMerged(
    updateRequest(queue, member, { pause: at + PAUSE, request: { ...now.request, waits, person } }),
    member,
  );
}

/** A member that wanted to leave, and is merged on the remote, is told so also where the remote cannot be followed now. */
function leaveMerged(queue: TrainQueue, member: MemberId): TrainQueue {
  const now = queue.requests.find((other) => memberKey(other.member) === memberKey(member));
  if (now?.todo?.do !== 'follow' || !now.isLeaving) return queue;
  return requestMerged(queue, member, now.todo.commit);
}

function gone(queue: TrainQueue, member: MemberId): TrainQueue {
  const key = memberKey(member);
  return {
    ...queue,
    lanes: queue.lanes.map((lane) => without(lane, new Set([key]))),
    requests: queue.requests.filter((other) => memberKey(other.member) !== key),
  };
}
