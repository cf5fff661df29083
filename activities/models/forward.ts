import http, { type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream/promises';

import { NO_USAGE, type Usage } from '../../core/usage.ts';
import { downstreamHeaders, upstreamHeaders } from './forwarded-headers.ts';
import { sendOpenAiError } from './openai-error.ts';
import { UsageTap, type OnUsage } from './usage-tap.ts';

/** How a forwarded request went. */
export interface Forwarded {
  /** The status that the sandbox got; 499 when it left before there was one. */
  status: number;
  usage: Usage;
  /** What went wrong on the way, in one short sentence without secrets; `null` if nothing did. */
  problem: string | null;
}

/**
 * Sends a request on and its answer back, as it comes, with the back-pressure of whoever is slower. When the sandbox
 * leaves, the upstream request is aborted; when the upstream breaks off, so does the answer.
 */
export async function forward(exchange: {
  target: URL;
  apiKey: string | null;
  incoming: IncomingMessage;
  response: ServerResponse;
  onUsage: OnUsage;
}): Promise<Forwarded> {
  const { target, apiKey, incoming, response, onUsage } = exchange;
  const client = target.protocol === 'https:' ? https : http;
  const headers = upstreamHeaders(incoming.headers, apiKey);
  const request = client.request(target, { method: incoming.method ?? 'GET', headers });
  const left = (): void => {
    if (!response.writableFinished) request.destroy();
  };
  response.on('close', left);
  try {
    return await exchangeBodies(request, incoming, response, target, onUsage);
  } finally {
    response.off('close', left);
  }
}

async function exchangeBodies(
  request: ClientRequest,
  incoming: IncomingMessage,
  response: ServerResponse,
  target: URL,
  onUsage: OnUsage,
): Promise<Forwarded> {
  // Not a pipeline: when the upstream fails, that would close the connection on which to say so.
  incoming.pipe(request);
  let answer: IncomingMessage;
  try {
    answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', reject);
    });
  } catch (error) {
    incoming.unpipe(request).resume();
    if (response.destroyed) return { status: 499, usage: { ...NO_USAGE }, problem: 'the sandbox left' };
    const problem = `the model gateway could not reach ${target.host}: ${nameOf(error)}`;
    sendOpenAiError(response, 502, 'upstream_unreachable', problem);
    return { status: 502, usage: { ...NO_USAGE }, problem };
  }
  const status = answer.statusCode ?? 502;
  const tap = new UsageTap(answer.headers['content-type'] ?? '', onUsage);
  answer.on('data', (chunk: Buffer) => tap.push(chunk));
  answer.on('end', () => tap.end());
  response.writeHead(status, downstreamHeaders(answer.headers));
  response.flushHeaders();
  try {
    await pipeline(answer, response);
    return { status, usage: tap.end(), problem: null };
  } catch (error) {
    const problem =
      answer.complete || answer.errored === null ? 'the sandbox left' : `the answer broke off: ${nameOf(error)}`;
    return { status, usage: tap.end(), problem };
  }
}

/** The error's code where it has one: messages of network errors may carry addresses of the host's network. */
function nameOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown error';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'name' in error && typeof error.name === 'string' ? error.name : 'unknown error';
}
