import { learn } from './failure-belief.ts';
import type { RunRef } from './run-ref.ts';
import { halt } from './train-halt.ts';
import {
  acceptedPrefix,
  areIndependent,
  isRequested,
  longestGreen,
  rebuilt,
  type Lane,
  type PrefixCheck,
  type Waiting,
} from './train-lane.ts';
import { answer, distinctRuns, runsOf, settle, withdraw, type Arrival, type TrainQueue } from './train-queue.ts';
import { memberKey, type LandingNews } from './train.ts';

/** How often accepting is tried anew because somebody moved the branch meanwhile. */
const MOST_MOVES = 20;

/** What is said of work that was checked by checks that prove nothing. */
const UNPROVEN = 'the integration checks pass also with the canary set, so they prove nothing';

/** What is to be accepted next: the members of the longest green prefix. */
export interface Acceptance {
  lane: Lane;
  check: PrefixCheck;
  members: Waiting[];
}

/** Begins to accept what is green; `null` if nothing is ready. */
export function beginAccepting(queue: TrainQueue): { queue: TrainQueue; acceptance: Acceptance | null } {
  const none = { queue, acceptance: null };
  if (queue.halt !== null || queue.lanes.some((lane) => lane.accepting !== null)) return none;
  // While more of a lane is being merged, what that comes to is counted from the lane's present first member.
  const lane = queue.lanes.find(
    (other) =>
      !isRequested(other.ride) &&
      ['proven', 'unproven'].includes(other.canary.state) &&
      longestGreen(other) !== undefined &&
      other.checks.every(({ candidate }) => candidate !== null),
  );
  const check = lane === undefined ? undefined : longestGreen(lane);
  if (lane === undefined || check === undefined) return none;
  const lanes = queue.lanes.map((other) => (other === lane ? { ...lane, accepting: check.id } : other));
  return { queue: { ...queue, lanes }, acceptance: { check, lane, members: lane.members.slice(0, check.size) } };
}

/** Is a longer prefix than a green one being checked? It may well be green in a moment. */
export function mayGrow({ lanes }: TrainQueue): boolean {
  return lanes.some(({ checks }) => checks.some((check) => check.green) && checks.some((check) => !check.green));
}

/** What a candidate became when it was accepted. */
export interface AcceptedCandidate {
  /** The new accepted tip. */
  commit: string;
  /** The tip that it replaced; where others' commits came in with it, what its members were merged onto. */
  base: string;
  /** Each member's own merge, by its key, where they were merged anew. */
  commits: Readonly<Record<string, string>>;
}

/** What was being accepted is: its members wait for nothing but the landing, and those behind them go on from there. */
export function accepted(queue: TrainQueue, { commit, base, commits }: AcceptedCandidate): TrainQueue {
  const lane = queue.lanes.find((other) => other.accepting !== null);
  const check = lane?.checks.find((other) => other.id === lane.accepting);
  if (lane === undefined || check?.candidate == null) return queue;
  const warnings = lane.canary.state === 'unproven' ? { warnings: [UNPROVEN] } : {};
  const members = lane.members.slice(0, check.size);
  const merges = lane.chain?.commits[check.size - 1] === commit ? lane.chain.commits : [];
  const told = members.map((member, index): Arrival['told'][number] => {
    const { attempt } = member;
    const merge = commits[memberKey(member)] ?? merges[index] ?? commit;
    return { member, result: { outcome: 'merged', attempt, commit: merge, ...warnings } };
  });
  return settle({
    ...arrive(queue, { told, runs: runsOf(members) }),
    tip: commit,
    leaving: [],
    belief: learn(queue.belief, check.size, 0),
    lanes: queue.lanes.map((other) => {
      if (other === lane) return acceptedPrefix(lane, commit);
      // What others committed came in with it, or before it: that is news, unless the lane was built on the same.
      const isKnown = base === queue.tip || base === other.base;
      return areIndependent(other, lane) && isKnown ? other : rebuilt(other);
    }),
  });
}

/** Has what was accepted landed. */
export function arrive(queue: TrainQueue, arrival: Arrival): TrainQueue {
  return { ...queue, arrivals: [...queue.arrivals, arrival] };
}

/** It could not be accepted: somebody moved the branch. Its members wait again, but for those who wanted to leave. */
export function moved(queue: TrainQueue): TrainQueue {
  const lane = queue.lanes.find((other) => other.accepting !== null);
  if (lane === undefined) return queue;
  const again = { ...rebuilt(lane), moves: lane.moves + 1 };
  const next = { ...queue, leaving: [], lanes: queue.lanes.map((other) => (other === lane ? again : other)) };
  const rest = queue.leaving.reduce(withdraw, next);
  if (again.moves < MOST_MOVES) return rest;
  return halt(rest, {
    kind: 'error',
    reason: `the branch was moved ${MOST_MOVES} times while its new commits were joined and checked`,
    hint: 'see who moves it; the train goes on by itself',
    detail: '',
    tip: queue.tip ?? '',
  });
}

/**
 * A landing is over: the first so many arrivals are where they can be, and their members are merged. Returns the runs to
 * tell of the landing.
 */
export function landed(queue: TrainQueue, arrivals: number, news: LandingNews): { queue: TrainQueue; tell: RunRef[] } {
  const arrived = queue.arrivals.slice(0, arrivals);
  const riders = distinctRuns(arrived.flatMap(({ runs }) => runs));
  const rest = { ...queue, arrivals: queue.arrivals.slice(arrivals) };
  const told = arrived
    .flatMap((arrival) => arrival.told)
    .reduce((before, { member, result }) => answer(before, member, result), rest);
  return landingNews(told, news, riders);
}

/** Records whether the user's branch follows. Returns the runs to tell: all that wait for it, when the answer is new. */
export function landingNews(
  queue: TrainQueue,
  news: LandingNews,
  riders: readonly RunRef[],
): { queue: TrainQueue; tell: RunRef[] } {
  const waiting = queue.unlanded?.runs ?? [];
  const isKnown = (run: RunRef): boolean =>
    waiting.some((other) => other.project === run.project && other.run === run.run);
  const added = riders.filter((run) => !isKnown(run));
  const runs = [...waiting, ...added];
  if (news.landed) return { queue: { ...queue, unlanded: null }, tell: waiting };
  const before = queue.unlanded?.news;
  const same = before !== undefined && before.reason === news.reason && before.tip === news.tip;
  return { queue: { ...queue, unlanded: { news, runs } }, tell: same && added.length === 0 ? [] : runs };
}
