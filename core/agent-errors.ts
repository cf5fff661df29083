/**
 * What went wrong with an agent's turn, as far as it matters for what to do next. `limit`: the model gateway refuses,
 * since a bound of `limits` is reached. `unknown` is everything that the agent itself may do better the next time.
 */
export type AgentErrorClass =
  'limit' | 'rate_limit' | 'network' | 'server' | 'lost' | 'authentication' | 'quota' | 'model' | 'context' | 'unknown';

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
  limit: 'give_up',
  authentication: 'give_up',
  quota: 'give_up',
  model: 'give_up',
};

/** The code of the error with which the model gateway refuses a request that is beyond a budget. */
export const BUDGET_SPENT = 'budget_spent';

/**
 * How errors are worded, first match wins. Codex tells an HTTP status as `unexpected status 401 Unauthorized: …`, a body
 * only for status 400, and some kinds in its own words; other agents print what their libraries say.
 */
const WORDS: readonly (readonly [AgentErrorClass, RegExp])[] = [
  ['limit', new RegExp(BUDGET_SPENT)],
  [
    'quota',
    /insufficient_quota|quota exceeded|exceeded your (?:current )?quota|usage[ _]limit|billing (?:details|hard limit)|credit balance|(?:insufficient|out of) (?:credits?|funds|balance)|status:? 402|payment required/,
  ],
  ['context', /context_length_exceeded|context window|maximum context length|prompt is too long/],
  ['rate_limit', /status:? 429|rate[ _-]?limit|too many requests/],
  [
    'authentication',
    /status:? 40[13]|unauthorized|invalid_api_key|incorrect api key|invalid_step_token|authentication_error|permission_error/,
  ],
  [
    'model',
    /model_not_found|unsupported_value|"param":\s*"model"|status:? 404|model\b[^\n]{0,100}(?:does not exist|not supported|not found)/,
  ],
  [
    'network',
    /upstream_unreachable|could not reach|connection (?:failed|refused|reset|closed)|stream disconnected|error sending request|network error|econnre|enotfound|eai_again|etimedout|(?:request|connection|connect|stream|idle)[^.\n]{0,30}(?:timed out|timeout)/,
  ],
  [
    'server',
    /status:? 5\d\d|internal server error|server_error|server had an error|bad gateway|service unavailable|overloaded|at capacity|high demand/,
  ],
];

/**
 * The class of an error.
 *
 * @param error `text` is what the agent, or the program that it is, said went wrong last; never what a model said
 */
export function classifyAgentError(error: { lost: boolean; text: string }): AgentErrorClass {
  if (error.lost) return 'lost';
  const text = error.text.toLowerCase();
  return WORDS.find(([, words]) => words.test(text))?.[0] ?? 'unknown';
}

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
