import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';

/** Tells when something changes in a directory. Where the system cannot watch (limits, network disks), time alone does. */
export class DirectoryChanges {
  private readonly watcher: FSWatcher | null;
  private changed = false;
  private wake: (() => void) | null = null;

  constructor(directory: string) {
    this.watcher = DirectoryChanges.open(directory, () => {
      this.changed = true;
      this.wake?.();
    });
  }

  /**
   * Resolves with `true` at the first change since the last call, or with `false` after `milliseconds` without one.
   *
   * @throws the signal's reason, when it is aborted
   */
  async next(milliseconds: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    if (!this.changed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, milliseconds);
        function done(): void {
          clearTimeout(timer);
          signal?.removeEventListener('abort', done);
          resolve();
        }
        signal?.addEventListener('abort', done);
        this.wake = done;
      });
      this.wake = null;
    }
    signal?.throwIfAborted();
    const changed = this.changed;
    this.changed = false;
    return changed;
  }

  close(): void {
    this.watcher?.close();
  }

  private static open(directory: string, onChange: () => void): FSWatcher | null {
    try {
      const watcher = watch(directory, onChange);
      watcher.on('error', () => {
        watcher.close();
      });
      return watcher;
    } catch {
      return null;
    }
  }
}
