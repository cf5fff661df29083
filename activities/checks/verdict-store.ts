import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { CheckFailure } from '../../core/checks.ts';
import { makePrivateDirectory } from '../home.ts';
import { checkFailureSchema } from './check-failure.ts';
import { diskFailure } from '../system-errors.ts';

/** How long a verdict counts, in milliseconds: what a check depends on besides its definition changes slowly. */
const VALID = 7 * 24 * 60 * 60 * 1000;

const verdictSchema = z.object({
  version: z.literal(1),
  /** `null`: everything passed. */
  failure: checkFailureSchema.nullable(),
  /** A red verdict counts only within the session that found it: later it may have been the check's own fault. */
  session: z.string(),
});

/** Says of something that it passed (`failure: null`), or how it failed. */
export interface Verdict {
  failure: CheckFailure | null;
}

/**
 * What checks said about trees, a small file each, so that an identical tree is never checked twice; shared by all
 * processes of the host. Losing it costs checks, no more.
 */
export class VerdictStore {
  readonly #directory: string;

  /** @param directory of its own; made when it is first written to */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What is known of a subject. @param session whose red verdicts count too; without one only green ones do */
  find(subject: readonly string[], session: string | null = null): Verdict | null {
    const file = this.#fileOf(subject);
    try {
      if (statSync(file).mtimeMs < Date.now() - VALID) return null;
      const { failure, session: found } = verdictSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
      return failure === null || found === session ? { failure } : null;
    } catch {
      // Not there, or not whole: not known.
      return null;
    }
  }

  /** Remembers a verdict. @param subject what it is about, such as a tree and the digest of the checks */
  add(subject: readonly string[], { failure }: Verdict, session: string): void {
    makePrivateDirectory(this.#directory);
    const file = this.#fileOf(subject);
    const draft = `${file}.${randomUUID()}`;
    try {
      writeFileSync(draft, JSON.stringify({ version: 1, failure, session }), { mode: 0o600 });
      renameSync(draft, file);
    } catch (error) {
      rmSync(draft, { force: true });
      throw diskFailure(error) ?? error;
    }
  }

  /** Removes what does not count any more. */
  prune(): void {
    let names: string[];
    try {
      names = readdirSync(this.#directory);
    } catch {
      return;
    }
    for (const name of names) {
      const file = path.join(this.#directory, name);
      const age = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > VALID) rmSync(file, { force: true });
    }
  }

  #fileOf(subject: readonly string[]): string {
    return path.join(this.#directory, createHash('sha256').update(JSON.stringify(subject)).digest('hex'));
  }
}
