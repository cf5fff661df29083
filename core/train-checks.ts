import type { CheckFailure } from './checks.ts';
import type { Evidence } from './evidence.ts';
import { halt, tipHalt } from './train-halt.ts';
import * as rules from './train-lane.ts';
import type { BuiltPrefixes, Lane, PrefixCheck, Waiting } from './train-lane.ts';
import { answer, settle, type TrainQueue } from './train-queue.ts';
import { memberKey, type MemberId } from './train.ts';

/** Checks of one lane to begin: its first members, merged, by these sizes. */
export interface PlannedChecks {
  checks: { id: number; size: number }[];
}

/**
 * Plans the checks that have a free place. Lanes that depend on one another take turns, the one with the oldest member
 * first, and only when the others' checks have come to their end.
 */
export function plan(queue: TrainQueue): Plan {
  return planFor(queue, () => true);
}

/** Plans what is merged already, behind what is being accepted. */
export function planBehind(queue: TrainQueue): TrainQueue {
  return planFor(queue, (lane) => lane.accepting !== null).queue;
}

/** The state with new checks in it. */
export interface Plan {
  queue: TrainQueue;
  /** What is to be merged for them. */
  planned: PlannedChecks[];
  /** The new ones for which nothing is to be merged, by their ids. */
  begun: number[];
}

function planFor(queue: TrainQueue, isMeant: (lane: Lane) => boolean): Plan {
  if (queue.halt !== null) return { queue, planned: [], begun: [] };
  const places = Math.max(1, ...queue.lanes.map((lane) => lane.ride.slots));
  const planned: PlannedChecks[] = [];
  let free = places - running(queue).length;
  const begun: number[] = [];
  let { serial } = queue;
  const next = [...queue.lanes];
  const order = next
    .map((lane, index) => ({ index, age: lane.members[0]?.arrival ?? Infinity }))
    .sort((a, b) => a.age - b.age);
  for (const { index, age } of order) {
    const lane = next[index];
    if (lane === undefined || !isMeant(lane)) continue;
    const rivals = next.filter((other) => other !== lane && !rules.areIndependent(other, lane));
    if (rivals.some((other) => rules.isBusy(other) || (other.members[0]?.arrival ?? Infinity) < age)) continue;
    const sizes = rules.prefixesToCheck(lane, free, places, queue.belief);
    if (sizes.length === 0) continue;
    const checks = sizes.map((size): PrefixCheck => {
      return { id: ++serial, size, candidate: rules.chained(lane, size), green: false };
    });
    free -= checks.length;
    next[index] = { ...lane, checks: [...lane.checks, ...checks] };
    const unmerged = checks.filter(({ candidate }) => candidate === null);
    begun.push(...checks.filter(({ candidate }) => candidate !== null).map(({ id }) => id));
    if (unmerged.length > 0) planned.push({ checks: unmerged.map(({ id, size }) => ({ id, size })) });
  }
  return { queue: { ...queue, lanes: next, serial }, planned, begun };
}

/** The lane that checks were planned for, as it is by now: some of it may have been withdrawn, or all. */
export function laneOf(queue: TrainQueue, { checks }: PlannedChecks): Lane | undefined {
  return queue.lanes.find((lane) => lane.checks.some(({ id }) => checks.some((check) => check.id === id)));
}

/** A check that is to run: whoever carries out the train starts it, and ends it when it is no longer here. */
export type Job = { id: number; member: Waiting; epoch: number } & (
  | { kind: 'candidate'; commit: string; size: number }
  | { kind: 'tip'; commit: string }
  | { kind: 'canary'; commit: string }
  | { kind: 'culprit'; commit: string; failure: CheckFailure }
);

/** All checks that are to run now. */
export function jobs(queue: TrainQueue): Job[] {
  const { epoch } = queue;
  const ofLanes = queue.lanes.flatMap((lane): Job[] => {
    const [member] = lane.members;
    if (member === undefined) return [];
    const common = { member, epoch };
    const list: Job[] = lane.checks.flatMap(({ id, size, candidate, green }): Job[] =>
      candidate === null || green ? [] : [{ ...common, id, kind: 'candidate', commit: candidate.commit, size }],
    );
    if (lane.tipCheck !== null && lane.base !== null)
      list.push({ ...common, id: lane.tipCheck, kind: 'tip', commit: lane.base });
    const green = rules.longestGreen(lane);
    if (lane.canary.state === 'running' && green?.candidate != null)
      list.push({ ...common, id: lane.canary.id, kind: 'canary', commit: green.candidate.commit });
    return list;
  });
  // One at a time, beside the places: mostly its verdict is known already, and then it takes none.
  const ofCulprits = queue.culprits.slice(0, 1).map((culprit): Job => ({ ...culprit, epoch, kind: 'culprit' }));
  return [...ofLanes, ...ofCulprits];
}

