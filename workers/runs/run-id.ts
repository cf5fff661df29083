import { randomInt } from 'node:crypto';

const LETTERS = '0123456789abcdefghijkmnpqrstuvwxyz';

/** A new run id that sorts by time, such as `20261121-111502-k3f`; local time, as people read it. */
export function newRunId(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  const random = Array.from({ length: 3 }, () => LETTERS[randomInt(LETTERS.length)] ?? '0').join('');
  return `${day}-${time}-${random}`;
}
