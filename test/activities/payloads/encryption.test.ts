import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { homeOf, type Home } from '../../../activities/home.ts';
import { EncryptionCodec, isEncrypted } from '../../../activities/payloads/encryption-codec.ts';
import { KEYS_VARIABLE, PayloadKeys, payloadKeysFile } from '../../../activities/payloads/payload-keys.ts';
import { RedactingCodec } from '../../../activities/payloads/redacting-codec.ts';
import { Redactor } from '../../../activities/redaction/redactor.ts';

const root = mkdtempSync(path.join(tmpdir(), 'signalbox-payloads-'));
afterAll(() => rmSync(root, { recursive: true }));

let home: Home;
let number = 0;
beforeEach(() => {
  home = homeOf({ SIGNALBOX_HOME: path.join(root, String((number += 1))) });
});

const NOW = new Date('2026-11-26T12:00:00Z');
const VALUE = { prompt: 'make the parser faster', list: [1, null, 'ä'] };
const plain = (): Payload => defaultPayloadConverter.toPayload(VALUE);
const valueOf = ([payload]: Payload[]): unknown => defaultPayloadConverter.fromPayload(payload!);
const codec = (env = {}): EncryptionCodec => new EncryptionCodec(new PayloadKeys(home, env));
const keyIdOf = ([payload]: Payload[]): string => Buffer.from(payload!.metadata!['encryption-key-id']!).toString();

describe('payloads', () => {
  test('are stored in clear without a key', async () => {
    expect(await codec().encode([plain()])).toEqual([plain()]);
  });

  test('with a key are unreadable, differ each time, and are read again', async () => {
    new PayloadKeys(home, {}).add(NOW);
    const [once, twice] = [await codec().encode([plain()]), await codec().encode([plain()])];
    expect(once.map(isEncrypted)).toEqual([true]);
    expect(Buffer.from(once[0]!.data!).toString('latin1')).not.toContain('parser');
    expect(Buffer.from(once[0]!.data!).equals(Buffer.from(twice[0]!.data!))).toBe(false);
    expect(valueOf(await codec().decode(once))).toEqual(VALUE);
  });

  test('are encrypted by the newest key, also in a process that was there before it, and older ones stay readable', async () => {
    const keys = new PayloadKeys(home, {});
    const running = codec();
    const first = keys.add(NOW);
    const old = await running.encode([plain()]);
    const second = keys.add(NOW);
    const fresh = await running.encode([plain()]);
    expect([keyIdOf(old), keyIdOf(fresh)]).toEqual([first, second]);
    for (const payloads of [old, fresh]) expect(valueOf(await codec().decode(payloads))).toEqual(VALUE);
  });

  test('in clear are read as they are, whoever sent them', async () => {
    new PayloadKeys(home, {}).add(NOW);
    expect(valueOf(await codec().decode([plain()]))).toEqual(VALUE);
  });

  test('of an unknown key are refused with its name, those that were changed, too', async () => {
    const id = new PayloadKeys(home, {}).add(NOW);
    const payloads = await codec().encode([plain()]);
    const data = Buffer.from(payloads[0]!.data!);
    data[20] = data[20]! ^ 1;
    const changed = [{ ...payloads[0], data }];
    await expect(codec().decode(changed)).rejects.toMatchObject({ code: 'refused' });
    const others = codec({ [KEYS_VARIABLE]: `other:${Buffer.alloc(32, 7).toString('base64')}` });
    await expect(others.decode(payloads)).rejects.toThrow(`encrypted with the key ${id}, which is not known here`);
  });

  test('pass the redactor before they are encrypted', async () => {
    const redacting = new RedactingCodec(new Redactor({ secrets: ['n0t-for-you-4711'] }));
    const payload = defaultPayloadConverter.toPayload({ a: ['say n0t-for-you-4711'], 'n0t-for-you-4711': 1 });
    expect(valueOf(await redacting.encode([payload]))).toEqual({ a: ['say ***'], '***': 1 });
    const authorized = defaultPayloadConverter.toPayload({ Authorization: 'Bearer q8W2e4R6t7Y9u1I3' });
    expect(valueOf(await redacting.encode([authorized]))).toEqual({ Authorization: 'Bearer ***' });
    const bytes = defaultPayloadConverter.toPayload(Buffer.from('n0t-for-you-4711'));
    expect(await redacting.encode([plain(), bytes])).toEqual([plain(), bytes]);
  });
});

describe('keys', () => {
  test('lie in a private file, and in no other place', () => {
    new PayloadKeys(home, {}).add(NOW);
    expect(statSync(payloadKeysFile(home)).mode & 0o777).toBe(0o600);
    expect(statSync(home.root).mode & 0o777).toBe(0o700);
  });

  test('that others may read are refused, and so are lines that are none, without repeating them', () => {
    const keys = new PayloadKeys(home, {});
    keys.add(NOW);
    chmodSync(payloadKeysFile(home), 0o640);
    expect(() => keys.all()).toThrow(/others may read/);
    writeFileSync(payloadKeysFile(home), 'a:tooshort\n');
    chmodSync(payloadKeysFile(home), 0o600);
    expect(() => keys.all()).toThrow(/^entry 1 of \S+ is no key$/);
  });

  test('of the environment are used instead of the file, and are not added to', async () => {
    const [one, two] = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64'));
    const env = { [KEYS_VARIABLE]: `one:${one},two:${two}` };
    expect(keyIdOf(await codec(env).encode([plain()]))).toBe('two');
    expect(() => new PayloadKeys(home, env).add(NOW)).toThrow(/come from SIGNALBOX_PAYLOAD_KEYS/);
    expect(() => new PayloadKeys(home, { [KEYS_VARIABLE]: `one:${one},one:${two}` })).toThrow(/same id/);
  });
});
