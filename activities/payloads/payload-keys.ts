import { randomBytes } from 'node:crypto';
import { appendFileSync, chmodSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { SignalboxError } from '../../core/failures.ts';
import { makePrivateDirectory, type Home } from '../home.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Keys for several hosts, or where no file may hold them; used instead of the home's file. */
export const KEYS_VARIABLE = 'SIGNALBOX_PAYLOAD_KEYS';

const KEY_BYTES = 32;
const ENTRY = /^([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/]{43}=)$/;

/** A key that payloads are encrypted with. */
export interface PayloadKey {
  /** Names it in the payloads' metadata. */
  id: string;
  /** 32 bytes. */
  key: Buffer;
}

/** The home's file of keys: `id:base64` a line, the newest last. */
export function payloadKeysFile(home: Home): string {
  return path.join(home.root, 'payload-keys');
}

/**
 * The keys that a host knows; the last one encrypts. None: payloads are stored in clear. A key that is added while the
 * process runs is found.
 */
export class PayloadKeys {
  readonly #file: string;
  readonly #fixed: readonly PayloadKey[] | null;
  #read: readonly PayloadKey[] = [];
  #seen = '';

  /** @throws SignalboxError `environment` for keys in the environment that are none */
  constructor(home: Home, env: Env) {
    this.#file = payloadKeysFile(home);
    const told = env[KEYS_VARIABLE]?.trim() ?? '';
    this.#fixed = told === '' ? null : parseKeys(told.split(/[\s,]+/), KEYS_VARIABLE);
  }

  /** Where they come from: the variable's name, or the file's path. */
  get source(): string {
    return this.#fixed === null ? this.#file : KEYS_VARIABLE;
  }

  /** All of them, the newest last. @throws SignalboxError `environment` for a file that others may read, or is damaged */
  all(): readonly PayloadKey[] {
    if (this.#fixed !== null) return this.#fixed;
    const stat = statSync(this.#file, { throwIfNoEntry: false });
    const seen = stat === undefined ? '' : `${stat.mtimeMs}/${stat.size}/${stat.mode}`;
    if (seen === this.#seen) return this.#read;
    if (stat !== undefined && (stat.mode & 0o077) !== 0) {
      throw new SignalboxError('environment', `others may read the keys in ${this.#file}`, {
        hint: `Run "chmod 600 ${this.#file}", and "signalbox key add" if they may have been read.`,
      });
    }
    const lines = stat === undefined ? [] : readFileSync(this.#file, 'utf8').split('\n');
    this.#read = parseKeys(lines, this.#file);
    this.#seen = seen;
    return this.#read;
  }

  /** The one that encrypts, or `null` where nothing is encrypted. */
  newest(): PayloadKey | null {
    return this.all().at(-1) ?? null;
  }

  /** @throws SignalboxError `environment` if it is not known here */
  named(id: string): PayloadKey {
    const key = this.all().find((known) => known.id === id);
    if (key !== undefined) return key;
    throw new SignalboxError(
      'environment',
      `what the server holds was encrypted with the key ${id}, which is not known here`,
      {
        hint: `Add its line to ${this.source}, from the host that made it.`,
      },
    );
  }

  /**
   * Makes a key and has it encrypt from now on. Earlier ones stay, for what they have encrypted.
   *
   * @throws SignalboxError `refused` where the environment gives the keys
   */
  add(now: Date): string {
    if (this.#fixed !== null) {
      throw new SignalboxError('refused', `the keys come from ${KEYS_VARIABLE}`, {
        hint: 'Append id:base64 of 32 random bytes to it on every host, first everywhere for reading, then last in the list.',
      });
    }
    const day = now.toISOString().slice(0, 10).replaceAll('-', '');
    const id = `${day}-${randomBytes(4).toString('hex')}`;
    makePrivateDirectory(path.dirname(this.#file));
    appendFileSync(this.#file, `${id}:${randomBytes(KEY_BYTES).toString('base64')}\n`, { mode: 0o600 });
    if (this.all().length === 1) chmodSync(this.#file, 0o600);
    return id;
  }
}

function parseKeys(lines: readonly string[], source: string): PayloadKey[] {
  const keys = lines
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      const [, id, base64] = ENTRY.exec(line.trim()) ?? [];
      const key = Buffer.from(base64 ?? '', 'base64');
      if (id !== undefined && key.length === KEY_BYTES) return { id, key };
      // Without the text: most of it may be a key.
      throw new SignalboxError('environment', `entry ${index + 1} of ${source} is no key`, {
        hint: 'Each is an id, a colon, and 32 random bytes in base64.',
      });
    });
  const ids = new Set(keys.map(({ id }) => id));
  if (ids.size < keys.length) throw new SignalboxError('environment', `two keys of ${source} have the same id`);
  return keys;
}
