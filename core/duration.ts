import { SignalboxError } from './failures.ts';

/** A duration as users write it: whole numbers with units, largest first, such as `90s`, `15m` or `1h30m`. */
export const DURATION_PATTERN = /^(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/;

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** Milliseconds of a written duration, or `null` if it is none (or too long to count exactly). */
export function durationOf(text: string): number | null {
  const parts = DURATION_PATTERN.exec(text);
  if (parts === null) return null;
  const total = UNITS.reduce((sum, [, size], index) => sum + Number(parts[index + 1] ?? 0) * size, 0);
  return Number.isSafeInteger(total) ? total : null;
}

/** Milliseconds of a written duration. @throws SignalboxError `usage` if it is none */
export function parseDuration(text: string): number {
  const milliseconds = durationOf(text);
  if (milliseconds === null) {
    throw new SignalboxError('usage', `${JSON.stringify(text)} is no duration; write it like 90s, 15m, 2h or 1h30m`);
  }
  return milliseconds;
}

/** Writes milliseconds (rounded to whole ones, negative ones as `0s`) so that {@link parseDuration} reads them back. */
export function formatDuration(milliseconds: number): string {
  let rest = Math.max(0, Math.round(milliseconds));
  let text = '';
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === '' ? '0s' : text;
}
