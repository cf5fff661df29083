import { createHash, randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { nameFullDisk, unlessMissing } from '../system-errors.ts';
import type { BareRepository } from './bare-repository.ts';
import { readRef } from './refs.ts';

const landingSchema = z.object({
  /** Every process of this landing carries it in its environment, and every lock on an index that it made. */
  id: z.string(),
  branch: z.string(),
  from: z.string(),
  to: z.string(),
  /** The git directory of the work tree that has the branch checked out, `null` where none has. */
  gitDir: z.string().nullable(),
});

/** A landing that has begun. */
export type Landing = z.infer<typeof landingSchema>;

/**
 * The note of the landing under way on one branch of one user's repository. It is written, to the disk, before anything
 * of theirs changes, and removed when ref, index and files are at one again.
 */
export class LandingJournal {
  /** A directory for this branch of this repository alone. */
  readonly directory: string;
  readonly #file: string;

  constructor(bare: BareRepository, commonDir: string, branch: string) {
    const key = createHash('sha256').update(`${commonDir}\0${branch}`).digest('hex').slice(0, 16);
    this.directory = path.join(landingsOf(bare), key);
    this.#file = path.join(this.directory, 'landing.json');
  }

  /** The landing that was begun and not ended, or `null`. */
  read(): Landing | null {
    const text = unlessMissing(() => readFileSync(this.#file, 'utf8'));
    return text === null ? null : landingSchema.parse(JSON.parse(text));
  }

  /** Notes that a landing begins. When this returns, the note outlives a power failure. */
  begin(landing: Omit<Landing, 'id'>): Landing {
    const begun = { id: randomUUID(), ...landing };
    nameFullDisk(this.directory, () => {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      const draft = `${this.#file}.new`;
      writeFileSync(draft, JSON.stringify(begun), { flush: true });
      renameSync(draft, this.#file);
      const handle = openSync(this.directory, 'r');
      fsyncSync(handle);
      closeSync(handle);
    });
    return begun;
  }

  /** Ends a landing; another one that began meanwhile is none of its business. */
  end(landing: Landing): void {
    if (this.read()?.id === landing.id) rmSync(this.#file, { force: true });
  }
}

/** Where landings of a bare repository keep what they need. */
export function landingsOf(bare: BareRepository): string {
  return path.join(bare.gitDir, 'landings');
}

/** Where the user's branch of a landing is now: `elsewhere` is a commit of theirs, or none. */
export function standOf(landing: Landing, commonDir: string): 'from' | 'to' | 'elsewhere' {
  const now = readRef(commonDir, `refs/heads/${landing.branch}`);
  return now === landing.from ? 'from' : now === landing.to ? 'to' : 'elsewhere';
}
