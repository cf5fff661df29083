import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { defaultPayloadConverter } from '@temporalio/common';
import { homeOf } from '../../../activities/home.ts';
import { codecToken, createCodecServer } from '../../../activities/payloads/codec-server.ts';
import { EncryptionCodec } from '../../../activities/payloads/encryption-codec.ts';
import { PayloadKeys } from '../../../activities/payloads/payload-keys.ts';

const ORIGIN = 'http://127.0.0.1:8233';
const root = mkdtempSync(path.join(tmpdir(), 'signalbox-codec-'));
const keys = new PayloadKeys(homeOf({ SIGNALBOX_HOME: path.join(root, 'home') }), {});

let server: Server;
let port: number;
let token: string;
let encrypted: string;

beforeAll(async () => {
  expect(() => codecToken(keys)).toThrow(/no keys/);
  keys.add(new Date());
  const codec = new EncryptionCodec(keys);
  token = codecToken(keys);
  server = createCodecServer({ codec, origins: [ORIGIN], token });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
  const [payload] = await codec.encode([defaultPayloadConverter.toPayload('what nobody else reads')]);
  const metadata = Object.entries(payload!.metadata!).map(([name, value]) => [name, base64(value)]);
  encrypted = JSON.stringify({
    payloads: [{ metadata: Object.fromEntries(metadata) as object, data: base64(payload!.data!) }],
  });
});

afterAll(async () => {
  server.close();
  await once(server, 'close');
  rmSync(root, { recursive: true });
});

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

async function ask(options: { method?: string; path?: string; headers?: object; body?: string }): Promise<Answer> {
  const headers = { origin: ORIGIN, 'content-type': 'application/json', ...options.headers };
  const { method = 'POST', path: place = `/${token}/decode`, body = encrypted } = options;
  const asking = request({ host: '127.0.0.1', port, method, path: place, headers, agent: false });
  asking.end(method === 'POST' ? body : undefined);
  const [response] = (await once(asking, 'response')) as [import('node:http').IncomingMessage];
  const chunks = await response.toArray();
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: Buffer.concat(chunks as Buffer[]).toString(),
  };
}

describe('the codec endpoint', () => {
  test('decodes for the Web UI, after the question that a browser asks first', async () => {
    const first = await ask({
      method: 'OPTIONS',
      headers: { 'access-control-request-headers': 'content-type,x-namespace' },
    });
    expect([first.status, first.headers['access-control-allow-origin']]).toEqual([204, ORIGIN]);
    expect(first.headers['access-control-allow-headers']).toBe('content-type,x-namespace');
    const { status, headers, text } = await ask({ headers: { 'x-namespace': 'default' } });
    expect([status, headers['access-control-allow-origin'], headers['vary']]).toEqual([200, ORIGIN, 'Origin']);
    const { payloads } = JSON.parse(text) as { payloads: { data: string; metadata: Record<string, string> }[] };
    expect(Buffer.from(payloads[0]!.data, 'base64').toString()).toBe('"what nobody else reads"');
    expect(Buffer.from(payloads[0]!.metadata['encoding']!, 'base64').toString()).toBe('json/plain');
  });

  test('encodes what the Web UI sends', async () => {
    const payloads = [{ metadata: { encoding: base64(Buffer.from('json/plain')) }, data: base64(Buffer.from('"x"')) }];
    const { status, text } = await ask({ path: `/${token}/encode`, body: JSON.stringify({ payloads }) });
    const told = JSON.parse(text) as { payloads: { metadata: Record<string, string> }[] };
    expect([status, Buffer.from(told.payloads[0]!.metadata['encoding']!, 'base64').toString()]).toEqual([
      200,
      'binary/encrypted',
    ]);
  });

  test.each([
    ['another page', { headers: { origin: 'http://127.0.0.1:8234' } }],
    ['a page whose address begins like the Web UI’s', { headers: { origin: `${ORIGIN}.example.org` } }],
    ['a page without an origin of its own', { headers: { origin: 'null' } }],
    ['a program that names no origin', { headers: { origin: '' } }],
    ['a name that leads here', { headers: { host: 'rebound.example.org' } }],
    ['another path', { path: '/decode' }],
    ['another token', { path: `/${'0'.repeat(32)}/decode` }],
    ['a browser that asks first for another page', { method: 'OPTIONS', headers: { origin: 'https://example.org' } }],
  ])('refuses %s', async (_who, options) => {
    const { status, headers, text } = await ask(options);
    expect([status, text.includes('nobody')]).toEqual([403, false]);
    if ('headers' in options && 'origin' in options.headers)
      expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  test('says what it cannot decode, without what it holds', async () => {
    const unknown = encrypted.replace(
      /"encryption-key-id":"[^"]+"/,
      `"encryption-key-id":"${base64(Buffer.from('gone'))}"`,
    );
    expect(await ask({ body: unknown })).toMatchObject({ status: 422, text: expect.stringContaining('the key gone') });
    expect((await ask({ body: '{"payloads": 1}' })).status).toBe(400);
    expect((await ask({ body: 'no json' })).status).toBe(400);
    expect((await ask({ path: `/${token}/other` })).status).toBe(404);
    expect((await ask({ method: 'GET' })).status).toBe(404);
  });
});
