import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SignalboxError } from '../../core/failures.ts';
import type { ArtefactRef } from '../../core/run-ref.ts';
import { diskFailure } from '../system-errors.ts';

/** Files by the SHA-256 of their bytes: what is too large for a history. Written once, never changed. */
export class ArtefactStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Keeps a value as JSON. The same value gives the same reference. */
  async put(value: unknown): Promise<ArtefactRef> {
    const bytes = Buffer.from(JSON.stringify(value));
    const ref = { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
    const file = this.#fileOf(ref);
    if (await exists(file)) return ref;
    const draft = `${file}.${randomUUID()}`;
    try {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      await writeFile(draft, bytes, { mode: 0o600 });
      await rename(draft, file);
    } catch (error) {
      throw diskFailure(error) ?? error;
    }
    return ref;
  }

  /** @throws SignalboxError `environment` when it is not here, or is not what was put */
  async get(ref: ArtefactRef): Promise<unknown> {
    let bytes: Buffer;
    try {
      bytes = await readFile(this.#fileOf(ref));
    } catch (cause) {
      throw new SignalboxError('environment', `artefact ${ref.sha256} is not on this host`, { cause });
    }
    if (createHash('sha256').update(bytes).digest('hex') !== ref.sha256) {
      throw new SignalboxError('environment', `artefact ${ref.sha256} was changed on disk`);
    }
    return JSON.parse(bytes.toString('utf8'));
  }

  #fileOf({ sha256 }: ArtefactRef): string {
    return path.join(this.#directory, sha256.slice(0, 2), sha256);
  }
}

async function exists(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  );
}
