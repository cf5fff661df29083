import { subscribe } from 'node:diagnostics_channel';
import path from 'node:path';
import * as z from 'zod';

/** What the bench asks a worker process for. */
export const PROBE_REQUEST = 'counters';

/** What a worker has done since it was started. */
export const probeAnswer = z.object({
  /** Processes that it started itself, by program. */
  spawned: z.record(z.string(), z.number()),
  /** The most memory that it ever held, in bytes. */
  peakRss: z.number(),
});

const announcement = z.object({ process: z.object({ spawnargs: z.array(z.string()).optional() }) });

/**
 * Loaded into the worker by `--import`: answers over the pipe to its parent, and costs nothing between questions.
 * In the bench itself, which has no parent of that kind, nothing happens.
 */
if (process.send !== undefined) {
  const spawned: Record<string, number> = {};
  const note = (message: unknown): void => {
    const [program = 'unknown', first = ''] = announcement.safeParse(message).data?.process.spawnargs ?? [];
    const name = program === 'git' ? `git ${first}` : path.basename(program);
    spawned[name] = (spawned[name] ?? 0) + 1;
  };
  // Announced when it is made; what it is to run is known only a moment later.
  subscribe('child_process', (message) => queueMicrotask(() => note(message)));
  process.on('message', (message) => {
    if (message !== PROBE_REQUEST) return;
    process.send?.({ spawned, peakRss: process.resourceUsage().maxRSS * 1024 });
  });
  // A worker must not live on just because somebody could still ask it.
  process.channel?.unref();
}
