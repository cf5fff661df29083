import { firstClash, newGlobCaches, type Claims, type GlobCaches } from './globs.ts';
import { decideGrowth, type Decision, type Holder, type Obstacle, type Verdict, type Waiter } from './lock-growth.ts';
import type { LockTable } from './locks.ts';

/**
 * How many requests that clash with a waiter and come later may be granted before it. From then on nobody who clashes
 * with it is granted before it, but those who were passed as often and came earlier. So between a request's arrival and
 * its grant, while its run has a place for it, at most this many that came later and clash with it are granted.
 * (What working tasks get on top of what they hold is not counted.)
 */
export const MOST_PASSES = 16;

/** How much it counts that others wait for the same paths: best of those tried in the simulator. */
const RIVALS_SHARE = 0.5;

/** What is decided now. */
export interface Decisions {
  decisions: Decision[];
  /** How often each of those who hold nothing and still wait has been passed. */
  passed: ReadonlyMap<Waiter, number>;
}

/**
 * Decides who of a table's waiters gets its locks now. First those who hold some and need more. Then those who were
 * passed too often, in order of arrival. Then by priority, by urgency (the time that all that waits for the task takes,
 * and half of that of the other waiters that it clashes with), by arrival, and as their runs list them. A request is
 * granted whole, when a place is free and it meets no holder, no waiting grower and nobody who was passed too often; who
 * cannot be granted yet keeps nobody else from it.
 */
export function decide({ runs }: LockTable, caches: GlobCaches = newGlobCaches()): Decisions {
  const ignoreCase = Object.values(runs).some((run) => run.ignoreCase === true);
  const cache = ignoreCase ? caches.folded : caches.exact;
  const clash = (a: Claims, b: Claims): [string, string] | null => firstClash(a, b, { ignoreCase, cache });
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
  const others = new Arrivals(
    waiters.filter(({ want }) => want.grows !== true),
    clash,
  );
  return { decisions: [...growth, ...others.decide(runs, [...holders, ...reserved])], passed: others.passed };
}

/** Those who wait and hold nothing. */
class Arrivals {
  /** In the order in which they are served. */
  readonly #queue: Waiter[];
  readonly #rivals: ReadonlyMap<Waiter, ReadonlyMap<Waiter, [string, string]>>;
  readonly #clash: (a: Claims, b: Claims) => [string, string] | null;
  readonly passed = new Map<Waiter, number>();

  constructor(waiters: readonly Waiter[], clash: (a: Claims, b: Claims) => [string, string] | null) {
    this.#clash = clash;
    this.#rivals = rivalsAmong(waiters, clash);
    for (const waiter of waiters) this.passed.set(waiter, waiter.want.passed);
    const urgency = new Map(waiters.map((waiter) => [waiter, this.#urgencyOf(waiter)]));
    this.#queue = [...waiters].sort((a, b) => {
      const [nextA, nextB] = [this.#isNext(a), this.#isNext(b)];
      if (nextA !== nextB) return nextA ? -1 : 1;
      const byArrival = a.want.since - b.want.since;
      if (nextA) return byArrival;
      return b.want.priority - a.want.priority || (urgency.get(b) ?? 0) - (urgency.get(a) ?? 0) || byArrival;
    });
  }

  decide(runs: LockTable['runs'], taken: Holder[]): Decision[] {
    const slots = new Map(Object.entries(runs).map(([run, entry]) => [run, entry.slots]));
    let places = placesOf(runs);
    const granted = new Set<Waiter>();
    const judge = (waiter: Waiter): Verdict => {
      const held = this.#obstacle(waiter, taken);
      if (held !== null) return { kind: 'waits', obstacle: held };
      if ((slots.get(waiter.run) ?? 0) <= 0) return { kind: 'no_place', of: 'run' };
      if (places <= 0) return { kind: 'no_place', of: 'repository' };
      const at = this.#queue.indexOf(waiter);
      const passing: Waiter[] = [];
      for (const [rival, globs] of this.#rivals.get(waiter) ?? []) {
        if (granted.has(rival) || (slots.get(rival.run) ?? 0) <= 0) continue;
        const wasBefore = this.#isFirst(rival, waiter, at);
        if (wasBefore && this.#isNext(rival)) return { kind: 'waits', obstacle: { owner: rival, clash: globs } };
        if (wasBefore) passing.push(rival);
      }
      for (const rival of passing) this.passed.set(rival, (this.passed.get(rival) ?? 0) + 1);
      granted.add(waiter);
      taken.push({ run: waiter.run, task: waiter.task, claims: waiter.want.claims });
      slots.set(waiter.run, (slots.get(waiter.run) ?? 0) - 1);
      places -= 1;
      return { kind: 'granted' };
    };
    return this.#queue.map((waiter) => ({ waiter, verdict: judge(waiter) }));
  }

  /** Did the one come earlier; of those that came together, is it served earlier? */
  #isFirst(one: Waiter, other: Waiter, otherAt: number): boolean {
    if (one.want.since !== other.want.since) return one.want.since < other.want.since;
    return this.#queue.indexOf(one) < otherAt;
  }

  #isNext(waiter: Waiter): boolean {
    return (this.passed.get(waiter) ?? 0) >= MOST_PASSES;
  }

  #obstacle({ want }: Waiter, taken: readonly Holder[]): Obstacle | null {
    for (const owner of taken) {
      const clash = this.#clash(want.claims, owner.claims);
      if (clash !== null) return { owner, clash };
    }
    return null;
  }

  #urgencyOf(waiter: Waiter): number {
    const rivals = [...(this.#rivals.get(waiter)?.keys() ?? [])];
    const others = rivals.reduce((sum, { want }) => sum + (want.length ?? 0), 0);
    return (waiter.want.weight ?? 0) + RIVALS_SHARE * others;
  }
}

function rivalsAmong(
  waiters: readonly Waiter[],
  clash: (a: Claims, b: Claims) => [string, string] | null,
): Map<Waiter, Map<Waiter, [string, string]>> {
  const rivals = new Map(waiters.map((waiter) => [waiter, new Map<Waiter, [string, string]>()]));
  for (const [at, one] of waiters.entries()) {
    for (const other of waiters.slice(at + 1)) {
      const globs = clash(one.want.claims, other.want.claims);
      if (globs === null) continue;
      rivals.get(one)?.set(other, globs);
      rivals.get(other)?.set(one, [globs[1], globs[0]]);
    }
  }
  return rivals;
}

/** How many more tasks may work on the repository. */
function placesOf(runs: LockTable['runs']): number {
  const all = Object.values(runs);
  const cap = Math.min(...all.map((run) => run.cap ?? Infinity));
  return cap - all.flatMap((run) => run.holds).filter((hold) => hold.idle !== true).length;
}
