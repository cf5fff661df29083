import type { RemoteRefusal, StampedView, WatchAnswer, WatchedRequest } from '../../core/remote.ts';
import { sleep } from './git-remote.ts';

/** How often requests are looked at, milliseconds: soon while there is news, then less often; and at least per request. */
const PAUSES = [5000, 10_000, 15_000, 30_000];
const EACH = 300;

/** What {@link watchRequests} is given. */
export interface Watch {
  requests: readonly WatchedRequest[];
  look: (request: WatchedRequest, signal: AbortSignal) => Promise<StampedView | RemoteRefusal>;
  /** Aborted when nobody waits any more: the watch then ends with what it has. */
  ended: AbortSignal;
  /** Aborted when this worker must let go. */
  detached: AbortSignal;
  /** By default some seconds; see {@link PAUSES}. */
  pauses?: readonly number[];
  now?: () => number;
}

/** Looks at all requests in turns until one has news, is due, or cannot be looked at: what is wrong with one hides no other. */
export async function watchRequests(watch: Watch): Promise<WatchAnswer> {
  const { requests, look, ended, detached, pauses = PAUSES, now = Date.now } = watch;
  const signal = AbortSignal.any([ended, detached]);
  const nothing: WatchAnswer = { views: [], refusal: null };
  try {
    for (let round = 0; ; round += 1) {
      const views: WatchAnswer['views'] = [];
      const unseen: NonNullable<WatchAnswer['unseen']> = [];
      let refusal: RemoteRefusal | null = null;
      for (const request of requests) {
        const { task, run, seen, lookAt } = request;
        const found = await look(request, signal);
        const due = lookAt !== null && now() >= lookAt;
        if ('outcome' in found) {
          refusal ??= found;
          unseen.push({ task, run: run.run });
          // Where the line is cut, the others would only wait for the same.
          if (found.passing) break;
        } else if (found.stamp !== seen || due) views.push({ ...found, task, run: run.run });
      }
      if (refusal !== null) return { views, refusal, unseen };
      if (views.length > 0) return { views, refusal };
      const pause = Math.max(pauses[Math.min(round, pauses.length - 1)] ?? 0, requests.length * EACH);
      const due = requests.flatMap(({ lookAt }) => (lookAt === null ? [] : [lookAt - now()]));
      await sleep(Math.max(0, Math.min(pause, ...due)), signal);
    }
  } catch (error) {
    detached.throwIfAborted();
    if (ended.aborted) return nothing;
    throw error;
  }
}
