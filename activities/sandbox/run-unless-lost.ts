import type { StepResult } from './sandbox.ts';

/** How often a step whose end nobody knows is run again. */
const MOST_LOST = 2;

/**
 * Runs a step that has no verdict when it is lost, as when the machine went down under it: then it is run again, a few
 * times, under names of its own, so that whoever comes next finds the same steps.
 */
export async function runUnlessLost(label: string, run: (label: string) => Promise<StepResult>): Promise<StepResult> {
  let result = await run(label);
  for (let again = 1; result.lost && again <= MOST_LOST; again += 1) result = await run(`${label}-again-${again}`);
  return result;
}