/** The places that are taken: also by what is still being merged. */
function running(queue: TrainQueue): number[] {
  return queue.lanes.flatMap((lane) => [
    ...lane.checks.filter((check) => !check.green).map((check) => check.id),
    ...(lane.tipCheck === null ? [] : [lane.tipCheck]),
    ...(lane.canary.state === 'running' ? [lane.canary.id] : []),
  ]);
}

/** What merging the planned prefixes came to, for the lane that they were planned for. */
export interface MergedPrefixes extends BuiltPrefixes {
  /** Members that cannot be merged onto the base even alone, with the evidence. */
  conflicts: { member: MemberId; evidence: Evidence }[];
}

/** Takes up candidates. A member in conflict goes back to its task. */
export function merged(queue: TrainQueue, ids: readonly number[], result: MergedPrefixes): TrainQueue {
  const at = queue.lanes.findIndex((lane) => lane.checks.some((check) => ids.includes(check.id)));
  const lane = queue.lanes[at];
  // A person may have withdrawn all of them meanwhile.
  if (lane === undefined) return settle(queue);
  const conflicts = result.conflicts.filter(({ member }) => has(lane, member));
  const begun = lane.checks.filter((check) => ids.includes(check.id));
  const others = { ...lane, checks: lane.checks.filter((check) => !ids.includes(check.id)) };
  const rest = rules.without(others, new Set(conflicts.map(({ member }) => memberKey(member))));
  const next = rules.built({ ...rest, checks: [...rest.checks, ...begun] }, result, result.base === queue.tip);
  const updated = { ...queue, lanes: queue.lanes.map((other, index) => (index === at ? next : other)) };
  return settle(
    conflicts.reduce(
      (before, { member, evidence }) =>
        answer(before, member, { outcome: 'rejected', attempt: member.attempt, evidence }),
      updated,
    ),
  );
}

function has(lane: Lane, member: MemberId): boolean {
  return lane.members.some((other) => memberKey(other) === memberKey(member));
}

/** Nothing can be merged onto the base: the planned checks are given up. */
export function notMerged(queue: TrainQueue, ids: readonly number[]): TrainQueue {
  const give = (lane: Lane): Lane => ({ ...lane, checks: lane.checks.filter((check) => !ids.includes(check.id)) });
  return settle({ ...queue, lanes: queue.lanes.map(give) });
}

/** The verdict of a prefix, or of the tip alone. */
export function checked(queue: TrainQueue, id: number, failure: CheckFailure | null): TrainQueue {
  const ofTip = queue.lanes.find((lane) => lane.tipCheck === id);
  if (ofTip !== undefined && failure !== null) return halt(queue, tipHalt(ofTip.base ?? '', failure));
  const next = queue.lanes.map((lane): Lane => {
    if (lane.tipCheck === id) return { ...lane, tipCheck: null, confirmed: lane.base };
    return failure === null ? rules.foundGreen(lane, id) : rules.foundRed(lane, id, failure);
  });
  return settle({ ...queue, lanes: next });
}

/** What the canary showed: `proven`, the check fails when it should. */
export function canaryShown(queue: TrainQueue, id: number, proven: boolean): TrainQueue {
  const lane = queue.lanes.find(({ canary }) => canary.state === 'running' && canary.id === id);
  if (lane === undefined) return queue;
  if (!proven && lane.ride.canary === 'block') {
    return halt(queue, {
      kind: 'canary',
      reason: 'the integration checks pass also with the canary set, so they prove nothing',
      hint: 'make them fail when the variable of `checks.canary` is set; then say "signalbox run resume"',
      detail: '',
      tip: lane.base ?? '',
    });
  }
  const canary = { state: proven ? ('proven' as const) : ('unproven' as const) };
  return settle({ ...queue, lanes: queue.lanes.map((other) => (other === lane ? { ...lane, canary } : other)) });
}

/** A culprit has its evidence. */
export function blamed(queue: TrainQueue, id: number, evidence: Evidence): TrainQueue {
  const culprit = queue.culprits.find((other) => other.id === id);
  if (culprit === undefined) return queue;
  const { member } = culprit;
  const rest = { ...queue, culprits: queue.culprits.filter((other) => other.id !== id) };
  return settle(answer(rest, member, { outcome: 'rejected', attempt: member.attempt, evidence }));
}
