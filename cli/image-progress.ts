import { clearInterval, setInterval } from 'node:timers';
import type { ImageProgress } from '../workers/sandbox-image.ts';
import type { Output } from './framework/output.ts';

/** How often it is said that something still goes on where no status line can be shown, milliseconds. */
const SIGN_OF_LIFE_MS = 10_000;

/**
 * Shows the making of an image while `work` goes on: what is begun as lines, what the tools print as a status line where a
 * person looks. With `verbose`, each of their lines is kept; without, and without a terminal, a sign of life now and then.
 */
export async function showImageProgress<T>(
  output: Output,
  { verbose }: { verbose: boolean },
  work: (progress: Required<ImageProgress>) => Promise<T>,
): Promise<T> {
  let newest = '';
  const timer = setInterval(() => {
    if (newest !== '') output.progress(`  … ${newest.slice(0, 100)}`);
    newest = '';
  }, SIGN_OF_LIFE_MS);
  try {
    return await work({
      onProgress: (line) => output.progress(line),
      onDetail: (line, passing) => {
        if (verbose && !passing) output.progress(`  ${line}`);
        else if (!output.status(`  ${line}`)) newest = line;
      },
    });
  } finally {
    clearInterval(timer);
    output.status('');
  }
}
