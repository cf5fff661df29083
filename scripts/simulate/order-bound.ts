/** Which tasks, by position, come one after another, or cannot run at once. */
export interface Exclusion {
  /** All tasks, each after its dependencies. */
  order: readonly number[];
  dependencies: readonly (readonly number[])[];
  /** Does one depend on the other, directly or not? */
  follows: (a: number, b: number) => boolean;
  excludes: (a: number, b: number) => boolean;
}

/** For each task the earliest start and the latest end in a schedule of some length. */
interface Windows {
  start: number[];
  end: number[];
}

/** With more pairs than that, no order is tried out. */
const MOST_TRIED = 800;
const PRECISION = 1.002;

/**
 * A length that no schedule beats: all shorter ones are refuted. To refute a length, it is taken for granted; a pair of
 * tasks that cannot run at once, and of which only one order fits their windows, has that order, which narrows the
 * windows of both, and so on. Where an order of a pair, tried out, leads to a contradiction, the pair has the other one.
 *
 * @param atLeast a bound that is known
 * @param atMost the length of a schedule that exists
 */
export function leastInAnyOrder(
  durations: readonly number[],
  exclusion: Exclusion,
  atLeast: number,
  atMost: number,
): number {
  const pairs = [...durations.keys()].flatMap((a) =>
    Array.from({ length: a }, (_, b): [number, number] => [a, b]).filter(
      ([one, other]) => exclusion.excludes(one, other) && !exclusion.follows(one, other),
    ),
  );
  const arcs = exclusion.dependencies.flatMap((before, task) => before.map((one): [number, number] => [one, task]));
  const refuted = (length: number): boolean => {
    const problem = new WindowProblem(durations, arcs, pairs);
    const whole = { start: durations.map(() => 0), end: durations.map(() => length) };
    const windows = problem.narrowed(whole);
    return windows === null || (pairs.length <= MOST_TRIED && problem.isRefutedByTrying(windows));
  };
  let [low, high] = [atLeast, atMost];
  if (high <= low || !refuted(low)) return low;
  while (high / low > PRECISION) {
    const middle = (low + high) / 2;
    if (refuted(middle)) low = middle;
    else high = middle;
  }
  return low;
}

class WindowProblem {
  readonly #durations: readonly number[];
  readonly #arcs: readonly [number, number][];
  readonly #pairs: readonly [number, number][];

  constructor(durations: readonly number[], arcs: readonly [number, number][], pairs: readonly [number, number][]) {
    this.#durations = durations;
    this.#arcs = arcs;
    this.#pairs = pairs;
  }

  /** The windows that are left; `null`: some task has none. */
  narrowed(from: Windows): Windows | null {
    const windows = { start: [...from.start], end: [...from.end] };
    for (let changed = true; changed;) {
      changed = false;
      for (const [one, other] of this.#arcs) if (this.#put(windows, one, other)) changed = true;
      for (const [one, other] of this.#pairs) {
        const forth = this.#fits(windows, one, other);
        const back = this.#fits(windows, other, one);
        if (!forth && !back) return null;
        if (forth !== back && this.#put(windows, ...(forth ? ([one, other] as const) : ([other, one] as const)))) {
          changed = true;
        }
      }
      const { start, end } = windows;
      if (this.#durations.some((duration, task) => at(start, task) + duration > at(end, task))) return null;
    }
    return windows;
  }

  isRefutedByTrying(from: Windows): boolean {
    let windows = from;
    for (const [one, other] of this.#pairs) {
      if (!this.#fits(windows, one, other) || !this.#fits(windows, other, one)) continue;
      const forth = this.#tried(windows, one, other);
      const back = this.#tried(windows, other, one);
      if (forth === null && back === null) return true;
      if (forth === null || back === null) windows = forth ?? back ?? windows;
    }
    return false;
  }

  #tried(windows: Windows, one: number, other: number): Windows | null {
    const copy = { start: [...windows.start], end: [...windows.end] };
    this.#put(copy, one, other);
    return this.narrowed(copy);
  }

  /** Can the one run before the other? */
  #fits({ start, end }: Windows, one: number, other: number): boolean {
    return at(start, one) + at(this.#durations, one) + at(this.#durations, other) <= at(end, other);
  }

  /** Lets the one run before the other. @returns whether that narrows a window */
  #put({ start, end }: Windows, one: number, other: number): boolean {
    const earliest = at(start, one) + at(this.#durations, one);
    const latest = at(end, other) - at(this.#durations, other);
    const narrows = earliest > at(start, other) || latest < at(end, one);
    start[other] = Math.max(at(start, other), earliest);
    end[one] = Math.min(at(end, one), latest);
    return narrows;
  }
}

function at(values: readonly number[], index: number): number {
  return values[index] ?? 0;
}
