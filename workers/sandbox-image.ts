import { clearInterval, setInterval } from 'node:timers';
import { connectEngine } from '../activities/sandbox/engine.ts';
import { ensureImage } from '../activities/sandbox/image.ts';
import type { RunManifest } from '../core/run-manifest.ts';

/** How often a person is shown that something still goes on, milliseconds. */
const SIGN_OF_LIFE_MS = 10_000;

/**
 * Sees to it that the engine has the image that a run's steps need, before the run starts: its worker would build it in
 * silence. Does nothing for the local backend, or where the configuration names an image.
 *
 * @param onProgress one line for a person about what takes long
 * @throws SignalboxError `environment` if the image cannot be had
 */
export async function prepareImage(
  { backend, config }: RunManifest,
  env: Readonly<Record<string, string | undefined>>,
  onProgress: (text: string) => void,
): Promise<void> {
  if (backend !== 'docker' || config.sandbox.image !== undefined) return;
  let newest = '';
  const timer = setInterval(() => {
    if (newest !== '') onProgress(`  … ${newest}`);
    newest = '';
  }, SIGN_OF_LIFE_MS);
  try {
    await ensureImage({ engine: connectEngine(env), onProgress, onDetail: (line) => (newest = line.slice(0, 100)) });
  } finally {
    clearInterval(timer);
  }
}
