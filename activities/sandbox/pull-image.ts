import type Docker from 'dockerode';
import { SignalboxError } from '../../core/failures.ts';
import { followProgress, oneLine, type ImageProgress } from './image-progress.ts';

/**
 * Pulls an image from its registry, without any login.
 *
 * @throws SignalboxError `environment` with what to do instead
 */
export async function pullImage(engine: Docker, reference: string, progress: ImageProgress): Promise<void> {
  progress.onProgress?.(`Pulling ${reference}`);
  try {
    await followProgress(await engine.pull(withTag(reference)), progress.onDetail);
  } catch (error) {
    throw new SignalboxError('environment', `cannot pull ${reference}: ${oneLine(error)}`, {
      hint: `Pull it yourself ("docker pull ${reference}"), which uses your logins, or name an image that the engine has.`,
      cause: error,
    });
  }
}

/** Without a tag, the engine would pull all there are. */
function withTag(reference: string): string {
  const last = reference.slice(reference.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? reference : `${reference}:latest`;
}
