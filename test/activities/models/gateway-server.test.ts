import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { GatewayLedger } from '../../../activities/models/gateway-ledger.ts';
import { gatewayLayout } from '../../../activities/models/gateway-layout.ts';
import { gatewaySecret, ownerToken, stepOfToken, stepToken } from '../../../activities/models/gateway-secret.ts';
import type { Home } from '../../../activities/home.ts';
import { createGatewayBench, STEP, type GatewayBench } from '../../support/gateway-bench.ts';
import { until } from '../../support/until.ts';

let bench: GatewayBench;
let home: Home;
let ledger: GatewayLedger;
let logged: string[];
let ask: GatewayBench['ask'];
let gatewayTo: GatewayBench['gatewayTo'];

beforeEach(() => {
  bench = createGatewayBench();
  ({ home, ledger, logged, ask, gatewayTo } = bench);
});
afterEach(() => bench.close());

describe('the gateway', () => {
  test('gives the upstream the real key and nothing that the sandbox chose in its place', async () => {
    const seen: IncomingMessage[] = [];
    const url = await gatewayTo((incoming, response) => {
      seen.push(incoming);
      response.end('{}');
    });
    const chosen = { 'openai-organization': 'theirs', 'x-api-key': 'theirs', cookie: 'a=b', 'x-client': 'kept' };
    expect((await ask(`${url}/v1/models?limit=1`, chosen)).status).toBe(200);
    expect(seen[0]?.url).toBe('/v1/models?limit=1');
    expect(seen[0]?.headers).toMatchObject({ authorization: 'Bearer sk-canary', 'x-client': 'kept' });
    for (const name of ['openai-organization', 'x-api-key', 'cookie'])
      expect(seen[0]?.headers).not.toHaveProperty(name);
    expect(logged.join('\n')).not.toContain('sk-canary');
  });

  test.each([
    ['none', {}],
    ['another word', { authorization: 'Bearer guess' }],
    ['one of another home', { authorization: 'Bearer sbx1.eA.c2ln' }],
  ])('refuses a token that is %s, and asks nobody', async (_kind, headers: Record<string, string>) => {
    let asked = 0;
    const url = await gatewayTo((_incoming, response) => {
      asked += 1;
      response.end();
    });
    const response = await fetch(`${url}/v1/responses`, { method: 'POST', body: '{}', headers });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({
      error: { code: 'invalid_step_token', type: 'authentication_error' },
    });
    expect(asked).toBe(0);
  });

  test.each(['/', '/v1', '/v2/responses', '/v1/../admin'])('forwards nothing from %s', async (page) => {
    const url = await gatewayTo((_incoming, response) => response.end('leaked'));
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(
      `GET ${page} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${stepToken(home, STEP)}\r\n\r\n`,
    );
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1.1 404 /);
  });

  test('refuses a WebSocket at once with 426', async () => {
    const url = await gatewayTo((_incoming, response) => response.end());
    const asked = httpRequest(`${url}/v1/responses`, { headers: { connection: 'Upgrade', upgrade: 'websocket' } });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(426);
  });

  test('passes each piece on before the next one is there, and counts the tokens that went by', async () => {
    let next = (): void => undefined;
    const url = await gatewayTo((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"type":"response.created"}\n\n');
      next = () => {
        const usage = '{"input_tokens":30,"input_tokens_details":{"cached_tokens":10},"output_tokens":5}';
        response.write(`data: {"type":"response.completed","respon`);
        response.end(`se":{"model":"m-1","usage":${usage}}}\n\n`);
      };
    });
    const reader = (await ask(`${url}/v1/responses`)).body!.getReader();
    const first = await reader.read();
    expect(Buffer.from(first.value).toString()).toContain('response.created');
    next();
    while (!(await reader.read()).done);
    const usage = { input_tokens: 30, cached_input_tokens: 10, output_tokens: 5, cost_usd: 0 };
    expect(ledger.of(STEP)).toEqual({ requests: 1, usage, models: { 'm-1': usage } });
  });

  test('has counted and kept what a piece tells before the sandbox gets that piece', async () => {
    const usage = { input_tokens: 30, cached_input_tokens: 0, output_tokens: 5, cost_usd: 0 };
    const url = await gatewayTo((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${JSON.stringify({ type: 'response.completed', response: { usage } })}\n\n`);
    });
    const reader = (await ask(`${url}/v1/responses`)).body!.getReader();
    await reader.read();
    const next = new GatewayLedger(gatewayLayout(home).usage, 'gateway-2');
    expect(next.of(STEP)).toEqual({ requests: 1, usage, models: { '': usage } });
    await reader.cancel();
  });

  test('counts chat completions, whose last event tells what they used', async () => {
    const url = await gatewayTo((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const said = { model: 'm-3', choices: [{ delta: { content: '"usage": {"prompt_tokens": 9}' } }], usage: null };
      response.write(`data: ${JSON.stringify(said)}\n\n`);
      const usage = { prompt_tokens: 20, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 8 } };
      response.end(`data: ${JSON.stringify({ model: 'm-3', choices: [], usage })}\n\ndata: [DONE]\n\n`);
    });
    await (await ask(`${url}/v1/chat/completions`)).text();
    const usage = { input_tokens: 20, cached_input_tokens: 8, output_tokens: 4, cost_usd: 0 };
    expect(ledger.of(STEP)).toEqual({ requests: 1, usage, models: { 'm-3': usage } });
  });

  test('counts an answer that is one document, once', async () => {
    const url = await gatewayTo((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"model":"m-2","usage":{"input_tokens":3,"output_tokens":4}}');
    });
    await (await ask(`${url}/v1/responses`)).text();
    await until(() => ledger.of(STEP).usage.input_tokens > 0);
    expect(ledger.of(STEP).usage).toMatchObject({ input_tokens: 3, output_tokens: 4 });
  });

  test('serves tasks in turns at a rate limit, so that one with many requests keeps no other out', async () => {
    const served: string[] = [];
    let release = (): void => undefined;
    const url = await gatewayTo((incoming, response) => {
      const asked = new URL(incoming.url ?? '', 'http://upstream').searchParams.get('as') ?? '';
      served.push(asked);
      // No good answers: each would let one more in at once.
      const answer = (): void => void response.writeHead(404).end();
      if (served.length === 1) response.writeHead(429, { 'retry-after': '0' }).end();
      else if (served.length === 2) release = answer;
      else answer();
    });
    const waiting: Promise<Response>[] = [];
    /** Has a task ask, each time once the gateway has the request before. */
    const asks = async (task: string, ...names: readonly string[]): Promise<void> => {
      const token = stepToken(home, `demo..r1..${task}..1..turn-1`);
      for (const name of names) {
        waiting.push(ask(`${url}/v1/models?as=${name}`, { authorization: `Bearer ${token}` }));
        await until(() => logged.filter((line) => line.includes('"message":"request"')).length === waiting.length);
      }
    };
    await asks('001', 'first');
    await until(() => served.length === 2);
    await asks('002', 'a1', 'a2', 'a3', 'a4');
    await asks('003', 'b1', 'b2');
    // What the gateway has is in the queue when it has answered this.
    await ask(`${url}/signalbox/status`);
    expect(served).toEqual(['first', 'first']);
    release();
    await Promise.all(waiting);
    expect(served.slice(2)).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'a4']);
  });

  test('aborts the upstream request when the sandbox leaves', async () => {
    const closed = new Promise<void>((resolve) => {
      void gatewayTo((_incoming, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: {}\n\n');
        response.on('close', resolve);
      }).then(async (url) => {
        const leaving = new AbortController();
        await ask(`${url}/v1/responses`, {}, { signal: leaving.signal });
        leaving.abort();
      });
    });
    await closed;
  });

  test('holds a fast upstream back when the sandbox reads slowly', async () => {
    const size = 64 * 1024 * 1024;
    let sent = 0;
    const url = await gatewayTo((_incoming, response) => {
      const piece = Buffer.alloc(1024 * 1024);
      const send = (): void => {
        while (sent < size) {
          sent += piece.length;
          if (!response.write(piece)) return void response.once('drain', send);
        }
        response.end();
      };
      send();
    });
    const asked = httpRequest(`${url}/v1/files`, { headers: { authorization: `Bearer ${stepToken(home, STEP)}` } });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    // Nothing is read yet: once the buffers of three connections are full, the upstream must stand still.
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sent).toBeLessThan(size / 2);
    let received = 0;
    for await (const chunk of response) received += (chunk as Buffer).length;
    expect(received).toBe(size);
  });

  test('sends a large body on as it is', async () => {
    const body = randomBytes(3 * 1024 * 1024);
    const url = await gatewayTo((incoming, response) => void incoming.pipe(response));
    const response = await ask(`${url}/v1/echo`, {}, { method: 'POST', body });
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  });

  test('answers 502 in the shape of OpenAI when nobody is there, also after a large body', async () => {
    const gateway = await bench.gatewayFor('http://127.0.0.1:1');
    const response = await ask(`${gateway}/v1/responses`, {}, { method: 'POST', body: Buffer.alloc(1024 * 1024) });
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { type: 'server_error', code: 'upstream_unreachable' } });
  });

  test('breaks off when the upstream does, so that the agent repeats its request', async () => {
    const url = await gatewayTo((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"type":"response.created"}\n\n', () => response.destroy());
    });
    const response = await ask(`${url}/v1/responses`);
    await expect(response.text()).rejects.toThrow();
  });

  test('shows its own pages to Signalbox only', async () => {
    const url = await gatewayTo((_incoming, response) => response.end());
    expect((await ask(`${url}/signalbox/status`)).status).toBe(401);
    const owner = await ask(`${url}/signalbox/status`, { authorization: `Bearer ${ownerToken(gatewaySecret(home))}` });
    expect(await owner.json()).toEqual({ pid: 1 });
  });
});

describe('step tokens', () => {
  test('name their step, and cannot be made for another one', () => {
    const token = stepToken(home, STEP);
    expect(stepOfToken(gatewaySecret(home), token)).toBe(STEP);
    const [prefix, , signature] = token.split('.');
    const forged = [prefix, Buffer.from('demo..r1..002..1..turn-1').toString('base64url'), signature].join('.');
    expect(stepOfToken(gatewaySecret(home), forged)).toBeNull();
    expect(stepOfToken(randomBytes(32), token)).toBeNull();
    expect(stepOfToken(gatewaySecret(home), ownerToken(gatewaySecret(home)))).toBeNull();
  });

  test('are good for one use: what commands get to reach hosts asks no model', async () => {
    const token = stepToken(home, STEP, 'egress');
    expect([stepOfToken(gatewaySecret(home), token), stepOfToken(gatewaySecret(home), token, 'egress')]).toEqual([
      null,
      STEP,
    ]);
    const url = await gatewayTo((_incoming, response) => response.end('leaked'));
    expect((await ask(`${url}/v1/models`, { authorization: `Bearer ${token}` })).status).toBe(401);
  });
});
