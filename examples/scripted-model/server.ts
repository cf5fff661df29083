import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type InputItem, type ModelRequest, reply } from './reply.ts';
import type { Script } from './script.ts';

export interface ScriptedModelOptions {
  scripts: readonly Script[];
  /** How long a response takes, in milliseconds, from and to; the same for the same step each time. */
  delay?: { from: number; to: number };
  /** On loopback; 0 takes a free one. */
  port?: number;
}

/** What `GET /stats` answers: how many responses were asked for, by step, and how many prompts fitted no script. */
export interface ScriptedModelStats {
  scripted: true;
  requests: number;
  unknown: number;
  steps: Record<string, number>;
}

export interface ScriptedModel {
  /** For OPENAI_BASE_URL. */
  baseUrl: string;
  stats: () => ScriptedModelStats;
  /** Milliseconds since the last request or the start. */
  idle: () => number;
  close: () => Promise<void>;
}

/**
 * Starts a model server on loopback that speaks the Responses API with server-sent events and answers from scripts.
 * No model is behind it.
 */
export async function startScriptedModel(options: ScriptedModelOptions): Promise<ScriptedModel> {
  const stats: ScriptedModelStats = { scripted: true, requests: 0, unknown: 0, steps: {} };
  let last = performance.now();
  const server: Server = createServer((request, response) => {
    last = performance.now();
    answer(options, stats, request, response).catch((error: unknown) => {
      if (!response.headersSent) sendJson(response, 400, { error: { message: String(error) } });
      else response.destroy();
    });
  });
  // Codex asks for a WebSocket first, unless told not to; 426 makes it post at once.
  server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  return {
    baseUrl: `http://127.0.0.1:${address.port}/v1`,
    stats: () => structuredClone(stats),
    idle: () => performance.now() - last,
    close: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

async function answer(
  { scripts, delay = { from: 0, to: 0 } }: ScriptedModelOptions,
  stats: ScriptedModelStats,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').replace(/\?.*$/, '');
  const isResponses = path.endsWith('/responses');
  if (request.method !== 'POST' || !isResponses) {
    if (request.method === 'GET' && path === '/stats') sendJson(response, 200, stats);
    else if (isResponses) sendJson(response, 426, { error: { message: 'post it' } });
    else sendJson(response, 404, { error: { message: `the scripted model has no ${path}` } });
    return;
  }
  const found = reply(scripts, readRequest(await readBody(request)));
  stats.requests += 1;
  if (found === undefined) {
    stats.unknown += 1;
    sendJson(response, 400, { error: { message: 'the scripted model knows no task in this prompt' } });
    return;
  }
  stats.steps[found.step] = (stats.steps[found.step] ?? 0) + 1;

  const id = `resp_${stats.requests}`;
  const send = (event: { type: string; [field: string]: unknown }): void => {
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  };
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  send({ type: 'response.created', response: { id, status: 'in_progress' } });
  await sleep(delayOf(found.step, delay));
  found.items.forEach((item, output_index) => send({ type: 'response.output_item.done', output_index, item }));
  send({ type: 'response.completed', response: { id, status: 'completed', output: found.items, usage: found.usage } });
  response.end();
}

function readRequest(body: string): ModelRequest {
  const parsed: unknown = JSON.parse(body);
  if (typeof parsed !== 'object' || parsed === null || !('input' in parsed)) throw new TypeError('no input');
  const { input, instructions, tools } = parsed as { input: unknown; instructions?: unknown; tools?: unknown };
  const items: unknown[] = Array.isArray(input) ? input : [{ role: 'user', content: input }];
  return {
    instructions: typeof instructions === 'string' ? instructions : '',
    tools: tools ?? [],
    input: items.filter((item): item is InputItem => typeof item === 'object' && item !== null),
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  request.setEncoding('utf8');
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
}

/** Spread over the range by the step's name, so that a run looks alive and takes as long as the one before. */
function delayOf(step: string, { from, to }: { from: number; to: number }): number {
  let hash = 0;
  for (const character of step) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 1009;
  return from + Math.round(((to - from) * hash) / 1009);
}
