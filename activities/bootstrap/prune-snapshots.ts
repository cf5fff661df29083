import type { SnapshotId, SnapshotStore, StoredSnapshot } from './snapshot-store.ts';
import { withProcessLock } from '../process-lock.ts';

/** How much is kept. */
export interface SnapshotBounds {
  /** Bytes of all snapshots together. */
  bytes: number;
  /** Milliseconds since the last use. */
  ageMs: number;
}

/** What was begun and has not come to an end for so long never will: its steps are over, milliseconds. */
const ABANDONED = 86_400_000;

/** The longest that is waited for somebody who makes or takes a snapshot just now, milliseconds. */
const PATIENCE = 200;

/** What went, or would go. */
export interface Pruned {
  removed: StoredSnapshot[];
  /** Builds that never came to an end. */
  abandoned: SnapshotId[];
}

/**
 * Removes snapshots that were not used for too long, then those that were not used for the longest time until the others
 * fit. Never one that a workspace or checkout has, or that somebody is about to take.
 */
export async function pruneSnapshots(
  store: SnapshotStore,
  bounds: SnapshotBounds,
  { dryRun = false }: { dryRun?: boolean } = {},
): Promise<Pruned> {
  const pruned: Pruned = { removed: [], abandoned: [] };
  const all = store.list();
  let bytes = all.reduce((sum, { record }) => sum + record.bytes, 0);
  for (const snapshot of all.toReversed()) {
    const tooOld = Date.now() - snapshot.usedAt > bounds.ageMs;
    if (snapshot.inUse || (!tooOld && bytes <= bounds.bytes)) continue;
    const { record: id } = snapshot;
    const unused = (): boolean => store.find(id) !== null && !store.isInUse(id);
    if (!(await underLock(store, id, unused, dryRun ? null : () => store.remove(id)))) continue;
    bytes -= id.bytes;
    pruned.removed.push(snapshot);
  }
  for (const id of store.abandoned(ABANDONED)) {
    const still = (): boolean => store.abandoned(ABANDONED).some(({ key }) => key === id.key);
    if (await underLock(store, id, still, dryRun ? null : () => store.removeSite(id))) pruned.abandoned.push(id);
  }
  if (!dryRun) store.forgetFailures(ABANDONED);
  return pruned;
}

/** Does something to a snapshot that nobody makes or takes just now, if it may be done. @returns whether it may */
async function underLock(
  store: SnapshotStore,
  id: SnapshotId,
  mayBeDone: () => boolean,
  work: (() => Promise<void>) | null,
): Promise<boolean> {
  const busy = AbortSignal.timeout(PATIENCE);
  const lock = { taken: false };
  try {
    return await withProcessLock(
      store.lockFile(id),
      async () => {
        lock.taken = true;
        if (!mayBeDone()) return false;
        await work?.();
        return true;
      },
      { signal: busy },
    );
  } catch (error) {
    if (!lock.taken && busy.aborted) return false;
    throw error;
  }
}
