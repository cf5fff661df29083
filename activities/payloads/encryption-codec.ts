import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { SignalboxError } from '../../core/failures.ts';
import type { PayloadKey, PayloadKeys } from './payload-keys.ts';

/** The encoding of an encrypted payload, as Temporal's samples in all languages name it. */
export const ENCRYPTED = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

/**
 * Encrypts payloads with AES-256-GCM under the newest key, whose id is in their metadata, each with a nonce of its own. What is
 * not encrypted is read as it is: stock clients may send signals in clear, and earlier runs were. Without keys nothing is
 * encrypted.
 */
export class EncryptionCodec implements PayloadCodec {
  readonly #keys: PayloadKeys;

  constructor(keys: PayloadKeys) {
    this.#keys = keys;
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    return settled(() => {
      const key = this.#keys.newest();
      return key === null ? payloads : payloads.map((payload) => encrypted(payload, key));
    });
  }

  /** @throws SignalboxError `environment` for a key that is not known here, `refused` for what was changed since */
  decode(payloads: Payload[]): Promise<Payload[]> {
    return settled(() =>
      payloads.map((payload) =>
        isEncrypted(payload) ? decrypted(payload, this.#keys.named(metadataOf(payload, KEY_ID))) : payload,
      ),
    );
  }
}

/** Does it take a key to read it? */
export function isEncrypted(payload: Payload): boolean {
  return metadataOf(payload, 'encoding') === ENCRYPTED;
}

function encrypted(payload: Payload, { id, key }: PayloadKey): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(id, 'utf8'));
  const content = Buffer.concat([cipher.update(PayloadMessage.encode(payload).finish()), cipher.final()]);
  return {
    metadata: { encoding: Buffer.from(ENCRYPTED), 'encryption-cipher': Buffer.from(CIPHER), [KEY_ID]: Buffer.from(id) },
    data: Buffer.concat([nonce, cipher.getAuthTag(), content]),
  };
}

function decrypted(payload: Payload, { id, key }: PayloadKey): Payload {
  const bytes = Buffer.from(payload.data ?? []);
  try {
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(id, 'utf8')).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const content = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    const { metadata, data } = PayloadMessage.decode(content);
    return { metadata, data };
  } catch (cause) {
    throw new SignalboxError('refused', `a payload under the key ${id} cannot be decrypted: it was changed`, { cause });
  }
}

function metadataOf(payload: Payload, name: string): string {
  const value = payload.metadata?.[name];
  return value === undefined ? '' : Buffer.from(value).toString('utf8');
}

// eslint-disable-next-line @typescript-eslint/require-await -- so that what it throws rejects
async function settled<T>(work: () => T): Promise<T> {
  return work();
}
