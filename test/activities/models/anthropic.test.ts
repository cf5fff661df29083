import type { IncomingMessage } from 'node:http';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { stepToken } from '../../../activities/models/gateway-secret.ts';
import { endpointsOf } from '../../../activities/models/upstream.ts';
import { createGatewayBench, STEP, type GatewayBench } from '../../support/gateway-bench.ts';
import { until } from '../../support/until.ts';

let bench: GatewayBench;
beforeEach(() => void (bench = createGatewayBench()));
afterEach(() => bench.close());

/** Asks as Anthropic's clients do. */
async function ask(url: string): Promise<Response> {
  const headers = { 'x-api-key': stepToken(bench.home, STEP), 'anthropic-version': '2023-06-01' };
  return await fetch(`${url}/anthropic/v1/messages`, { method: 'POST', body: '{}', headers });
}

const event = (name: string, data: object): string =>
  `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;
const START = {
  message: {
    model: 'claude-m',
    usage: { input_tokens: 10, cache_creation_input_tokens: 5, cache_read_input_tokens: 85, output_tokens: 1 },
  },
};

describe('Anthropic’s API', () => {
  test('gets its key and version, and nothing of the step’s token', async () => {
    const seen: IncomingMessage[] = [];
    const url = await bench.gatewayTo((incoming, response) => {
      seen.push(incoming);
      response.end('{}');
    });
    await ask(url);
    expect(seen[0]?.url).toBe('/anthropic/v1/messages');
    expect(seen[0]?.headers).toMatchObject({ 'x-api-key': 'sk-ant-canary', 'anthropic-version': '2023-06-01' });
    expect(seen[0]?.headers).not.toHaveProperty('authorization');
  });

  test('is counted from its stream: what the beginning and the end tell, each token once', async () => {
    const url = await bench.gatewayTo((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(event('message_start', START));
      response.write(
        event('content_block_delta', { delta: { type: 'text_delta', text: '"usage": {"output_tokens": 9}' } }),
      );
      response.write(event('message_delta', { delta: {}, usage: { output_tokens: 20 } }));
      response.end(event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 50 } }));
    });
    await (await ask(url)).text();
    const usage = { input_tokens: 100, cached_input_tokens: 85, output_tokens: 50, cost_usd: 0 };
    expect(bench.ledger.of(STEP)).toEqual({ requests: 1, usage, models: { 'claude-m': usage } });
  });

  test('has its input counted also when the stream is cut', async () => {
    const url = await bench.gatewayTo((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(event('message_start', START), () => response.destroy());
    });
    await expect(ask(url).then((response) => response.text())).rejects.toThrow();
    expect(bench.ledger.of(STEP).usage).toMatchObject({ input_tokens: 100, output_tokens: 1 });
  });

  test('is counted from one document', async () => {
    const url = await bench.gatewayTo((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ model: 'claude-m', usage: { input_tokens: 3, cache_read_input_tokens: 2, output_tokens: 4 } }),
      );
    });
    await (await ask(url)).text();
    await until(() => bench.ledger.of(STEP).usage.output_tokens > 0);
    expect(bench.ledger.of(STEP).usage).toMatchObject({ input_tokens: 5, cached_input_tokens: 2, output_tokens: 4 });
  });

  test('refuses a wrong token in its own words', async () => {
    const url = await bench.gatewayTo((_incoming, response) => response.end('leaked'));
    const response = await fetch(`${url}/anthropic/v1/messages`, { method: 'POST', headers: { 'x-api-key': 'guess' } });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'authentication_error' } });
  });
});

describe('the upstreams of an environment', () => {
  test('are those that it names, with the vendors’ own for the rest', () => {
    expect(endpointsOf({ ANTHROPIC_API_KEY: 'a', ANTHROPIC_BASE_URL: 'https://proxy.example.org/' })).toEqual({
      openai: { url: 'https://api.openai.com/v1', apiKey: null },
      anthropic: { url: 'https://proxy.example.org/v1', apiKey: 'a' },
    });
    expect(endpointsOf({ OPENAI_API_KEY: 'o', OPENAI_BASE_URL: 'https://o.example.org/api/v1' })).toEqual({
      openai: { url: 'https://o.example.org/api/v1', apiKey: 'o' },
      anthropic: { url: 'https://api.anthropic.com/v1', apiKey: null },
    });
    expect(endpointsOf({ PATH: '/bin' })).toBeNull();
  });
});
