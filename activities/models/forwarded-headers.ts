import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

/** Headers that belong to one connection, RFC 9110 section 7.6.1. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

/** What a sandbox must not choose: whose account is used, how the answer is packed, and whom it says it is. */
const NOT_FROM_SANDBOX = [
  'host',
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'cookie',
  'openai-organization',
  'openai-project',
  'chatgpt-account-id',
  'accept-encoding',
  'expect',
];

/** The headers that go upstream: the sandbox's, without what it may not choose, with our credentials. */
export function upstreamHeaders(
  headers: IncomingHttpHeaders,
  credentials: Readonly<Record<string, string>>,
): OutgoingHttpHeaders {
  const kept = without(headers, [...HOP_BY_HOP, ...NOT_FROM_SANDBOX]);
  // The answer is read while it passes, so it must not be compressed.
  kept['accept-encoding'] = 'identity';
  return { ...kept, ...credentials };
}

/** The headers that go back into the sandbox. */
export function downstreamHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return without(headers, [...HOP_BY_HOP, 'set-cookie']);
}

function without(headers: IncomingHttpHeaders, names: readonly string[]): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const dropped = new Set([...names, ...named]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name)));
}
