import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectEngine } from '../activities/sandbox/engine.ts';
import { ensureImage } from '../activities/sandbox/image.ts';
import type { RunManifest } from '../core/run-manifest.ts';

/** How often a person is shown that something still goes on, milliseconds. */
const SIGN_OF_LIFE_MS = 10_000;

/** How long an interrupted build is given to remove what it made, milliseconds. */
const CLEANS_WITHIN_MS = 3000;

/**
 * Sees to it that the engine has the image that a run's steps need, before the run starts: its worker would build it in
 * silence. Does nothing for the local backend, or where the configuration names an image.
 *
 * @param options `onProgress` is told what takes long; aborting the signal gives up the waiting
 * @throws SignalboxError `environment` if the image cannot be had; the signal's reason
 */
export async function prepareImage(
  { backend, config }: RunManifest,
  env: Readonly<Record<string, string | undefined>>,
  options: { onProgress: (text: string) => void; signal: AbortSignal },
): Promise<void> {
  if (backend !== 'docker' || config.sandbox.image !== undefined) return;
  const { onProgress, signal } = options;
  const aborted = new Promise<never>((_, reject) => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal's reason is what it is
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  let newest = '';
  const timer = setInterval(() => {
    if (newest !== '') onProgress(`  … ${newest}`);
    newest = '';
  }, SIGN_OF_LIFE_MS);
  try {
    const onDetail = (line: string): string => (newest = line.slice(0, 100));
    const making = ensureImage({ engine: connectEngine(env), onProgress, onDetail });
    try {
      await Promise.race([making, aborted]);
    } finally {
      // Ctrl+C ends the tools as well; what they made is then removed.
      if (signal.aborted) await Promise.race([making.catch(() => undefined), sleep(CLEANS_WITHIN_MS)]);
    }
  } finally {
    clearInterval(timer);
  }
}
