/**
 * How many of the queue's first members each check takes, so that the expected number of rounds of checks until all are
 * merged or sent back is the smallest that cumulative checks can have.
 *
 * A round checks nested prefixes of the queue at once. With failures that are independent, all that a round teaches is
 * how long the longest green prefix is and how long the shortest red one: the green one lands, and of the red rest it is
 * known that somewhere in it is a culprit. So the state is two numbers, the members that wait and the length of the
 * segment that is red, and the best prefixes follow by dynamic programming over them.
 */

/** Most members that one check takes: a payload names them all. */
const LARGEST_BATCH = 250;

/** Longest queue that is planned to the member; longer ones are planned in equal blocks. Odd, so that a half is exact. */
const GRID = 48;

/** Failure rates that plans are made for; between two of them the best plan hardly differs. */
const RATES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5] as const;

/** A prefix that is green with less than this chance is not worth a place in the plan. */
const FAINT = 0.05;

/** What is known of the members that wait. */
export interface LadderState {
  /** How many wait. */
  waiting: number;
  /** The first so many are red together; 0: nothing is known to be red. */
  red: number;
}

/**
 * The prefixes to check next, ascending, each longer than 0 and, where a segment is red, shorter than it.
 *
 * @param slots how many checks may start now, at least 1
 * @param places how many run at once in all: what later rounds will have
 * @param rate the chance that a member fails, 0 to 1
 */
export function rungs(state: LadderState, slots: number, places: number, rate: number): number[] {
  const { waiting, red } = state;
  if (waiting === 0 || red === 1) return [];
  const p = RATES.reduce((best, next) => (Math.abs(next - rate) < Math.abs(best - rate) ? next : best));
  const span = red > 0 ? red : Math.min(waiting, horizon(p), LARGEST_BATCH);
  const block = Math.ceil(span / GRID);
  const blocks = Math.ceil(span / block);
  const plan = planFor(p, block, Math.max(1, places));
  const known = Math.min(GRID, red > 0 ? Math.max(blocks, Math.ceil(waiting / block)) : blocks);
  const longest = red > 0 ? red - 1 : span;
  const chosen = plan
    .reach(known)
    .best(known, red > 0 ? blocks : 0, slots)
    .rungs.map((rung) => Math.min(rung * block, longest));
  return [...new Set(chosen)];
}

/** Beyond so many members a prefix is green too seldom to be planned for. */
function horizon(p: number): number {
  let members = 1;
  for (let green = 1 - p; green > FAINT && members < LARGEST_BATCH; green *= 1 - p) members += 1;
  return members;
}

const NONE = new Float64Array(0);

/** The value of every state under the best choices, in expected rounds; worked out as far as it was asked for. */
class Plan {
  readonly #places: number;
  /** The chance that a prefix of so many blocks is green. */
  readonly #green = new Float64Array(GRID + 1);
  /** By waiting blocks, then by red ones. */
  readonly #rounds: Float64Array[] = [new Float64Array(1)];

  constructor(green: number, places: number) {
    this.#places = places;
    this.#green[0] = 1;
    for (let blocks = 1; blocks <= GRID; blocks += 1) this.#green[blocks] = (this.#green[blocks - 1] ?? 0) * green;
  }

  /** Works out all states with so many blocks waiting, and fewer. */
  reach(waiting: number): this {
    while (this.#rounds.length <= waiting) {
      const more = this.#rounds.length;
      const row = new Float64Array(more + 1);
      this.#rounds.push(row);
      // One that is red alone is sent back without a further check.
      row[1] = this.#rounds[more - 1]?.[0] ?? 0;
      for (let red = 2; red <= more; red += 1) row[red] = this.best(more, red, this.#places).rounds;
      row[0] = this.best(more, 0, this.#places).rounds;
    }
    return this;
  }

  /**
   * The best prefixes with so many checks: a shortest path over prefixes, whose steps cost the chance that the first
   * culprit lies between the two, times what is left to do then.
   */
  best(waiting: number, red: number, checks: number): { rounds: number; rungs: number[] } {
    const green = this.#green;
    const longest = red > 0 ? red - 1 : waiting;
    const total = 1 - (red > 0 ? (green[red] ?? 0) : 0);
    // What follows when the prefix is green and nothing longer was checked.
    let after = new Float64Array(longest + 1);
    after[0] = Infinity;
    for (let rung = 1; rung <= longest; rung += 1)
      after[rung] = this.#between(rung, red, total) * this.#left(waiting - rung, red > 0 ? red - rung : 0);
    const steps: Uint8Array[] = [];
    for (let check = 0; check < checks; check += 1) {
      const next = new Float64Array(longest + 1);
      const step = new Uint8Array(longest + 1);
      for (let from = 0; from <= longest; from += 1) {
        const left = this.#rounds[waiting - from] ?? NONE;
        const here = green[from] ?? 0;
        let least = from === 0 ? Infinity : (after[from] ?? Infinity);
        let to = from;
        for (let rung = from + 1; rung <= longest; rung += 1) {
          const chance = (here - (green[rung] ?? 0)) / total;
          const cost = chance * (left[rung - from] ?? 0) + (after[rung] ?? Infinity);
          if (cost < least) {
            least = cost;
            to = rung;
          }
        }
        next[from] = least;
        step[from] = to;
      }
      after = next;
      steps.unshift(step);
    }
    const chosen: number[] = [];
    steps.reduce((from, step) => {
      const to = step[from] ?? from;
      if (to > from) chosen.push(to);
      return to;
    }, 0);
    return { rounds: 1 + (after[0] ?? 0), rungs: chosen };
  }

  #between(rung: number, red: number, total: number): number {
    const chance = this.#green[rung] ?? 0;
    return red > 0 ? (chance - (this.#green[red] ?? 0)) / total : chance;
  }

  #left(waiting: number, red: number): number {
    return this.#rounds[waiting]?.[red] ?? 0;
  }
}

const plans = new Map<string, Plan>();

/** Plans are made once: they depend on nothing but their arguments. */
function planFor(p: number, block: number, places: number): Plan {
  const key = `${p}/${block}/${places}`;
  const known = plans.get(key);
  if (known !== undefined) return known;
  let green = 1;
  for (let member = 0; member < block; member += 1) green *= 1 - p;
  const plan = new Plan(green, places);
  plans.set(key, plan);
  return plan;
}

/** A running account of how members fare, in members; old ones count less and less. */
export interface FailureEstimate {
  green: number;
  red: number;
}

/**
 * Before anything is known: about one in thirty fails, as if thirty had been seen. In simulation fewer cost rounds where 2 %
 * fail, and more where 10 % do.
 */
export const UNKNOWN_FAILURES: FailureEstimate = { green: 29.1, red: 0.9 };

/** So many members are remembered, roughly. */
const REMEMBERED = 100;

/** Counts members that went through, and those that were sent back for a red check. */
export function countFailures(estimate: FailureEstimate, green: number, red: number): FailureEstimate {
  const sum = { green: estimate.green + green, red: estimate.red + red };
  const excess = (sum.green + sum.red) / REMEMBERED;
  return excess <= 1 ? sum : { green: sum.green / excess, red: sum.red / excess };
}

/** The chance that the next member fails. */
export function failureRate({ green, red }: FailureEstimate): number {
  return red / (green + red);
}
