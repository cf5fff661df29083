/** Headers of an answer, as far as they are known. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The longest wait that is believed, in milliseconds. */
const LONGEST = 10 * 60_000;

/**
 * How long an answer asks everybody to wait, in milliseconds; `null` if it does not say.
 *
 * @param now milliseconds of the epoch
 */
export function waitAsked(headers: AnswerHeaders, now: number): number | null {
  const milliseconds = Number(one(headers, 'retry-after-ms') || NaN);
  if (milliseconds >= 0) return Math.min(LONGEST, milliseconds);
  const after = one(headers, 'retry-after');
  if (after === '') return null;
  const seconds = Number(after);
  const wait = Number.isNaN(seconds) ? Date.parse(after) - now : seconds * 1000;
  return Number.isNaN(wait) ? null : Math.min(LONGEST, Math.max(0, wait));
}

/**
 * How long it takes until an allowance is filled up again that this answer says is used up, in milliseconds; 0 if none is.
 * OpenAI tells a duration (`x-ratelimit-reset-tokens: 6m0s`), Anthropic a time (`anthropic-ratelimit-tokens-reset`).
 */
export function untilRefilled(headers: AnswerHeaders, now: number): number {
  const waits = Object.keys(headers).flatMap((name) => {
    if (!/^(x|anthropic)-ratelimit-.*remaining/.test(name) || one(headers, name) !== '0') return [];
    return [resetOf(one(headers, name.replace('remaining', 'reset')), now)];
  });
  return Math.min(LONGEST, Math.max(0, ...waits));
}

/** As Go writes durations: `1h2m3.5s`, `120ms`. */
const GO_DURATION = /^(?=\d)(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/;

function resetOf(text: string, now: number): number {
  const seconds = Number(text || NaN);
  if (!Number.isNaN(seconds)) return seconds * 1000;
  const parts = GO_DURATION.exec(text);
  if (parts !== null) {
    const units = [3_600_000, 60_000, 1000, 1];
    return units.reduce((sum, unit, index) => sum + Number(parts[index + 1] ?? 0) * unit, 0);
  }
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : at - now;
}

function one(headers: AnswerHeaders, name: string): string {
  const value = headers[name];
  return (typeof value === 'string' ? value : (value?.[0] ?? '')).trim();
}
