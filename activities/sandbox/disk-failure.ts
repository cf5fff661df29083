import { SignalboxError } from '../../core/failures.ts';

/** The system's code of an error, such as `ENOENT`. */
export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** Does `work`; a full disk or an exceeded quota becomes a {@link SignalboxError} `environment` that names the place. */
export function diskFailure<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    throw new SignalboxError('environment', `the disk is full: cannot write to ${place}`, {
      hint: 'make room, then start the task again',
      cause: error,
    });
  }
}

/** What `read` reads, or `null` where there is no such file. */
export function unlessMissing<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}
