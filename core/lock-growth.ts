import type { Claims } from './globs.ts';
import type { TableWant } from './locks.ts';

/** A task with its run. */
export interface Owner {
  run: string;
  task: string;
}

/** A task that holds locks, or reserves them. */
export interface Holder extends Owner {
  claims: Claims;
}

/** A task that waits for locks. */
export interface Waiter extends Owner {
  want: TableWant;
}

/** Who is in a waiter's way, and the globs that meet. */
export interface Obstacle {
  owner: Owner;
  clash: [string, string];
}

/** Compares claims as the runs of the table ask for it. */
export type Clash = (a: Claims, b: Claims) => [string, string] | null;

/** What becomes of a waiter: granted; or it waits for somebody, or only for a place; or it has to give way. */
export type Verdict =
  | { kind: 'granted' }
  | { kind: 'waits' | 'deadlock'; obstacle: Obstacle }
  | { kind: 'no_place'; of: 'run' | 'repository' };

/** A waiter's verdict. */
export interface Decision {
  waiter: Waiter;
  verdict: Verdict;
}

/**
 * Decides on the tasks that ask for more than they hold. Each waits for the holders that it meets, and for those that
 * asked before it, unless they wait for it. Where the waits would make a circle, the last to ask in it is told so; the
 * others of the circle are not, so that only one has to give way.
 *
 * @param growers in order of arrival
 * @param holders the claims of those whose growth is granted become what they hold then
 */
export function decideGrowth(growers: readonly Waiter[], holders: readonly Holder[], clash: Clash): Decision[] {
  const key = ({ run, task }: Owner): string => `${run}\n${task}`;
  const obstacles = (grower: Waiter): Obstacle[] =>
    holders.flatMap((holder) => {
      if (key(holder) === key(grower)) return [];
      const met = clash(grower.want.claims, holder.claims);
      return met === null ? [] : [{ owner: holder, clash: met }];
    });
  /** Whom each grower that waits waits for. */
  const waits = new Map<string, Set<string>>();
  const leadsTo = (from: string, to: string, seen = new Set<string>()): boolean => {
    if (from === to) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    return [...(waits.get(from) ?? [])].some((next) => leadsTo(next, to, seen));
  };
  const verdicts = new Map<Waiter, Verdict>();
  for (const grower of growers) {
    const met = obstacles(grower);
    const circle = met.find(({ owner }) => leadsTo(key(owner), key(grower)));
    if (circle !== undefined) verdicts.set(grower, { kind: 'deadlock', obstacle: circle });
    else waits.set(key(grower), new Set(met.map(({ owner }) => key(owner))));
  }
  const waiting: Waiter[] = [];
  for (const grower of growers) {
    if (verdicts.has(grower)) continue;
    const [held] = obstacles(grower);
    const asked = waiting.flatMap((other): Obstacle[] => {
      const met = clash(grower.want.claims, other.want.claims);
      return met === null || leadsTo(key(other), key(grower)) ? [] : [{ owner: other, clash: met }];
    });
    const obstacle = held ?? asked[0];
    if (obstacle !== undefined) {
      for (const { owner } of asked) waits.get(key(grower))?.add(key(owner));
      verdicts.set(grower, { kind: 'waits', obstacle });
      waiting.push(grower);
      continue;
    }
    waits.delete(key(grower));
    verdicts.set(grower, { kind: 'granted' });
    const own = holders.find((holder) => key(holder) === key(grower));
    if (own !== undefined) own.claims = union(own.claims, grower.want.claims);
  }
  return growers.map((waiter) => ({ waiter, verdict: verdicts.get(waiter) ?? { kind: 'granted' } }));
}

/** All that either of two claims names. */
export function union(a: Claims, b: Claims): Claims {
  return { reads: [...new Set([...a.reads, ...b.reads])], writes: [...new Set([...a.writes, ...b.writes])] };
}
