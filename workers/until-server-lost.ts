import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration } from '../core/duration.ts';
import { SignalboxError } from '../core/failures.ts';
import { OtherServerError, type KnownServer } from './server/known-server.ts';

/** How often is asked who answers, in milliseconds. */
const LOOK_MS = 2000;

const HINT =
  'Steps that run go on. Commands that need a worker start one for the server that is in use; "signalbox worker start" is one that stays.';

/**
 * Resolves when a worker has lost its server for good, with why: another one answers at its address, it has moved, or it has
 * been away for long. `null`: the signal was aborted before.
 */
export async function untilServerLost(
  server: KnownServer,
  options: {
    /** How long it may be away, milliseconds; `null`: for ever. */
    awayMs: number | null;
    /** Where it is now as far as is known. */
    addressNow: () => string | null;
    signal: AbortSignal;
  },
): Promise<SignalboxError | null> {
  const { awayMs, addressNow, signal } = options;
  const { address } = server.target;
  const lost = (what: string): SignalboxError =>
    new SignalboxError('environment', `${what}, so this worker ends`, { hint: HINT });
  let answeredAt = Date.now();
  while (!signal.aborted) {
    try {
      await server.confirm();
      answeredAt = Date.now();
    } catch (error) {
      if (error instanceof OtherServerError) return lost(error.message);
      const now = addressNow();
      if (now !== null && now !== address) return lost(`the Temporal server was at ${address} and is at ${now} now`);
      if (awayMs !== null && Date.now() - answeredAt >= awayMs) {
        return lost(`Temporal at ${address} has not answered for ${formatDuration(awayMs)}`);
      }
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  return null;
}
