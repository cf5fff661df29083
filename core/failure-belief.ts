/**
 * What is believed of how many members fail. One rate is not enough: before anything is known, most queues are green as a
 * whole and some hardly at all, which no single rate says; a plan for the mean of both fits neither.
 */
export type FailureBelief = readonly BelievedRate[];

/** That a member fails with this chance, and how likely it is that this is so. All weights together are 1. */
export interface BelievedRate {
  rate: number;
  weight: number;
}

/** With more of them, plans were no better. */
const RATES = [0.003, 0.01, 0.03, 0.1, 0.2, 0.4] as const;

/** Before anything is known: as if of twenty-one members one had been red (a beta distribution). */
const SEEN_BEFORE = { green: 20, red: 1 };

/**
 * With each member so much of the belief goes back to what it was before anything was known: projects change, and a rate
 * that was ruled out long ago is found again after a few members. The rule is known as fixed share (Herbster and
 * Warmuth, "Tracking the best expert", 1998).
 */
const FORGOTTEN = 0.001;

/** What is believed before anything is known. */
export const UNKNOWN_FAILURES: FailureBelief = (() => {
  const even = RATES.map((rate) => ({ rate, weight: 1 / RATES.length }));
  return weighed(even, SEEN_BEFORE.green, SEEN_BEFORE.red);
})();

/** What is believed when so many members went through, and so many were sent back for a red check. */
export function learn(belief: FailureBelief, green: number, red: number): FailureBelief {
  const kept = Math.max(0, 1 - FORGOTTEN * (green + red));
  return weighed(belief, green, red).map(({ rate, weight }, index) => ({
    rate,
    weight: kept * weight + (1 - kept) * (UNKNOWN_FAILURES[index]?.weight ?? 0),
  }));
}

/** Bayes' rule. Only products, which are the same on every machine: plans are replayed. */
function weighed(belief: FailureBelief, green: number, red: number): FailureBelief {
  const likely = belief.map(({ rate, weight }) => weight * power(1 - rate, green) * power(rate, red));
  const sum = likely.reduce((one, other) => one + other, 0);
  return belief.map(({ rate }, index) => ({ rate, weight: (likely[index] ?? 0) / sum }));
}

function power(base: number, times: number): number {
  let product = 1;
  for (let time = 0; time < times; time += 1) product *= base;
  return product;
}
