/**
 * What went wrong with an agent's turn, as far as it matters for what to do next. `unknown` is everything that the agent
 * itself may do better the next time.
 */
export type AgentErrorClass =
  'rate_limit' | 'network' | 'server' | 'lost' | 'authentication' | 'quota' | 'model' | 'context' | 'unknown';

/** What follows from an error: go on after a wait, try again at once, or not at all. */
export type ErrorAnswer = 'wait' | 'retry' | 'give_up';

/** The one table of what is done about errors. A wait mends the first ones; only a person the ones that are given up. */
export const ERROR_ANSWERS: Readonly<Record<AgentErrorClass, ErrorAnswer>> = {
  rate_limit: 'wait',
  network: 'wait',
  server: 'wait',
  lost: 'wait',
  unknown: 'retry',
  context: 'retry',
  authentication: 'give_up',
  quota: 'give_up',
  model: 'give_up',
};

/** The first wait, milliseconds; each next one is twice as long, up to {@link LONGEST_WAIT}. */
const FIRST_WAIT = 5_000;
const LONGEST_WAIT = 10 * 60_000;

/**
 * How long to wait before the next try, in milliseconds: exponential, with "equal jitter" (half of it fixed, half
 * random), so that tasks that were refused together do not come back together. After AWS's "Exponential Backoff And
 * Jitter".
 *
 * @param tries how many tries failed in a row, from 1
 * @param random from 0 up to 1
 */
export function backoff(tries: number, random: number): number {
  const whole = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(30, tries - 1));
  return Math.round(whole / 2 + (whole / 2) * random);
}
