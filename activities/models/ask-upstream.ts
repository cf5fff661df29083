import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';

import { codeOf } from '../system-errors.ts';
import { upstreamHeaders } from './forwarded-headers.ts';
import type { RequestBody } from './request-body.ts';

/** A request that certainly came to nothing: no connection could be made, or one that was kept open was closed meanwhile. */
class ConnectionRefused extends Error {
  constructor(cause: unknown) {
    super(nameOf(cause), { cause });
    this.name = 'ConnectionRefused';
  }
}

const NO_CONNECTION = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];

/**
 * Sends a request to the upstream, and resolves with the head of its answer.
 *
 * @param question.credentials headers that make it ours
 * @param question.signal destroys the request, and the answer with it
 * @throws what the connection reports; see {@link isRefusedConnection}
 */
export async function askUpstream(question: {
  target: URL;
  credentials: Readonly<Record<string, string>>;
  incoming: IncomingMessage;
  body: RequestBody;
  signal: AbortSignal;
}): Promise<IncomingMessage> {
  const { target, credentials, incoming, body, signal } = question;
  const client = target.protocol === 'https:' ? https : http;
  const headers = upstreamHeaders(incoming.headers, credentials);
  if (!body.more && (body.kept.length > 0 || 'content-length' in headers)) headers['content-length'] = body.kept.length;
  const request = client.request(target, { method: incoming.method ?? 'GET', headers, signal });
  try {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', reject);
      if (!body.more) {
        request.end(body.kept);
        return;
      }
      request.write(body.kept);
      // Not a pipeline: when the upstream fails, that would close the connection on which to say so.
      incoming.pipe(request);
    });
  } catch (error) {
    if (body.more) incoming.unpipe(request).resume();
    const code = String(codeOf(error));
    const stale = request.reusedSocket && code === 'ECONNRESET';
    throw stale || NO_CONNECTION.includes(code) ? new ConnectionRefused(error) : error;
  }
}

/** Did a request certainly not get through, so that making it again can do no harm? */
export function isRefusedConnection(error: unknown): boolean {
  return error instanceof ConnectionRefused;
}

/** The error's code where it has one: messages of network errors may carry addresses of the host's network. */
export function nameOf(error: unknown): string {
  if (error instanceof ConnectionRefused) return error.message;
  const code = codeOf(error);
  if (typeof code === 'string') return code;
  return error instanceof Error ? error.name : 'unknown error';
}
