import { chownSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { failedBecause } from './bootstrap-failed.ts';
import { copyTree } from './copy-tree.ts';
import { readRecord, writeRecord, type SnapshotOutput, type SnapshotRecord } from './snapshot-record.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import type { Owner } from '../git/tree-scan.ts';
import { removeTrees } from '../git/remove-tree.ts';
import { readIndex } from '../git/index-file.ts';
import type { Layer } from '../sandbox/sandbox.ts';

/** How many outputs are layered, the largest; a step starts about 15 ms later for each. The others are copied. */
const MOST_LAYERS = 8;
/** Smaller directories are copied in no time. */
const LAYER_FROM = 50;

const deliveredSchema = z.object({
  repository: z.string(),
  key: z.string(),
  outputs: z.array(z.object({ path: z.string(), source: z.string(), layer: z.boolean() })),
});

/**
 * The outputs of a dependency snapshot as one work tree has them: the tree of a workspace, or a checkout. Its directory
 * holds the `tree`, the host's `index` of it, and ours: `outputs.json` says what was given, and `layers` holds what steps
 * wrote in those that are laid over the snapshot's.
 */
export class DeliveredOutputs {
  readonly #directory: string;
  readonly #tree: string;
  readonly #owner: Owner | undefined;

  /**
   * @param directory that of the workspace or the pool's slot
   * @param owner who the files must belong to, if not this process's user
   */
  constructor(directory: string, owner?: Owner) {
    this.#directory = directory;
    this.#tree = path.join(directory, 'tree');
    this.#owner = owner;
  }

  /** The file that says which snapshot the tree has: what holds its lease. */
  get marker(): string {
    return path.join(this.#directory, 'outputs.json');
  }

  /** What was given, relative to the tree. No snapshot of an agent's work holds any of it. */
  get paths(): string[] {
    return this.#record()?.outputs.map((output) => output.path) ?? [];
  }

  /** Has the tree got its outputs? */
  get isDelivered(): boolean {
    return this.#record() !== null;
  }

  /**
   * Gives a clean tree the outputs of a snapshot on which it holds a lease. May be called again after a crash.
   *
   * @param layering whether steps can have layers
   * @throws BootstrapFailed if git tracks something where an output belongs
   */
  async deliver(
    snapshot: SnapshotRecord,
    from: { store: SnapshotStore; layering: boolean; signal: AbortSignal },
  ): Promise<void> {
    const { repository, key } = snapshot;
    const root = from.store.directory({ repository, key });
    const layered = new Set(from.layering ? largest(snapshot.outputs) : []);
    this.#refuseTracked(snapshot);
    const outputs = snapshot.outputs.flatMap((output) => {
      if (!this.#makeParents(output.path)) return [];
      return [{ path: output.path, source: path.join(root, output.place), layer: layered.has(output) }];
    });
    for (const { path: name, source, layer } of outputs) {
      // Left by a delivery that a crash cut short.
      const incoming = path.join(this.#directory, 'incoming');
      await removeTrees([path.join(this.#tree, name), incoming]);
      if (layer) continue;
      await copyTree(source, incoming, from.signal);
      renameSync(incoming, path.join(this.#tree, name));
    }
    writeRecord(this.marker, { repository, key, outputs });
  }

  /**
   * The layers of a step that works in the tree, and the empty directories that they cover, made. Not those whose place an
   * agent has changed: nothing is ever mounted through a link.
   */
  layers(): Layer[] {
    return (this.#record()?.outputs ?? []).flatMap(({ path: name, source, layer }, index) => {
      const target = path.join(this.#tree, name);
      if (!layer || !this.#isPlain(path.dirname(name))) return [];
      const there = lstatSync(target, { throwIfNoEntry: false });
      if (there === undefined) this.#makeDirectory(target);
      else if (!there.isDirectory()) return [];
      return [{ source, target, changes: path.join(this.#directory, 'layers', String(index)) }];
    });
  }

  /** Takes the outputs back, with all that was changed in them. Copies stay, until the tree is cleaned. No step may run. */
  async withdraw(store: SnapshotStore): Promise<void> {
    const record = this.#record();
    await removeTrees(['layers', 'incoming'].map((name) => path.join(this.#directory, name)));
    rmSync(this.marker, { force: true });
    if (record !== null) store.release(record, this.marker);
  }

  #record(): z.infer<typeof deliveredSchema> | null {
    return readRecord(this.marker, deliveredSchema);
  }

  /** Another commit with the same inputs may have a file of its own there. */
  #refuseTracked({ outputs, commands }: SnapshotRecord): void {
    const index = readIndex(path.join(this.#directory, 'index'));
    for (const { path: name } of outputs) {
      const bytes = Buffer.from(name).toString('latin1');
      if (index.entries.has(bytes) || index.directories.has(bytes))
        throw failedBecause(commands.at(-1) ?? '', `its output ${name} is tracked by git`);
    }
  }

  /** Makes the directories above a path. @returns false if something else is in the place of one */
  #makeParents(name: string): boolean {
    const parents = name.split('/').slice(0, -1);
    for (const [at] of parents.entries()) {
      const directory = path.join(this.#tree, ...parents.slice(0, at + 1));
      const there = lstatSync(directory, { throwIfNoEntry: false });
      if (there === undefined) this.#makeDirectory(directory);
      else if (!there.isDirectory()) return false;
    }
    return true;
  }

  /** Are a directory of the tree and all above it directories, and no links? */
  #isPlain(directory: string): boolean {
    const names = directory === '.' ? [] : directory.split('/');
    return names.every((_, at) => {
      const stat = lstatSync(path.join(this.#tree, ...names.slice(0, at + 1)), { throwIfNoEntry: false });
      return stat?.isDirectory() === true;
    });
  }

  #makeDirectory(directory: string): void {
    mkdirSync(directory, { mode: 0o755 });
    if (this.#owner !== undefined && process.getuid?.() === 0) chownSync(directory, this.#owner.uid, this.#owner.gid);
  }
}

function largest(outputs: readonly SnapshotOutput[]): SnapshotOutput[] {
  return outputs
    .filter(({ kind, entries }) => kind === 'directory' && entries >= LAYER_FROM)
    .sort((a, b) => b.entries - a.entries)
    .slice(0, MOST_LAYERS);
}
