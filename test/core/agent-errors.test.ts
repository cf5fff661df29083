import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { backoff, classifyAgentError, ERROR_ANSWERS, type AgentErrorClass } from '../../core/agent-errors.ts';

/** What the real Codex said when a server answered so, and what other agents' libraries say. */
const SAID: readonly [AgentErrorClass, string][] = [
  [
    'limit',
    '{"error":{"message":"the task used 107 tokens; limits.tokens_per_task is 107 tokens","code":"budget_spent"}}',
  ],
  [
    'authentication',
    'unexpected status 401 Unauthorized: Incorrect API key provided: sk-x., url: http://h/v1/responses',
  ],
  ['authentication', 'unexpected status 403 Forbidden: Country, region, or territory not supported, url: http://h/v1'],
  [
    'authentication',
    'unexpected status 401 Unauthorized: the model gateway knows no step with this token, url: http://h',
  ],
  ['authentication', 'API Error: 401 {"type":"error","error":{"type":"authentication_error"}}'],
  ['rate_limit', 'exceeded retry limit, last status: 429 Too Many Requests, request id: 9c84b52c'],
  ['rate_limit', 'rate limit exceeded: Rate limit reached for gpt-5. Please try again in 1s.'],
  ['rate_limit', 'stream disconnected before completion: Rate limit reached for gpt-5-codex in organization org'],
  ['rate_limit', '{"type":"error","error":{"type":"rate_limit_error","message":"…"}}'],
  ['quota', 'Quota exceeded. Check your plan and billing details.'],
  ['quota', 'You’ve hit your usage limit. Upgrade to Pro (https://…) or try again later.'],
  ['quota', '429 You exceeded your current quota, please check your plan and billing details.'],
  ['quota', 'unexpected status 402 Payment Required: Insufficient credits, url: http://h/v1/responses'],
  ['quota', 'Your credit balance is too low to access the API.'],
  ['context', "Codex ran out of room in the model's context window. Start a new thread or clear earlier history."],
  [
    'context',
    '{"error":{"message":"Your input exceeds the context window of this model.","code":"context_length_exceeded"}}',
  ],
  ['context', 'prompt is too long: 210000 tokens > 200000 maximum'],
  [
    'model',
    'unexpected status 404 Not Found: The model `gpt-nope` does not exist or you do not have access to it., url: h',
  ],
  [
    'model',
    '{"error":{"message":"Unsupported value: \'xhigh\'","param":"reasoning.effort","code":"unsupported_value"}}',
  ],
  ['model', "The 'gpt-5.2' model is not supported when using Codex with a ChatGPT account."],
  ['network', 'stream disconnected before completion: Transport error: network error: error decoding response body'],
  ['network', 'Connection failed: error sending request'],
  ['network', 'unexpected status 502 Bad Gateway: the model gateway could not reach h: ECONNREFUSED, url: http://h/v1'],
  ['network', 'connect ETIMEDOUT 10.0.0.1:443'],
  ['network', 'idle timeout waiting for SSE'],
  ['server', 'We’re currently experiencing high demand, which may cause temporary errors.'],
  ['server', 'Selected model is at capacity. Please try a different model.'],
  ['server', 'unexpected status 529 <unknown status code>: Overloaded, url: http://h/v1/responses'],
  ['server', 'unexpected status 500 Internal Server Error: oops'],
  ['unknown', 'Incomplete response returned, reason: max_output_tokens'],
  ['unknown', 'tests failed: 401 of 500 passed'],
  ['unknown', ''],
];

describe('the class of an agent’s error', () => {
  test.each(SAID)('is %s for: %s', (expected, text) => {
    expect(classifyAgentError({ lost: false, text })).toBe(expected);
    expect(classifyAgentError({ lost: false, text: text.toUpperCase() })).toBe(expected);
    expect(classifyAgentError({ lost: true, text })).toBe('lost');
  });

  test('has an answer, and a wait only where one may mend it', () => {
    expect(Object.keys(ERROR_ANSWERS).filter((known) => !SAID.some(([found]) => found === known))).toEqual(['lost']);
    const waits = Object.entries(ERROR_ANSWERS).filter(([, answer]) => answer === 'wait');
    expect(waits.map(([error]) => error).sort()).toEqual(['lost', 'network', 'rate_limit', 'server']);
  });
});

describe('the wait before the next try', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  test('is between half and the whole of what doubles with each try, up to ten minutes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), random, (tries, luck) => {
        const whole = Math.min(600_000, 5000 * 2 ** (tries - 1));
        const wait = backoff(tries, luck);
        expect(wait).toBeGreaterThanOrEqual(whole / 2);
        expect(wait).toBeLessThanOrEqual(whole);
        expect(Number.isSafeInteger(wait)).toBe(true);
      }),
    );
  });
});
