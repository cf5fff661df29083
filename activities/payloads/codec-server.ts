import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Payload, PayloadCodec } from '@temporalio/common';
import * as z from 'zod';
import { SignalboxError } from '../../core/failures.ts';
import { sameText } from '../models/gateway-secret.ts';
import type { PayloadKeys } from './payload-keys.ts';

/** A page of the Web UI asks for a history's payloads at once. */
const MOST_BYTES = 32 * 1024 * 1024;

const base64 = z.string().regex(/^[A-Za-z0-9+/_-]*={0,2}$/);
const requestSchema = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() })),
});

/** What {@link createCodecServer} is made of. */
export interface CodecServerDeps {
  codec: PayloadCodec;
  /** Web pages that may ask, exactly as browsers name them: `http://127.0.0.1:8233`. */
  origins: readonly string[];
  /** The first part of the path. Whoever does not know it learns nothing. */
  token: string;
}

/**
 * The endpoint that Temporal's Web UI asks to read payloads (`POST …/decode`) and to write them (`POST …/encode`), not yet
 * listening. It answers the pages of `origins` only, and only under the token's path, since any page that a browser shows,
 * and any user of this machine, can reach a port of the loopback.
 */
export function createCodecServer(deps: CodecServerDeps): Server {
  return createServer((request, response) => {
    answer(deps, request, response).catch((error: unknown) => {
      const known = error instanceof SignalboxError;
      send(response, known ? 422 : 400, { message: known ? error.message : 'the request cannot be understood' });
    });
  });
}

/** The token of a home's endpoint: the same for as long as its first key is there. */
export function codecToken(keys: PayloadKeys): string {
  const [first] = keys.all();
  if (first === undefined) {
    throw new SignalboxError('refused', 'there are no keys, so nothing is encrypted', {
      hint: 'Run "signalbox key add" first.',
    });
  }
  return createHmac('sha256', first.key).update('signalbox codec endpoint').digest('hex').slice(0, 32);
}

async function answer(deps: CodecServerDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { origin = '', host = '' } = request.headers;
  // A name that somebody else's server resolves to this address is not ours.
  if (!/^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/.test(host)) {
    refuse(request, response, 'an unknown host');
    return;
  }
  if (!deps.origins.includes(origin)) {
    refuse(request, response, 'an origin that is not allowed');
    return;
  }
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('vary', 'Origin');
  const [, token = '', action = '', ...more] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
  if (!sameText(token, deps.token) || more.length > 0) {
    refuse(request, response, 'an unknown path');
    return;
  }
  if (request.method === 'OPTIONS') {
    response.setHeader('access-control-allow-methods', 'POST');
    response.setHeader('access-control-allow-headers', request.headers['access-control-request-headers'] ?? '');
    response.setHeader('access-control-allow-private-network', 'true');
    response.writeHead(204).end();
    return;
  }
  if (request.method !== 'POST' || (action !== 'decode' && action !== 'encode')) {
    request.resume();
    send(response, 404, { message: 'POST decode or encode' });
    return;
  }
  const { payloads } = requestSchema.parse(JSON.parse(await bodyOf(request)));
  const done = await deps.codec[action](payloads.map(fromJson));
  send(response, 200, { payloads: done.map(toJson) });
}

function refuse(request: IncomingMessage, response: ServerResponse, why: string): void {
  request.resume();
  send(response, 403, { message: `refused: ${why}` });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new SignalboxError('usage', `more than ${MOST_BYTES} bytes at once`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function fromJson({ metadata = {}, data = '' }: z.infer<typeof requestSchema>['payloads'][number]): Payload {
  const entries = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')] as const);
  return { metadata: Object.fromEntries(entries), data: Buffer.from(data, 'base64') };
}

function toJson({ metadata, data }: Payload): object {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
  return { metadata: Object.fromEntries(entries) as object, data: Buffer.from(data ?? []).toString('base64') };
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
