import { setTimeout as sleep } from 'node:timers/promises';
import { homeOf } from '../activities/home.ts';
import { createEmbeddedServer, type EmbeddedServer } from './server/embedded-server.ts';

/** The embedded server of the home that an environment names. */
export function embeddedServer(
  env: Readonly<Record<string, string | undefined>>,
  onProgress: (text: string) => void,
): EmbeddedServer {
  return createEmbeddedServer({ home: homeOf(env), env, onProgress });
}

/** Waits until the server ends by itself (true), or the signal is aborted (false). */
export async function untilServerEnds(server: EmbeddedServer, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    if (!server.status().running) return true;
    await sleep(500, undefined, { signal }).catch(() => undefined);
  }
  return false;
}
