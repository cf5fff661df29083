import { setTimeout as sleep } from 'node:timers/promises';
import type { RunDescription } from '../../core/description.ts';
import type { RunReader } from './run-reader.ts';

/** A look costs a query for each task that works, so this is no faster than a person reads. */
const INTERVAL_MS = 700;

/** How long an unreachable server is waited for, milliseconds. */
const PATIENCE_MS = 60_000;

/**
 * A run again and again, until it is over (its last description is the last one given) or the signal is aborted. A
 * server that is away for a while is waited for.
 */
export async function* followRun(
  reader: RunReader,
  project: string,
  run: string,
  signal: AbortSignal,
): AsyncGenerator<RunDescription> {
  let reachedAt = Date.now();
  while (!signal.aborted) {
    const description = await reader.read(project, run).catch((error: unknown) => {
      if (!isUnavailable(error) || Date.now() - reachedAt > PATIENCE_MS) throw error;
      return null;
    });
    if (description !== null) {
      reachedAt = Date.now();
      yield description;
      if (description.ended_at !== null) return;
    }
    // An aborted wait is the end of the loop, not a failure.
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Is it a failure of the connection, which the next call may not have? */
function isUnavailable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && (cause.code === 14 || cause.code === 4)) return true;
  }
  return false;
}
