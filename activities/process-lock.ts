import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;
/** Polls. */
const SAY_AFTER = 40;

/** How {@link withProcessLock} waits. */
export interface ProcessLockOptions {
  /** Called once, when somebody else holds the lock for so long, two seconds, that a person asks why. */
  onWait?: () => void;
  signal?: AbortSignal;
}

/**
 * Runs `work` while no other process (or caller in this one) runs under the same lock file. The lock is the operating
 * system's own, taken through SQLite, so that it is free the moment its holder dies, however it dies; the file stays.
 */
export async function withProcessLock<T>(
  file: string,
  work: () => Promise<T>,
  options: ProcessLockOptions = {},
): Promise<T> {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  // SQLite itself would let everybody read it.
  closeSync(openSync(file, 'a', 0o600));
  const database = new DatabaseSync(file);
  try {
    let waited = 0;
    while (!tryLock(database)) {
      if (waited === SAY_AFTER) options.onWait?.();
      waited += 1;
      await delay(POLL_MS, undefined, options.signal === undefined ? {} : { signal: options.signal });
    }
    return await work();
  } finally {
    database.close();
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    // 5 is SQLITE_BUSY; its extended codes keep it in the low byte.
    const code = typeof error === 'object' && error !== null && 'errcode' in error ? Number(error.errcode) : 0;
    if ((code & 0xff) === 5) return false;
    throw error;
  }
}
