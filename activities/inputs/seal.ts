import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SignalboxError } from '../../core/failures.ts';
import { makePrivateDirectory, type Home } from '../home.ts';

const VERSION = 'v1';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts a text with the home's own key (AES-256-GCM).
 *
 * @param context what the text belongs to; it opens for the same context only
 */
export function seal(home: Home, context: readonly string[], text: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(home), nonce).setAAD(boundTo(context));
  const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return `${VERSION}.${Buffer.concat([nonce, cipher.getAuthTag(), encrypted]).toString('base64url')}`;
}

/**
 * The text that was sealed.
 *
 * @throws SignalboxError `refused` if it was sealed in another home or for another context, or changed since
 */
export function unseal(home: Home, context: readonly string[], sealed: string): string {
  const [version, content = ''] = sealed.split('.');
  const bytes = Buffer.from(content, 'base64url');
  try {
    if (version !== VERSION) throw new SignalboxError('refused', 'it has another format');
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', sealingKey(home), nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(boundTo(context)).setAuthTag(tag);
    const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    return text.toString('utf8');
  } catch (cause) {
    throw new SignalboxError('refused', `a sealed value of ${context.join(', ')} cannot be opened here`, {
      hint: 'It was given on another host, or with another SIGNALBOX_HOME, or the key there was lost: give it again.',
      cause,
    });
  }
}

function boundTo(context: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(context), 'utf8');
}

/** The home's key for sealed values: made once, 32 random bytes, mode 0600. */
function sealingKey(home: Home): Buffer {
  const file = path.join(makePrivateDirectory(home.root), 'sealing-key');
  const read = (): Buffer | null => {
    try {
      return readFileSync(file);
    } catch {
      return null;
    }
  };
  const known = read();
  if (known !== null) return whole(known, file);
  // Two processes may come here at once: a link of a complete file lets exactly one win.
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, randomBytes(KEY_BYTES), { mode: 0o600 });
  try {
    linkSync(draft, file);
  } catch {
    // Somebody else was first; theirs is read below.
  }
  rmSync(draft, { force: true });
  return whole(read() ?? Buffer.alloc(0), file);
}

function whole(key: Buffer, file: string): Buffer {
  if (key.length === KEY_BYTES) return key;
  throw new SignalboxError('environment', `${file} is no key: it has ${key.length} bytes instead of ${KEY_BYTES}`);
}
