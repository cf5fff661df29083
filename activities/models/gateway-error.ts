import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Answers in the shape of OpenAI's errors, which is Anthropic's with more in it, so that every client shows the message. */
export function sendGatewayError(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: OutgoingHttpHeaders = {},
): void {
  const kinds: Record<number, string> = { 401: 'authentication_error', 429: 'rate_limit_error' };
  const type = kinds[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error');
  const body = JSON.stringify({ type: 'error', error: { message, type, param: null, code } });
  const length = Buffer.byteLength(body);
  response.writeHead(status, { ...headers, 'content-type': 'application/json', 'content-length': length });
  response.end(body);
}
