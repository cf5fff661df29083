import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { grantBudget } from '../../../activities/models/budget.ts';
import { refusalOf } from '../../../activities/models/gateway-ledger.ts';
import { createGatewayBench, STEP, type GatewayBench } from '../../support/gateway-bench.ts';

let bench: GatewayBench;
let bodies: string[];
beforeEach(() => {
  bench = createGatewayBench();
  bodies = [];
});
afterEach(() => bench.close());

type Reply = (response: ServerResponse) => void;

/** A gateway before an upstream that gives these replies in turn, and keeps the bodies that it was sent. */
async function upstreamThat(...replies: readonly Reply[]): Promise<string> {
  return await bench.gatewayTo((incoming: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const reply = replies[Math.min(bodies.length, replies.length - 1)];
      bodies.push(Buffer.concat(chunks).toString());
      reply?.(response);
    });
  });
}

function refuse(status: number, code: string, headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ error: { message: `no: ${code}`, code } }));
  };
}

const good: Reply = (response) => void response.end('{"usage":{"input_tokens":3,"output_tokens":4}}');
const post = (url: string): Promise<Response> => bench.ask(`${url}/v1/responses`, {}, { method: 'POST', body: 'hi' });

describe('the gateway asks again', () => {
  test.each([
    ['too many requests', 429, 'rate_limit_exceeded'],
    ['unavailable', 503, 'server_error'],
    ['overloaded', 529, 'overloaded_error'],
  ])('after %s, with the same body, and the sandbox sees the good answer only', async (_what, status, code) => {
    const url = await upstreamThat(refuse(status, code, { 'retry-after': '0' }), good);
    const response = await post(url);
    expect([response.status, await response.text()]).toEqual([200, '{"usage":{"input_tokens":3,"output_tokens":4}}']);
    expect(bodies).toEqual(['hi', 'hi']);
    expect(bench.ledger.of(STEP)).toMatchObject({ requests: 1, usage: { input_tokens: 3 } });
  });

  test('at most twice, and then passes the refusal on as it is', async () => {
    const url = await upstreamThat(refuse(429, 'rate_limit_exceeded', { 'retry-after': '0', 'x-request-id': 'r' }));
    const response = await post(url);
    expect([response.status, response.headers.get('x-request-id')]).toEqual([429, 'r']);
    expect(await response.json()).toMatchObject({ error: { message: 'no: rate_limit_exceeded' } });
    expect(bodies).toHaveLength(3);
  });

  test('where no connection could be made', async () => {
    const late = createServer((_incoming, response) => response.end('late'));
    const address = await bench.listen(late);
    await new Promise((resolve) => late.close(resolve));
    let asked = 0;
    const url = await bench.gatewayFor({
      address: async () => {
        asked += 1;
        if (asked === 2) await once(late.listen(Number(new URL(address).port), '127.0.0.1'), 'listening');
        return { url: `${address}/v1`, headers: {} };
      },
    });
    expect(await (await post(url)).text()).toBe('late');
    expect(asked).toBe(2);
  });
});

describe('the gateway does not ask again', () => {
  test.each([
    ['an empty account', 429, 'insufficient_quota'],
    ['an error of the server, which may have done the work', 500, 'server_error'],
    ['a request that is wrong', 400, 'invalid_request_error'],
    ['a wrong key', 401, 'invalid_api_key'],
  ])('after %s', async (_what, status, code) => {
    const url = await upstreamThat(refuse(status, code), good);
    const response = await post(url);
    expect([response.status, bodies.length]).toEqual([status, 1]);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  test('once a byte of the answer is with the sandbox', async () => {
    const url = await upstreamThat((response) => response.write('data: {}\n\n', () => response.destroy()), good);
    await expect(post(url).then((response) => response.text())).rejects.toThrow();
    expect(bodies).toHaveLength(1);
  });
});

describe('a budget that is spent', () => {
  const sentence = 'the task used 7 tokens; limits.tokens_per_task is 5 tokens';

  function grant(): void {
    const none = { costPerRun: null, allowance: 1, spentTokens: 0, model: null, prices: {} };
    grantBudget(bench.home, STEP, { ...none, tokensPerTask: 5 });
  }

  test('is told as an error that clients show and do not repeat, and the upstream is not asked', async () => {
    grant();
    const url = await upstreamThat(good);
    expect((await post(url)).status).toBe(200);
    expect(refusalOf(bench.home, STEP)).toBeNull();
    const response = await post(url);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      type: 'error',
      error: { message: sentence, type: 'invalid_request_error', param: null, code: 'budget_spent' },
    });
    expect([bodies.length, refusalOf(bench.home, STEP)]).toEqual([1, sentence]);
  });

  test('refuses what waited for its turn meanwhile', async () => {
    grant();
    const url = await upstreamThat(refuse(429, 'rate_limit_exceeded', { 'retry-after': '1' }), good);
    const both = await Promise.all([post(url), post(url)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 400]);
  });
});
