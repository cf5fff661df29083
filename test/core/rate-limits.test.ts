import { describe, expect, test } from '@jest/globals';

import { untilRefilled, waitAsked } from '../../core/rate-limits.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');

describe('the wait that an answer asks for', () => {
  test.each([
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': 'Thu, 26 Nov 2026 12:00:09 GMT' }, 9000],
    [{ 'retry-after': 'Thu, 26 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after-ms': '1200', 'retry-after': '2' }, 1200],
    [{ 'retry-after': '86400' }, 600_000],
    [{ 'retry-after': 'soon' }, null],
    [{}, null],
  ])('%j is %p ms', (headers, expected) => {
    expect(waitAsked(headers, NOW)).toBe(expected);
  });
});

describe('the wait until an allowance is filled up', () => {
  test.each([
    [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6m0s' }, 360_000],
    [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '1.5s' }, 1500],
    [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '120ms' }, 120],
    [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '1s20ms' }, 1020],
    [{ 'x-ratelimit-remaining-tokens': '5', 'x-ratelimit-reset-tokens': '1h' }, 0],
    [
      {
        'anthropic-ratelimit-tokens-remaining': '0',
        'anthropic-ratelimit-tokens-reset': '2026-11-26T12:00:03Z',
      },
      3000,
    ],
    [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': 'whenever' }, 0],
    [{ 'x-ratelimit-remaining-requests': '0' }, 0],
  ])('%j is %p ms', (headers, expected) => {
    expect(untilRefilled(headers, NOW)).toBe(expected);
  });
});
