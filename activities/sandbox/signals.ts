import { constants } from 'node:os';

/**
 * The name of the signal that an exit status stands for, by the shell's convention (128 + n), else `null`. Neither a
 * shell nor a container engine tells a signal from a program that exits with such a status itself.
 */
export function signalOf(status: number): string | null {
  if (status <= 128) return null;
  const found = Object.entries(constants.signals).find(([, number]) => number === status - 128);
  return found?.[0] ?? null;
}
