import type { CheckFailure } from './checks.ts';
import { learn, UNKNOWN_FAILURES, type FailureBelief } from './failure-belief.ts';
import type { TrackedRequest } from './request-drive.ts';
import type { RunRef } from './run-ref.ts';
import { emptyLane, isBusy, longestGreen, sameLane, without, type Lane, type Waiting } from './train-lane.ts';
import { memberKey, type Halt, type LandingNews, type MemberId, type TrainMember, type TrainResult } from './train.ts';

/** A member that is red alone on a green tip: what its task is to be told is being found out. */
export interface Culprit {
  id: number;
  member: Waiting;
  failure: CheckFailure;
  /** The commit that was checked: the tip with this member. */
  commit: string;
}

/** A member with its pull request. */
export interface RequestedMember extends TrackedRequest {
  member: Waiting;
  /** The commit that was verified: the accepted tip with this member. */
  candidate: string;
  /** The commit that is on its branch on the remote. */
  pushed: string | null;
  /**
   * What the train itself has to do for it: follow the remote's merge of it, make its candidate anew, or look whether a
   * person merged it as it is, because its branch holds what they pushed.
   */
  todo: { do: 'follow'; commit: string } | { do: 'rebuild' } | { do: 'look' } | null;
  /** Not before then is that done, milliseconds since the epoch; `null`: at once. */
  pause: number | null;
  /** It is in its lane again, since the branch on the remote has moved. */
  isRebuilt: boolean;
  /** The remote is asked to merge it just now. */
  isMerging: boolean;
  /** It is to be taken out, unless it turns out to be merged on the remote. */
  isLeaving: boolean;
}

/** What was accepted together, and has not been brought to the user's branch yet. */
export interface Arrival {
  /** What its members are told when it has been; empty for what came from the remote. */
  told: { member: Waiting; result: TrainResult }[];
  /** Who is to know where the landing came to. */
  runs: RunRef[];
}

/** What a task is to be told. */
export interface Told {
  member: MemberId;
  result: TrainResult;
}

/** The train's state; plain JSON. Members are identified by run, task and attempt. */
export interface TrainQueue {
  version: 3;
  lanes: Lane[];
  culprits: Culprit[];
  /** Members that are green, and wait to be merged through their pull requests, or are checked again for that. */
  requests: RequestedMember[];
  /** What is accepted and waits for its landing, in order. */
  arrivals: Arrival[];
  /** How likely members are to fail. */
  belief: FailureBelief;
  /** Answers that are to be sent. */
  outbox: Told[];
  /** The last answers, so that a doubled `submit` or a late `withdraw` gets the same one again. */
  answered: { key: string; result: TrainResult }[];
  /** Members that are to be taken out if what is being accepted with them cannot be. */
  leaving: MemberId[];
  /** The last commit that the train accepted. */
  tip: string | null;
  /** The accepted tip has not reached the user's branch; runs to tell when it does. */
  unlanded: { news: LandingNews; runs: RunRef[] } | null;
  /** The train stands, and a person is asked. */
  halt: Halt | null;
  /** Grows when the train goes on after a halt: what was red before is checked again. */
  epoch: number;
  /** The last number that was given to a member or a check. */
  serial: number;
}

const REMEMBERED = 50;

/** An empty train. */
export function emptyTrain(): TrainQueue {
  return {
    version: 3,
    lanes: [],
    culprits: [],
    requests: [],
    arrivals: [],
    belief: UNKNOWN_FAILURES,
    outbox: [],
    answered: [],
    leaving: [],
    tip: null,
    unlanded: null,
    halt: null,
    epoch: 1,
    serial: 0,
  };
}

/** All members that have no answer yet. */
export function membersOf(queue: TrainQueue): Waiting[] {
  const waiting = queue.requests.filter(({ isRebuilt }) => !isRebuilt).map(({ member }) => member);
  return [
    ...arriving(queue),
    ...queue.lanes.flatMap((lane) => lane.members),
    ...queue.culprits.map(({ member }) => member),
    ...waiting,
  ];
}

function arriving({ arrivals }: TrainQueue): Waiting[] {
  return arrivals.flatMap(({ told }) => told.map(({ member }) => member));
}

/** The runs of these members, each once. */
export function runsOf(members: readonly MemberId[]): RunRef[] {
  return distinctRuns(members.map(({ run }) => run));
}

/** Runs, each once. */
export function distinctRuns(runs: readonly RunRef[]): RunRef[] {
  return [...new Map(runs.map((run) => [`${run.project}..${run.run}`, run])).values()];
}

