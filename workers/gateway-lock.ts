import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

/** Held by one process at a time; the kernel takes it back however that process ends. */
export interface ProcessLock {
  release(): void;
}

/**
 * Takes a lock on a file, or waits for it. SQLite is used for its advisory locks only: Node itself has none.
 *
 * @returns `null` when another process still holds it after `patienceMs`
 */
export async function takeProcessLock(file: string, patienceMs: number): Promise<ProcessLock | null> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const database = new DatabaseSync(file, { timeout: 0 });
    try {
      database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
      return { release: () => database.close() };
    } catch (error) {
      database.close();
      if (!isBusy(error)) throw error;
    }
    if (performance.now() >= until) return null;
    await sleep(20);
  }
}

function isBusy(error: unknown): boolean {
  const SQLITE_BUSY = 5;
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}
