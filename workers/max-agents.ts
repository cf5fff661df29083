import { SignalboxError } from '../core/failures.ts';

/** How many agents a worker lets work at once if nobody says so: more than the tasks of a few runs. */
const DEFAULT = 100;

/**
 * How many agents the environment lets a worker have at once, for all runs and repositories.
 *
 * @throws SignalboxError `usage` if that is no number
 */
export function maxAgents(env: Readonly<Record<string, string | undefined>>): number {
  const text = env['SIGNALBOX_MAX_AGENTS'] ?? '';
  if (text === '') return DEFAULT;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new SignalboxError('usage', `SIGNALBOX_MAX_AGENTS is ${JSON.stringify(text)}, which is no number from 1 on`);
}
