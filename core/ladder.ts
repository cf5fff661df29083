/**
 * How many of the queue's first members each check takes, so that the expected number of rounds of checks until all are
 * merged or sent back is the smallest that cumulative checks can have.
 *
 * A round checks nested prefixes of the queue at once. With failures that are independent, all that a round teaches is
 * how long the longest green prefix is and how long the shortest red one: the green one lands, and of the red rest it is
 * known that somewhere in it is a culprit. So the state is two numbers, the members that wait and the length of the
 * segment that is red, and for a given rate of failures the best prefixes follow by dynamic programming over them. Of
 * the rate there is only a belief: the prefixes are those with the smallest mean over all rates that may be.
 */

import type { FailureBelief } from './failure-belief.ts';

/** Most members that one check takes: a payload names them all. */
const LARGEST_BATCH = 250;

/** Longest queue that is planned to the member; longer ones are planned in equal blocks. */
const GRID = 48;

/** A rate that is believed with less than this weight does not count in a plan. */
const UNLIKELY = 0.01;

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
 * @param belief how likely members are to fail
 */
export function rungs(state: LadderState, slots: number, places: number, belief: FailureBelief): number[] {
  const { waiting, red } = state;
  if (waiting === 0 || red === 1) return [];
  const span = red > 0 ? red : Math.min(waiting, horizon(belief));
  const block = Math.ceil(span / GRID);
  const blocks = Math.ceil(span / block);
  // Who waits behind a red segment waits whatever is found in it: that makes no difference to the search.
  const round = new Round(blocks, red > 0 ? blocks : 0);
  for (const { rate, weight } of belief)
    if (weight >= UNLIKELY) round.consider(planFor(rate, block, Math.max(1, places)).reach(blocks), weight);
  const longest = red > 0 ? red - 1 : span;
  return [...new Set(round.best(slots).rungs.map((rung) => Math.min(rung * block, longest)))];
}

/** Beyond so many members a prefix is green too seldom to be planned for. */
function horizon(belief: FailureBelief): number {
  let members = 0;
  let left: FailureBelief = belief;
  let green = 1;
  while (green > FAINT && members < LARGEST_BATCH) {
    left = left.map(({ rate, weight }) => ({ rate, weight: weight * (1 - rate) }));
    green = left.reduce((sum, { weight }) => sum + weight, 0);
    members += 1;
  }
  return members;
}

/** The value of every state at one rate under the best choices, in expected rounds; worked out as far as it was asked for. */
class Plan {
  readonly #places: number;
  /** The chance that a prefix of so many blocks is green. */
  readonly green = new Float64Array(GRID + 1);
  /** By waiting blocks, then by red ones. */
  readonly rounds: Float64Array[] = [new Float64Array(1)];

  constructor(green: number, places: number) {
    this.#places = places;
    this.green[0] = 1;
    for (let blocks = 1; blocks <= GRID; blocks += 1) this.green[blocks] = (this.green[blocks - 1] ?? 0) * green;
  }

  /** Works out all states with so many blocks waiting, and fewer. */
  reach(waiting: number): this {
    while (this.rounds.length <= waiting) {
      const more = this.rounds.length;
      const row = new Float64Array(more + 1);
      this.rounds.push(row);
      // One that is red alone is sent back without a further check.
      row[1] = this.rounds[more - 1]?.[0] ?? 0;
      for (let red = 2; red <= more; red += 1) row[red] = this.#best(more, red);
      row[0] = this.#best(more, 0);
    }
    return this;
  }

  #best(waiting: number, red: number): number {
    const round = new Round(waiting, red);
    round.consider(this, 1);
    return round.best(this.#places).rounds;
  }
}

/** A round of checks that is being planned, with so many blocks waiting and so many red. */
class Round {
  readonly #waiting: number;
  readonly #red: number;
  readonly #longest: number;
  /** The chance that what is known is so, over all rates that were considered. */
  #total = 0;
  /** What is left to do where the first culprit lies between two prefixes, times the chance of that: by the shorter one. */
  readonly #between: Float64Array;
  /** The same where a prefix is green, and nothing longer was checked. */
  readonly #behind: Float64Array;

  constructor(waiting: number, red: number) {
    this.#waiting = waiting;
    this.#red = red;
    this.#longest = red > 0 ? red - 1 : waiting;
    this.#behind = new Float64Array(this.#longest + 1);
    this.#between = new Float64Array((this.#longest + 1) ** 2);
  }

  /** The more likely a rate is, the more what would follow at that rate counts: it is known by then, more or less. */
  consider({ green, rounds }: Plan, weight: number): void {
    const [waiting, red, longest] = [this.#waiting, this.#red, this.#longest];
    const [between, behind] = [this.#between, this.#behind];
    const beyond = red > 0 ? (green[red] ?? 0) : 0;
    this.#total += weight * (1 - beyond);
    for (let from = 0; from <= longest; from += 1) {
      const left = rounds[waiting - from] ?? NONE;
      const here = green[from] ?? 0;
      const last = weight * (here - beyond) * (left[red > 0 ? red - from : 0] ?? 0);
      behind[from] = (behind[from] ?? 0) + last;
      for (let rung = from + 1; rung <= longest; rung += 1) {
        const at = from * (longest + 1) + rung;
        between[at] = (between[at] ?? 0) + weight * (here - (green[rung] ?? 0)) * (left[rung - from] ?? 0);
      }
    }
  }

  /** The best prefixes with so many checks: a shortest path over prefixes, whose steps cost what is left to do then. */
  best(checks: number): { rounds: number; rungs: number[] } {
    const longest = this.#longest;
    const between = this.#between;
    let after = this.#behind.slice();
    after[0] = Infinity;
    const steps: Uint8Array[] = [];
    for (let check = 0; check < checks; check += 1) {
      const next = new Float64Array(longest + 1);
      const step = new Uint8Array(longest + 1);
      for (let from = 0; from <= longest; from += 1) {
        let least = from === 0 ? Infinity : (after[from] ?? Infinity);
        let to = from;
        for (let rung = from + 1; rung <= longest; rung += 1) {
          const cost = (between[from * (longest + 1) + rung] ?? 0) + (after[rung] ?? Infinity);
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
    return { rounds: 1 + (after[0] ?? 0) / this.#total, rungs: chosen };
  }
}

const NONE = new Float64Array(0);

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
