import { createHash } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { bootstrapOwner } from '../../core/ids.ts';
import { removeAll, removeTrees } from '../git/remove-tree.ts';
import { makePrivateDirectory, type Home } from '../home.ts';
import { unlessMissing } from '../system-errors.ts';
import { readRecord, snapshotSchema, writeRecord, type SnapshotRecord } from './snapshot-record.ts';

/** How long a lease holds for one who has not noted yet what it was given, in milliseconds: longer than any copy takes. */
const DELIVERY = 3_600_000;

const leaseSchema = z.object({ holder: z.string() });
const holderSchema = z.object({ key: z.string() });

/** Names one snapshot of a host. */
export interface SnapshotId {
  /** The repository's id: snapshots are not shared over repositories, since commands may read more than their inputs. */
  repository: string;
  key: string;
}

/** A snapshot and how it is used. */
export interface StoredSnapshot {
  record: SnapshotRecord;
  /** Milliseconds since the epoch. */
  usedAt: number;
  /** Some workspace or checkout has it. */
  inUse: boolean;
}

/**
 * The dependency snapshots of a host. `<repository>/<key>/` is a complete one, `<key>.building/` one that is being made,
 * `<key>.failed.json` says that it could not be made. Whoever makes, takes or removes one holds its lock.
 */
export class SnapshotStore {
  readonly #root: string;
  readonly #steps: string;

  constructor(home: Home) {
    this.#root = home.snapshots;
    this.#steps = home.steps;
  }

  /** For `withProcessLock`. Some keys share one, so that their number is bounded. */
  lockFile({ key }: SnapshotId): string {
    return path.join(this.#root, 'locks', `${key.slice(0, 2)}.lock`);
  }

  /** Where a complete snapshot lies. */
  directory({ repository, key }: SnapshotId): string {
    return path.join(this.#root, repository, key);
  }

  /** Where a snapshot is made. */
  site(id: SnapshotId): string {
    return `${this.directory(id)}.building`;
  }

  failedFile(id: SnapshotId): string {
    return `${this.directory(id)}.failed.json`;
  }

  /** The snapshot, if it is complete. */
  find(id: SnapshotId): SnapshotRecord | null {
    return readRecord(this.#record(id), snapshotSchema);
  }

  /**
   * Keeps a snapshot from being removed, as long as its holder says that it has it.
   *
   * @param holder a file of the holder's that names the key (see `DeliveredOutputs`); there is time to write it
   */
  lease(id: SnapshotId, holder: string): void {
    const leases = makePrivateDirectory(path.join(this.directory(id), 'leases'));
    writeRecord(path.join(leases, leaseName(holder)), { holder });
    const now = new Date();
    utimesSync(this.#record(id), now, now);
  }

  /** Gives a lease back, if it is there. */
  release(id: SnapshotId, holder: string): void {
    rmSync(path.join(this.directory(id), 'leases', leaseName(holder)), { force: true });
  }

  /** All complete snapshots, the last used first. */
  list(): StoredSnapshot[] {
    const found = this.#ids().flatMap((id) => {
      const record = this.find(id);
      if (record === null) return [];
      return [{ record, usedAt: statSync(this.#record(id)).mtimeMs, inUse: this.isInUse(id) }];
    });
    return found.sort((a, b) => b.usedAt - a.usedAt);
  }

  /** Has some holder a lease? Forgets those whose holders are gone. */
  isInUse(id: SnapshotId): boolean {
    const leases = path.join(this.directory(id), 'leases');
    const held = (unlessMissing(() => readdirSync(leases)) ?? []).filter((name) => {
      const file = path.join(leases, name);
      const lease = readRecord(file, leaseSchema);
      if (lease === null) return false;
      if (readRecord(lease.holder, holderSchema)?.key === id.key) return true;
      if (Date.now() - statSync(file).mtimeMs < DELIVERY) return true;
      rmSync(file, { force: true });
      return false;
    });
    return held.length > 0;
  }

  /** What was begun long ago and never came to an end. */
  abandoned(olderThanMs: number): SnapshotId[] {
    return this.#ids('.building').filter((id) => {
      const began = unlessMissing(() => statSync(this.site(id)).mtimeMs);
      return began !== null && Date.now() - began > olderThanMs;
    });
  }

  /** Removes a snapshot, whole at once for all who look for it. */
  async remove(id: SnapshotId): Promise<void> {
    const directory = this.directory(id);
    await this.removeSite(id);
    // As something that was never finished: what a crash leaves of it is found again.
    if (existsSync(directory)) renameSync(directory, this.site(id));
    await this.removeSite(id);
  }

  /** Removes what is being made, and what its steps left. Takes its time, and holds up nothing else. */
  async removeSite(id: SnapshotId): Promise<void> {
    this.removeSteps(id);
    try {
      await rm(this.site(id), { recursive: true, force: true });
    } catch {
      // Directories that nobody may write to: their modes must be mended.
      await removeTrees([this.site(id)]);
    }
  }

  /** Removes the records of the steps that made a snapshot, which are over. */
  removeSteps(id: SnapshotId): void {
    const { run, task } = bootstrapOwner('', id);
    const names = unlessMissing(() => readdirSync(this.#steps)) ?? [];
    for (const name of names.filter((step) => step.includes(`..${run}..${task}..`)))
      removeAll(path.join(this.#steps, name));
  }

  /** Forgets failures that nobody asked about for a long time. */
  forgetFailures(olderThanMs: number): void {
    for (const id of this.#ids('.failed.json')) {
      const file = this.failedFile(id);
      if (Date.now() - (unlessMissing(() => statSync(file).mtimeMs) ?? Infinity) > olderThanMs)
        rmSync(file, { force: true });
    }
  }

  #ids(suffix = ''): SnapshotId[] {
    const repositories = unlessMissing(() => readdirSync(this.#root)) ?? [];
    return repositories.flatMap((repository) => {
      const directory = path.join(this.#root, repository);
      const names = statSync(directory).isDirectory() ? readdirSync(directory) : [];
      return names.flatMap((name) => {
        const key = name.slice(0, 64);
        return /^[0-9a-f]{64}$/.test(key) && name === `${key}${suffix}` ? [{ repository, key }] : [];
      });
    });
  }

  /** Its time is when the snapshot was last asked for. */
  #record(id: SnapshotId): string {
    return path.join(this.directory(id), 'snapshot.json');
  }
}

function leaseName(holder: string): string {
  return `${createHash('sha256').update(holder).digest('hex').slice(0, 32)}.json`;
}
