import type { CheckFailure } from './checks.ts';
import { learn, type FailureBelief } from './failure-belief.ts';
import { rungs } from './ladder.ts';
import { memberKey, type Ride, type TrainMember } from './train.ts';

/** A member that waits, and the place at which it came. */
export interface Waiting extends TrainMember {
  arrival: number;
}

/** A tree that could become the accepted tip. */
export interface Candidate {
  commit: string;
  /** What the members are merged onto: the accepted tip with what the user committed meanwhile. */
  base: string;
  /** The accepted tip that it would replace. */
  tip: string;
}

/** A check of the first `size` members, merged onto the base one after the other. */
export interface PrefixCheck {
  id: number;
  size: number;
  /** `null`: it is being merged. */
  candidate: Candidate | null;
  green: boolean;
}

/** What is known of the checks themselves, by the canary. */
export type CanaryState = { state: 'unknown' | 'proven' | 'unproven' } | { state: 'running'; id: number };

/** Members merged one after the other. */
export interface MergedChain {
  /** The accepted tip when they were. */
  tip: string;
  /** The commit of each, with all before it: a prefix of them needs no merging. */
  commits: string[];
}

/**
 * Members that are checked together, in the order in which they came: those of one definition of checks, and of one
 * lane. All checks of a lane are of nested prefixes: a green one is accepted whole and shortens the others.
 */
export interface Lane {
  ride: Ride;
  members: Waiting[];
  /** The first so many are red together, and no shorter prefix is known to be; 0: none is. */
  red: number;
  /** What the check of just that prefix said. */
  failure: { failure: CheckFailure; commit: string } | null;
  checks: PrefixCheck[];
  /** What candidates were last built on; `null` if none was, or it has moved. */
  base: string | null;
  /** The first members, merged onto `base` one after the other; `null` if none is. */
  chain: MergedChain | null;
  /** A base that was green by itself since the last halt: what is red on it is the members' doing. */
  confirmed: string | null;
  /** The check of the base alone, while it runs. */
  tipCheck: number | null;
  canary: CanaryState;
  /** The check whose candidate is being accepted. */
  accepting: number | null;
  /** The member after so many cannot be merged with those before it; it can be without them. */
  cut: number | null;
  /** How often in a row the branch was moved while it was being accepted. */
  moves: number;
}

/** A lane without members. */
export function emptyLane(ride: Ride): Lane {
  return {
    ride,
    members: [],
    red: 0,
    failure: null,
    checks: [],
    base: null,
    chain: null,
    confirmed: null,
    tipCheck: null,
    canary: { state: ride.canary === 'off' ? 'proven' : 'unknown' },
    accepting: null,
    cut: null,
    moves: 0,
  };
}

/** Is it merged through a pull request? */
export function isRequested({ push }: Ride): boolean {
  return push === 'pull_request';
}

/** Do these two belong into one lane? */
export function sameLane(one: Ride, other: Ride): boolean {
  return one.lane === other.lane && one.checks === other.checks && isRequested(one) === isRequested(other);
}

/** Says nothing of one the other's verdicts? Only named lanes, each of its own paths, are independent. */
export function areIndependent(one: Lane, other: Lane): boolean {
  return one.ride.lane !== null && other.ride.lane !== null && one.ride.lane !== other.ride.lane;
}

/** Is a check of it under way, or being accepted? */
export function isBusy(lane: Lane): boolean {
  return lane.checks.length > 0 || lane.accepting !== null || lane.tipCheck !== null;
}

/** The longest prefix that is green and has not landed yet. */
export function longestGreen(lane: Lane): PrefixCheck | undefined {
  return lane.checks.filter((check) => check.green).sort((one, other) => other.size - one.size)[0];
}

/**
 * The prefixes to check now. While a red segment is searched, a round is waited for: what comes of it decides where to
 * look next. Otherwise a free place takes what has come since, on top of what is being checked.
 */
export function prefixesToCheck(lane: Lane, free: number, places: number, belief: FailureBelief): number[] {
  if (lane.tipCheck !== null || lane.red === 1 || free < 1) return [];
  // A pull request shows its own work only: it is checked on the tip, without the others.
  const most = isRequested(lane.ride) ? 1 : (lane.cut ?? Infinity);
  const waiting = Math.min(lane.members.length, most);
  if (waiting === 0) return [];
  if (lane.accepting !== null) return prefixesBehind(lane, waiting, free, places, belief);
  if (lane.checks.length === 0) return rungs({ waiting, red: lane.red }, free, places, belief);
  if (lane.red > 0 || lane.checks.some((check) => check.green)) return [];
  const top = rungs({ waiting, red: 0 }, places, places, belief).at(-1) ?? 0;
  return top > Math.max(...lane.checks.map((check) => check.size)) ? [top] : [];
}

/**
 * The prefixes to check while one is being accepted: what will be checked next, if it is merged already. It is merged onto
 * what is being accepted, and ended if that comes to nothing.
 */
function prefixesBehind(lane: Lane, waiting: number, free: number, places: number, belief: FailureBelief): number[] {
  const [accepting, ...more] = lane.checks;
  if (accepting === undefined || more.length > 0) return [];
  const { size } = accepting;
  const rest = { waiting: waiting - size, red: Math.max(0, lane.red - size) };
  const next = rungs(rest, free, places, learn(belief, size, 0)).map((rung) => size + rung);
  return next.every((prefix) => chained(lane, prefix) !== null) ? next : [];
}