/** Takes a member in, once. One that was answered before gets that answer again. */
export function submit(queue: TrainQueue, member: TrainMember): TrainQueue {
  const key = memberKey(member);
  const repeated = answerAgain(queue, member);
  if (repeated !== null) return repeated;
  if (membersOf(queue).some((other) => memberKey(other) === key)) return queue;
  const serial = queue.serial + 1;
  const isThere = queue.lanes.some((lane) => sameLane(lane.ride, member.ride));
  const lanes = (isThere ? queue.lanes : [...queue.lanes, emptyLane(member.ride)]).map((lane) =>
    // How many places there are, and whether the tip is checked again, the newest one says.
    sameLane(lane.ride, member.ride)
      ? { ...lane, ride: member.ride, members: [...lane.members, { ...member, arrival: serial }] }
      : lane,
  );
  return { ...queue, serial, lanes };
}

/**
 * Takes a member out. One that is being accepted, or merged on the remote, is answered when that is over: then it is merged,
 * or it is taken out. One that is accepted is merged, and told so when it has landed.
 */
export function withdraw(queue: TrainQueue, member: MemberId): TrainQueue {
  const key = memberKey(member);
  const repeated = answerAgain(queue, member);
  if (repeated !== null) return repeated;
  if (arriving(queue).some((other) => memberKey(other) === key)) return queue;
  if (isBeingAccepted(queue, key)) {
    const others = queue.leaving.filter((other) => memberKey(other) !== key);
    return { ...queue, leaving: [...others, idOf(member)] };
  }
  const request = queue.requests.find((other) => memberKey(other.member) === key);
  if (request !== undefined && (request.isMerging || request.todo?.do === 'follow')) {
    const requests = queue.requests.map((other) => (other === request ? { ...other, isLeaving: true } : other));
    return { ...queue, requests };
  }
  const removed: TrainQueue = {
    ...queue,
    lanes: queue.lanes.map((lane) => without(lane, new Set([key]))),
    culprits: queue.culprits.filter((culprit) => memberKey(culprit.member) !== key),
    requests: queue.requests.filter((request) => memberKey(request.member) !== key),
  };
  return settle(answer(removed, member, { outcome: 'withdrawn', attempt: member.attempt }));
}

function isBeingAccepted(queue: TrainQueue, key: string): boolean {
  return queue.lanes.some((lane) => {
    const size = lane.checks.find((check) => check.id === lane.accepting)?.size ?? 0;
    return lane.members.slice(0, size).some((member) => memberKey(member) === key);
  });
}

function answerAgain(queue: TrainQueue, member: MemberId): TrainQueue | null {
  const before = queue.answered.find(({ key }) => key === memberKey(member));
  if (before === undefined) return null;
  return { ...queue, outbox: [...queue.outbox, { member: idOf(member), result: before.result }] };
}

/** Records an answer, and has it told. */
export function answer(queue: TrainQueue, member: MemberId, result: TrainResult): TrainQueue {
  const answered = [...queue.answered, { key: memberKey(member), result }].slice(-REMEMBERED);
  return { ...queue, outbox: [...queue.outbox, { member: idOf(member), result }], answered };
}

function idOf({ run, task, attempt }: MemberId): MemberId {
  return { run, task, attempt };
}

/**
 * Draws the conclusions: a member that is red alone on a base that is green by itself is a culprit; where that is not
 * known of the base, it is to be checked; the first green prefix waits for the canary.
 */
export function settle(queue: TrainQueue): TrainQueue {
  let { serial, belief } = queue;
  const culprits = [...queue.culprits];
  const settled = queue.lanes.map((lane): Lane => {
    const [first] = lane.members;
    if (lane.red === 1 && lane.failure !== null && first !== undefined && lane.accepting === null) {
      if (!lane.ride.recheckTip || lane.confirmed === lane.base) {
        culprits.push({ id: ++serial, member: first, ...lane.failure });
        belief = learn(belief, 0, 1);
        return without(lane, new Set([memberKey(first)]));
      }
      return lane.tipCheck === null ? { ...lane, tipCheck: ++serial } : lane;
    }
    const isGreen = longestGreen(lane) !== undefined;
    if (lane.canary.state === 'unknown' && isGreen) return { ...lane, canary: { state: 'running', id: ++serial } };
    // What it ran on is void: it takes no place until something is green again.
    if (lane.canary.state === 'running' && !isGreen) return { ...lane, canary: { state: 'unknown' } };
    return lane;
  });
  const isNeeded = (lane: Lane): boolean =>
    lane.members.length > 0 || isBusy(lane) || culprits.some(({ member }) => sameLane(member.ride, lane.ride));
  return { ...queue, lanes: settled.filter(isNeeded), culprits, belief, serial };
}
