import { failingMembers, type TrainOutcome, type TrainScenario } from './train.ts';

/** One at a time: each member is merged and checked when the one before has landed or has been sent back. */
export function simulateOneByOne(scenario: TrainScenario): TrainOutcome {
  const failing = failingMembers(scenario);
  const rejected = failing.filter(Boolean).length;
  return { rounds: failing.length, checks: failing.length, merged: failing.length - rejected, rejected };
}

/**
 * A window of speculative single steps, as Zuul's: the first members are checked at once, each on top of those before
 * it. What is green lands up to the first that is red; that one is sent back, and those behind it are checked anew.
 */
export function simulateWindow(scenario: TrainScenario): TrainOutcome {
  let waiting = failingMembers(scenario);
  const outcome: TrainOutcome = { rounds: 0, checks: 0, merged: 0, rejected: 0 };
  while (waiting.length > 0) {
    const window = waiting.slice(0, scenario.slots);
    outcome.rounds += 1;
    outcome.checks += window.length;
    const red = window.indexOf(true);
    const green = red === -1 ? window.length : red;
    outcome.merged += green;
    if (red !== -1) outcome.rejected += 1;
    waiting = waiting.slice(red === -1 ? green : green + 1);
  }
  return outcome;
}

/** Bisection, as in bors-ng: all are checked together; a red batch is cut into halves, which are checked in turn. */
export function simulateBisection(scenario: TrainScenario): TrainOutcome {
  const batches = [failingMembers(scenario)];
  const outcome: TrainOutcome = { rounds: 0, checks: 0, merged: 0, rejected: 0 };
  for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
    if (batch.length === 0) continue;
    outcome.rounds += 1;
    outcome.checks += 1;
    if (!batch.includes(true)) outcome.merged += batch.length;
    else if (batch.length === 1) outcome.rejected += 1;
    else {
      const half = Math.ceil(batch.length / 2);
      batches.unshift(batch.slice(0, half), batch.slice(half));
    }
  }
  return outcome;
}
