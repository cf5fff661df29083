import { bootstrapKey, keyOfTree } from './bootstrap-key.ts';
import { buildSnapshot, type BuildRequest } from './build-snapshot.ts';
import type { SnapshotRecord } from './snapshot-record.ts';
import { withProcessLock, type ProcessLockOptions } from '../process-lock.ts';
import { SignalboxError } from '../../core/failures.ts';

/** What {@link ensureSnapshot} is asked for. */
export interface EnsureRequest extends Omit<BuildRequest, 'id'> {
  repository: string;
  branch: string;
  /** Is the commit accepted work, and nothing that an agent has just written? */
  accepted: boolean;
  /** A file in which whoever gets the snapshot will note its key. */
  holder: string;
}

/**
 * The dependency snapshot that a commit needs, made if there is none; of all who ask on this host at the same time one
 * makes it. It stays until its holder is gone.
 *
 * Snapshots that are shared are made from accepted commits only: what an agent wrote can have a part in what its commands
 * do, and then serves the very same tree alone.
 *
 * @throws BootstrapFailed, SignalboxError `config`; the signal's reason
 */
export async function ensureSnapshot(request: EnsureRequest): Promise<SnapshotRecord> {
  const { store, repository, signal, onProgress, project, holder } = request;
  for (;;) {
    const { key, commit } = await chooseSnapshot(request);
    const id = { repository, key };
    const onWait = (): void =>
      onProgress(`dependencies of ${project} (${key.slice(0, 12)}): being made by somebody else`);
    const record = await underLock(store.lockFile(id), { signal, onWait }, async () => {
      const found = store.find(id) ?? (commit === null ? null : await buildSnapshot({ ...request, id, commit }));
      if (found !== null) store.lease(id, holder);
      return found;
    });
    // It was removed before we had the lock.
    if (record !== null) return record;
  }
}

/** Which snapshot it is, and the commit to make it from; `null` if it is there. */
async function chooseSnapshot(request: EnsureRequest): Promise<{ key: string; commit: string | null }> {
  const { store, repository, accepted, bare, branch, commit } = request;
  const key = await bootstrapKey(request);
  if (store.find({ repository, key }) !== null) return { key, commit: null };
  if (accepted) return { key, commit };
  const tip = bare.tip(branch);
  if (tip !== null && (await keyOrNull({ ...request, commit: tip })) === key) return { key, commit: tip };
  const { tree } = await bare.commitInfo(commit);
  return { key: keyOfTree(key, tree), commit };
}

/** The key of a commit that may have no inputs at all. */
async function keyOrNull(input: Parameters<typeof bootstrapKey>[0]): Promise<string | null> {
  try {
    return await bootstrapKey(input);
  } catch (error) {
    if (error instanceof SignalboxError && error.code === 'config') return null;
    throw error;
  }
}

/** {@link withProcessLock}, which rejects with the signal's own reason: an activity that was cancelled must say so. */
async function underLock<T>(
  file: string,
  options: ProcessLockOptions & { signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await withProcessLock(file, work, options);
  } catch (error) {
    options.signal.throwIfAborted();
    throw error;
  }
}
