import { SignalboxError } from '../../core/failures.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { RunRef } from '../../core/run-ref.ts';
import type { Task } from '../../core/task-file.ts';
import { RecentMap } from '../recent-map.ts';
import type { ArtefactStore } from './artefact-store.ts';

/** How many runs' manifests are kept in memory. */
const KEPT = 16;

/** Reads what runs are pinned to. A manifest never changes, so one that was read is kept. */
export class ManifestReader {
  readonly #store: ArtefactStore;
  readonly #kept = new RecentMap<string, Promise<RunManifest>>(KEPT);
  readonly #onRead: (manifest: RunManifest) => void;

  /** @param onRead told of each manifest before anybody has it */
  constructor(store: ArtefactStore, onRead: (manifest: RunManifest) => void = () => undefined) {
    this.#store = store;
    this.#onRead = onRead;
  }

  /** The configuration and tasks of a run. */
  async manifest(run: Pick<RunRef, 'manifest'>): Promise<RunManifest> {
    const { sha256 } = run.manifest;
    const kept = this.#kept.get(sha256);
    if (kept !== undefined) return await kept;
    // Its digest was checked, and only we write manifests: the shape is what `RunManifest` said when the run started.
    const read = this.#store.get(run.manifest).then((value) => {
      const manifest = value as RunManifest;
      this.#onRead(manifest);
      return manifest;
    });
    this.#kept.set(sha256, read);
    read.catch(() => this.#kept.delete(sha256));
    return await read;
  }

  /** One task of a run. */
  async task(run: RunRef, id: string): Promise<{ manifest: RunManifest; task: Task }> {
    const manifest = await this.manifest(run);
    const task = manifest.tasks.find((candidate) => candidate.manifest.id === id);
    if (task === undefined) throw new SignalboxError('not_found', `run ${run.run} has no task ${id}`);
    return { manifest, task };
  }
}
