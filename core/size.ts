import { SignalboxError } from './failures.ts';

/** A size as users write it: a whole number and a binary unit, such as `512MiB` or `2GiB`. */
export const SIZE_PATTERN = /^(\d+)(B|KiB|MiB|GiB|TiB)$/;

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Bytes of a written size, or `null` if it is none (or too large to count exactly). */
export function sizeOf(text: string): number | null {
  const [, count, unit] = SIZE_PATTERN.exec(text) ?? [];
  if (count === undefined || unit === undefined) return null;
  const bytes = Number(count) * 1024 ** UNITS.findIndex((name) => name === unit);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Bytes of a written size. @throws SignalboxError `usage` if it is none */
export function parseSize(text: string): number {
  const bytes = sizeOf(text);
  if (bytes === null) {
    throw new SignalboxError('usage', `${JSON.stringify(text)} is no size; write it like 512MiB or 2GiB`);
  }
  return bytes;
}

/** Writes bytes in the largest unit that divides them, so that {@link parseSize} reads them back. */
export function formatSize(bytes: number): string {
  let count = Math.max(0, Math.round(bytes));
  let unit = 0;
  while (count > 0 && count % 1024 === 0 && unit < UNITS.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${count}${UNITS[unit] ?? 'B'}`;
}

/** Writes bytes for people, rounded: `129 MiB`. */
export function humanSize(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const count = bytes / 1024 ** power;
  return `${count < 10 && power > 0 ? count.toFixed(1) : Math.round(count)} ${UNITS[power] ?? 'B'}`;
}
