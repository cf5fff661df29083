import { SignalboxError } from '../core/failures.ts';

/** The system's code of an error, such as `ENOENT`. */
export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/**
 * The environment failure that a failed file operation or command stands for, or `null`: a full disk or quota, a
 * read-only file system.
 */
export function diskFailure(error: unknown): SignalboxError | null {
  const text =
    error instanceof Error ? `${(error as NodeJS.ErrnoException).code ?? ''} ${error.message}` : String(error);
  const cause = error instanceof Error ? { cause: error } : {};
  if (/ENOSPC|No space left on device|EDQUOT|Disk quota exceeded/.test(text))
    return new SignalboxError('environment', 'disk full', {
      hint: 'Free some space, or move $SIGNALBOX_HOME to a larger disk; then try again.',
      ...cause,
    });
  if (/EROFS|Read-only file system/.test(text))
    return new SignalboxError('environment', 'the file system is read-only', {
      hint: 'Mount it writable, or move $SIGNALBOX_HOME.',
      ...cause,
    });
  return null;
}

/** Does `work`; a full disk or an exceeded quota becomes a {@link SignalboxError} `environment` that names the place. */
export function nameFullDisk<T>(place: string, work: () => T): T {
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
