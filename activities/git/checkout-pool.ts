import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { SignalboxError } from '../../core/failures.ts';
import type { BareRepository } from './bare-repository.ts';
import { makeCleanTree, scrubTree, type Scrubbed } from './clean-tree.ts';
import type { Owner } from './tree-scan.ts';
import { removeAll } from './remove-tree.ts';
import { diskFailure } from '../system-errors.ts';
import { writeOwnGit } from './own-git.ts';

/** A clean checkout that its holder has to itself. */
export interface Checkout {
  /** The work tree. It has a `.git` of its own with a detached `HEAD`, since checks ask git questions. */
  directory: string;
  /** True when the key held it already: it is as its step left it, or uses it now. */
  reused: boolean;
}

/** How long what was found of a free slot is believed, in milliseconds. */
const BELIEVED = 2000;

const readySchema = z.object({ key: z.string(), commit: z.string() });

/**
 * Clean checkouts for checks, used again and again. A slot is a directory with `tree` and `index`: in `free/`, or in
 * `leased/<digest of the key>`. It changes hands by rename, so that, among all processes of the host, a slot has one
 * key and a key one slot, also after a crash at any point.
 */
export class CheckoutPool {
  private readonly bare: BareRepository;
  private readonly free: string;
  private readonly leased: string;
  private readonly owner: Owner | undefined;
  private readonly underWay = new Map<string, Promise<Checkout>>();
  /** By the paths of free slots that were just given back. */
  private readonly scrubbed = new Map<string, Promise<(Scrubbed & { at: number }) | null>>();

  constructor(options: { bare: BareRepository; directory: string; owner?: Owner }) {
    this.bare = options.bare;
    this.owner = options.owner;
    this.free = path.join(options.directory, 'free');
    this.leased = path.join(options.directory, 'leased');
    for (const directory of [this.free, this.leased]) mkdirSync(directory, { recursive: true, mode: 0o755 });
  }

  /**
   * A checkout of exactly the commit's tree, for this key alone until it is released. A key that holds one gets it back
   * untouched, since a step may be running in it. One key is acquired by one process at a time.
   *
   * @param from a directory with a `tree` and `index` that are not needed any more, to be made the checkout: worth it
   *   where it holds nearly that commit
   * @throws SignalboxError `refused` when the key holds a checkout of another commit
   */
  acquire(key: string, commit: string, from: string | null = null, signal?: AbortSignal): Promise<Checkout> {
    const running = this.underWay.get(key);
    if (running !== undefined) return running.then(() => this.acquire(key, commit, from, signal));
    const work = this.prepare(key, commit, from, signal).finally(() => this.underWay.delete(key));
    this.underWay.set(key, work);
    return work;
  }

  /**
   * Gives a key's checkout back; does nothing when it has none. It is cleaned when it is next acquired; that begins at once,
   * since mostly somebody waits for it.
   */
  release(key: string): void {
    const slot = this.slotOf(key);
    // First, so that the slot cannot be taken for a prepared one if the key acquires again.
    rmSync(path.join(slot, 'ready'), { force: true });
    const free = path.join(this.free, randomUUID());
    if (moveIfThere(slot, free)) this.scrub(free);
  }

  /** Cleans a free slot. Where another process takes it meanwhile, nothing is found at its path any more. */
  private scrub(slot: string): void {
    const scrubbing = scrubTree(path.join(slot, 'tree'), path.join(slot, 'index')).then(
      (found) => ({ ...found, at: Date.now() }),
      () => null,
    );
    this.scrubbed.set(slot, scrubbing);
    setTimeout(() => this.scrubbed.delete(slot), 2 * BELIEVED).unref();
  }

  /** Moves the tree and index of a free slot into `directory`, if there is one. */
  takeSpare(directory: string): boolean {
    const draft = path.join(directory, `spare-${randomUUID()}`);
    if (!this.names().some((name) => moveIfThere(path.join(this.free, name), draft))) return false;
    for (const name of ['tree', 'index']) moveIfThere(path.join(draft, name), path.join(directory, name));
    removeAll(draft);
    return true;
  }

  /** Makes a free slot of the tree and index in `directory`, if they are there. */
  giveSpare(directory: string): void {
    this.give(directory, path.join(this.free, randomUUID()));
  }

  private give(directory: string, slot: string): boolean {
    if (!existsSync(path.join(directory, 'tree'))) return false;
    const draft = path.join(directory, `spare-${randomUUID()}`);
    mkdirSync(draft, { recursive: true });
    for (const name of ['tree', 'index']) moveIfThere(path.join(directory, name), path.join(draft, name));
    return moveIfThere(draft, slot);
  }

  private slotOf(key: string): string {
    return path.join(this.leased, createHash('sha256').update(key).digest('hex').slice(0, 32));
  }

  private names(): string[] {
    return readdirSync(this.free);
  }

  /** Renames some free slot to `target`. @returns whether there was one, and what is known of it */
  private async claim(target: string): Promise<{ found: boolean; scrubbed: Scrubbed | null }> {
    for (const name of this.names()) {
      const slot = path.join(this.free, name);
      const known = (await this.scrubbed.get(slot)) ?? null;
      if (!moveIfThere(slot, target)) continue;
      return { found: true, scrubbed: known !== null && Date.now() - known.at < BELIEVED ? known : null };
    }
    return { found: false, scrubbed: null };
  }

  private async prepare(
    key: string,
    commit: string,
    from: string | null,
    signal: AbortSignal | undefined,
  ): Promise<Checkout> {
    const slot = this.slotOf(key);
    const directory = path.join(slot, 'tree');
    const ready = path.join(slot, 'ready');
    if (existsSync(ready)) {
      const held = readySchema.parse(JSON.parse(readFileSync(ready, 'utf8')));
      if (held.commit === commit) return { directory, reused: true };
      throw new SignalboxError('refused', `${key} holds a checkout of ${held.commit}; release it first`);
    }
    try {
      const isThere = existsSync(slot) || (from !== null && this.give(from, slot));
      const { found, scrubbed } = isThere ? { found: true, scrubbed: null } : await this.claim(slot);
      if (!found) mkdirSync(slot, { recursive: true });
      const common = { bare: this.bare, tree: directory, indexFile: path.join(slot, 'index'), commit };
      const own = this.owner === undefined ? {} : { owner: this.owner };
      await makeCleanTree({ ...common, ...own, scrubbed, ...(signal === undefined ? {} : { signal }) });
      writeOwnGit({ ...common, branch: null, ...own });
      writeFileSync(`${ready}.new`, JSON.stringify({ key, commit }));
      renameSync(`${ready}.new`, ready);
    } catch (error) {
      throw diskFailure(error) ?? error;
    }
    return { directory, reused: false };
  }
}

function moveIfThere(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    // Another process gave the target a slot meanwhile.
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return true;
    throw error;
  }
}
