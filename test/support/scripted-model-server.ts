import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import { parseModelRequest, type ModelRequest } from './model-request.ts';

/** What the model "says" to one request: output items, then the end of the response; or a refusal. */
export interface ModelReply {
  items: readonly object[];
  /** Default: 100 input tokens, 40 of them cached, and 7 output tokens. */
  usage?: { input: number; cached: number; output: number };
  /** The stream opens with `response.created` and then waits for this before anything else. */
  hold?: Promise<void>;
  /** Cut the connection in the middle instead of completing the response. */
  cut?: boolean;
  /** Answer with this HTTP status and OpenAI's error body instead of a stream. */
  refuse?: { status: number; message: string; code?: string };
}

/** Decides the reply. May be called again for the same state when a client repeats a request that was cut off. */
export type ModelScript = (request: ModelRequest) => ModelReply | Promise<ModelReply>;

/**
 * A model server on 127.0.0.1 that speaks the Responses API as server-sent events, follows a script, and keeps every
 * request that it got. WebSocket upgrades get 426 at once.
 */
export interface ScriptedModelServer {
  /** Base of the API without `/v1`, such as `http://127.0.0.1:4711`. */
  readonly url: string;
  /** All `POST …/responses` so far, in order of arrival. */
  readonly requests: readonly ModelRequest[];
  /** How many WebSocket upgrades were refused. */
  readonly upgrades: number;
  /** How many requests lost their client before the reply was complete. */
  readonly aborted: number;
  /** Resolves when at least so many requests have arrived. */
  waitForRequests(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts a server with a script. `port` 0 takes a free one. */
export async function startScriptedModelServer(script: ModelScript, port = 0): Promise<ScriptedModelServer> {
  const requests: ModelRequest[] = [];
  const sockets = new Set<Socket>();
  let waiters: { count: number; resolve: () => void }[] = [];
  let upgrades = 0;
  let aborted = 0;
  const server: Server = createServer((incoming, response) => {
    answer(incoming, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: `the script failed: ${String(error)}`, type: 'server_error' } }));
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (_incoming, socket) => {
    upgrades += 1;
    socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    if (incoming.method !== 'POST' || !(incoming.url ?? '').split('?')[0]?.endsWith('/responses')) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ error: { message: `nothing at ${String(incoming.url)}`, type: 'invalid_request_error' } }),
      );
      return;
    }
    const request = parseModelRequest(requests.length + 1, incoming.headers, Buffer.concat(chunks).toString('utf8'));
    response.on('close', () => (aborted += response.writableFinished ? 0 : 1));
    requests.push(request);
    for (const waiter of waiters) if (requests.length >= waiter.count) waiter.resolve();
    waiters = waiters.filter((waiter) => requests.length < waiter.count);
    await stream(await script(request), request, response);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get upgrades() {
      return upgrades;
    },
    get aborted() {
      return aborted;
    },
    waitForRequests: (count) =>
      new Promise((resolve, reject) => {
        if (requests.length >= count) {
          resolve();
          return;
        }
        const patience = setTimeout(() => {
          reject(new Error(`${requests.length} requests came within a minute, not ${count}`));
        }, 60_000);
        const heard = (): void => {
          clearTimeout(patience);
          resolve();
        };
        waiters.push({ count, resolve: heard });
      }),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function stream(reply: ModelReply, request: ModelRequest, response: ServerResponse): Promise<void> {
  if (reply.refuse !== undefined) {
    response.writeHead(reply.refuse.status, { 'content-type': 'application/json' });
    const { message, code = null } = reply.refuse;
    response.end(JSON.stringify({ error: { message, type: code ?? 'server_error', code } }));
    return;
  }
  const id = `resp_${request.number}`;
  const send = (event: { type: string } & Record<string, unknown>): void => {
    if (!response.destroyed) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  };
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  send({ type: 'response.created', response: { id } });
  if (reply.hold !== undefined) await reply.hold;
  if (reply.cut === true) {
    response.destroy();
    return;
  }
  for (const item of reply.items) send({ type: 'response.output_item.done', item });
  const { input, cached, output } = reply.usage ?? { input: 100, cached: 40, output: 7 };
  const usage = {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  };
  send({ type: 'response.completed', response: { id, model: request.model, usage } });
  response.end();
}