/** The candidate of a prefix that is merged already; `null` if it is not. */
export function chained({ base, chain }: Lane, size: number): Candidate | null {
  const commit = chain?.commits[size - 1];
  return chain === null || commit === undefined || base === null ? null : { commit, base, tip: chain.tip };
}

/** Takes members out. What is known, or being found out, of a prefix that held one of them is void. */
export function without(lane: Lane, keys: ReadonlySet<string>): Lane {
  const first = lane.members.findIndex((member) => keys.has(memberKey(member)));
  if (first === -1) return lane;
  const red = lane.red > first ? 0 : lane.red;
  const members = lane.members.filter((member) => !keys.has(memberKey(member)));
  return {
    ...lane,
    members,
    // Nobody is left to be blamed.
    tipCheck: members.length === 0 ? null : lane.tipCheck,
    checks: lane.checks.filter((check) => check.size <= first),
    chain: lane.chain === null ? null : { ...lane.chain, commits: lane.chain.commits.slice(0, first) },
    red,
    failure: red === 0 ? null : lane.failure,
    cut: lane.cut !== null && lane.cut > first ? null : lane.cut,
  };
}

/** What merging made of the prefixes that were planned. */
export interface BuiltPrefixes {
  base: string;
  tip: string;
  /** By the id of the check: how many members it has in the end. One that is left out cannot be built. */
  prefixes: { id: number; size: number }[];
  /** See {@link MergedChain}. */
  commits: string[];
  /** See {@link Lane.cut}. */
  cut: number | null;
}

/**
 * Takes up the candidates of checks that were begun. On another base than before, what was known is void; except where
 * the base moved only by other lanes, of which this one is independent.
 */
export function built(lane: Lane, made: BuiltPrefixes, movedByOthers: boolean): Lane {
  const { base, tip, prefixes, commits, cut } = made;
  const moved = lane.base !== null && lane.base !== base;
  const keep = !moved || (movedByOthers && lane.ride.lane !== null);
  const sizes = new Set<number>();
  const checks = lane.checks.flatMap((check): PrefixCheck[] => {
    const prefix = prefixes.find(({ id }) => id === check.id);
    if (prefix === undefined) {
      if (!keep || check.candidate === null) return [];
      sizes.add(check.size);
      return [check];
    }
    const commit = commits[prefix.size - 1];
    if (sizes.has(prefix.size) || commit === undefined) return [];
    sizes.add(prefix.size);
    return [{ ...check, size: prefix.size, candidate: { commit, base, tip } }];
  });
  // Of those behind, somebody may have left since.
  const longest = Math.max(
    0,
    ...checks.filter(({ id }) => prefixes.some((one) => one.id === id)).map(({ size }) => size),
  );
  const chain = { tip, commits: commits.slice(0, longest) };
  const confirmed = keep && lane.confirmed !== null && lane.confirmed === lane.base ? base : lane.confirmed;
  const known = keep ? {} : { red: 0, failure: null };
  return { ...lane, ...known, checks, base, chain, confirmed, cut };
}

/** A prefix is green: it lands next, and shorter ones need no verdict of their own. */
export function foundGreen(lane: Lane, id: number): Lane {
  const check = lane.checks.find((other) => other.id === id);
  if (check === undefined) return lane;
  // The longer one's verdict is about this very tree: that a shorter one was red alone says nothing any more.
  const red = lane.red <= check.size ? { red: 0, failure: null } : {};
  const checks = lane.checks
    .filter((other) => other.size >= check.size || other.id === lane.accepting)
    .map((other) => (other.id === id ? { ...other, green: true } : other));
  return { ...lane, ...red, checks };
}

/** A prefix is red: so are longer ones, which need no verdict any more. */
export function foundRed(lane: Lane, id: number, failure: CheckFailure): Lane {
  const check = lane.checks.find((other) => other.id === id);
  // The first verdict counts.
  if (check?.candidate == null || check.green) return lane;
  const checks = lane.checks.filter((other) => other.size < check.size || other.green);
  return { ...lane, checks, red: check.size, failure: { failure, commit: check.candidate.commit } };
}

/** The longest green prefix is accepted: its members are gone, and what is known of the others is about a shorter queue. */
export function acceptedPrefix(lane: Lane, commit: string): Lane {
  const size = lane.checks.find((check) => check.id === lane.accepting)?.size ?? 0;
  const red = Math.max(0, lane.red - size);
  const cut = lane.cut === null || lane.cut <= size ? null : lane.cut - size;
  // In a lane of its own it may have been merged anew.
  const isChained = lane.chain?.commits[size - 1] === commit;
  const chain = isChained ? { tip: commit, commits: lane.chain?.commits.slice(size) ?? [] } : null;
  const checks = lane.checks
    .filter((check) => check.size > size)
    .map(({ candidate, ...check }): PrefixCheck => ({
      ...check,
      size: check.size - size,
      candidate: isChained && candidate !== null ? { ...candidate, base: commit, tip: commit } : candidate,
    }));
  return {
    ...lane,
    members: lane.members.slice(size),
    checks,
    red,
    failure: red === 0 ? null : lane.failure,
    base: commit,
    chain,
    confirmed: commit,
    accepting: null,
    cut,
    moves: 0,
  };
}

/** The base has moved under it: everything is to be built anew. */
export function rebuilt(lane: Lane): Lane {
  return {
    ...lane,
    red: 0,
    failure: null,
    checks: [],
    base: null,
    chain: null,
    confirmed: null,
    tipCheck: null,
    accepting: null,
    cut: null,
    canary: lane.canary.state === 'running' ? { state: 'unknown' } : lane.canary,
  };
}
