import { firstClash, type GlobOptions } from './globs.ts';
import { decideGrowth, type Clash, type Decision, type Holder, type Verdict, type Waiter } from './lock-growth.ts';
import type { LockTable } from './locks.ts';

/**
 * How many requests that clash with it and came later may be granted before a waiter. From then on it comes first, and
 * nobody who clashes with it is granted before it but those who waited as long and came earlier. So between a
 * request's arrival and its grant there are at most this many grants of others that clash with it, besides the requests
 * that were there before it, and what working tasks are granted on top of what they hold.
 */
export const MOST_PASSES = 16;

/** What is decided now, and how often each who still waits has been passed. */
export interface Decisions {
  decisions: Decision[];
  passed: ReadonlyMap<Waiter, number>;
}

/**
 * Decides who of a table's waiters gets its locks now: first those who hold some and need more, in order of arrival;
 * then those who were passed too often; then by priority, weight, arrival, and their run's order. A request is granted
 * whole, when a place is free and it meets no holder, no waiting grower and nobody who was passed too often.
 */
export function decide({ runs }: LockTable): Decisions {
  const cache: GlobOptions['cache'] = new Map();
  const ignoreCase = Object.values(runs).some((run) => run.ignoreCase === true);
  const clash: Clash = (a, b) => firstClash(a, b, { ignoreCase, cache });
  const holders = Object.entries(runs).flatMap(([run, { holds }]) =>
    holds.map(({ task, claims }): Holder => ({ run, task, claims })),
  );
  const waiters = Object.entries(runs).flatMap(([run, { wants }]) =>
    wants.map((want): Waiter => ({ run, task: want.task, want })),
  );
  const growers = waiters.filter(({ want }) => want.grows === true).sort((a, b) => a.want.since - b.want.since);
  const growth = decideGrowth(growers, holders, clash);
  const reserved = growth.flatMap(({ waiter: { run, task, want }, verdict }): Holder[] =>
    verdict.kind === 'waits' ? [{ run, task, claims: want.claims }] : [],
  );
  const others = waiters.filter(({ want }) => want.grows !== true).sort(byRank);
  const rest = decideOthers(runs, others, [...holders, ...reserved], clash);
  return { ...rest, decisions: [...growth, ...rest.decisions] };
}

/** Decides on those that hold nothing. */
function decideOthers(runs: LockTable['runs'], waiters: readonly Waiter[], taken: Holder[], clash: Clash): Decisions {
  const slots = new Map(Object.entries(runs).map(([run, entry]) => [run, entry.slots]));
  let places = placesOf(runs);
  const passed = new Map(waiters.map((waiter) => [waiter, waiter.want.passed]));
  const waiting = new Set(waiters);
  const isNext = (waiter: Waiter): boolean => (passed.get(waiter) ?? 0) >= MOST_PASSES;
  const judge = (waiter: Waiter): Verdict => {
    const claims = waiter.want.claims;
    for (const owner of taken) {
      const met = clash(claims, owner.claims);
      if (met !== null) return { kind: 'waits', obstacle: { owner, clash: met } };
    }
    if ((slots.get(waiter.run) ?? 0) === 0) return { kind: 'no_place', of: 'run' };
    if (places === 0) return { kind: 'no_place', of: 'repository' };
    const rivals = [...waiting].filter((other) => other !== waiter && (slots.get(other.run) ?? 0) > 0);
    const met = rivals.flatMap((other) => {
      const globs = clash(claims, other.want.claims);
      return globs === null ? [] : [{ owner: other, clash: globs }];
    });
    const first = met.find(({ owner }) => isNext(owner) && (!isNext(waiter) || byRank(owner, waiter) < 0));
    if (first !== undefined) return { kind: 'waits', obstacle: first };
    for (const { owner } of met) {
      if (
        owner.want.since < waiter.want.since ||
        (owner.want.since === waiter.want.since && byRank(owner, waiter) < 0)
      ) {
        passed.set(owner, (passed.get(owner) ?? 0) + 1);
      }
    }
    taken.push({ run: waiter.run, task: waiter.task, claims });
    slots.set(waiter.run, (slots.get(waiter.run) ?? 0) - 1);
    places -= 1;
    waiting.delete(waiter);
    return { kind: 'granted' };
  };
  return { decisions: waiters.map((waiter) => ({ waiter, verdict: judge(waiter) })), passed };
}

/** How many more tasks may work on the repository. */
function placesOf(runs: LockTable['runs']): number {
  const all = Object.values(runs);
  const cap = Math.min(...all.map((run) => run.cap ?? Infinity));
  return Math.max(0, cap - all.flatMap((run) => run.holds).filter((hold) => hold.idle !== true).length);
}

function byRank({ want: a }: Waiter, { want: b }: Waiter): number {
  const [nextA, nextB] = [a.passed >= MOST_PASSES, b.passed >= MOST_PASSES];
  if (nextA !== nextB) return nextA ? -1 : 1;
  if (nextA) return a.since - b.since;
  return b.priority - a.priority || (b.weight ?? 0) - (a.weight ?? 0) || a.since - b.since;
}
