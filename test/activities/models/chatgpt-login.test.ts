import { createServer } from 'node:http';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { ChatGptLogin } from '../../../activities/models/chatgpt-login.ts';
import { keyedUpstream } from '../../../activities/models/upstream.ts';
import { createGatewayBench, type GatewayBench } from '../../support/gateway-bench.ts';

let bench: GatewayBench;
let file: string;
/** Refresh tokens that were used. A second time they are worth nothing. */
let used: string[];
beforeEach(() => {
  bench = createGatewayBench();
  file = path.join(bench.home.root, 'login', 'auth.json');
  used = [];
});
afterEach(() => bench.close());

/** An access token that ends in so many seconds. */
function token(name: string, seconds: number): string {
  const claims = { exp: Math.round(Date.now() / 1000) + seconds, name };
  return ['e30', Buffer.from(JSON.stringify(claims)).toString('base64url'), 'sig'].join('.');
}

function logIn(access_token: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  const tokens = { id_token: 'i', access_token, refresh_token: 'refresh-1', account_id: 'acc-1' };
  writeFileSync(file, JSON.stringify({ auth_mode: 'chatgpt', OPENAI_API_KEY: null, tokens }), { mode: 0o600 });
}

/** ChatGPT, which takes one access token, and its log-in, which gives it for a refresh token that was not used before. */
async function chatGpt(accepted: string, status = 200): Promise<ChatGptLogin> {
  const url = await bench.listen(
    createServer((incoming, response) => {
      const { authorization, 'chatgpt-account-id': account } = incoming.headers;
      if (authorization !== `Bearer ${accepted}`) response.statusCode = 401;
      response.end(JSON.stringify({ path: incoming.url, account }));
    }),
  );
  const tokenUrl = await bench.listen(
    createServer((incoming, response) => {
      let text = '';
      incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
      incoming.on('end', () => {
        const { refresh_token } = JSON.parse(text) as { refresh_token: string };
        response.statusCode = used.includes(refresh_token) ? 400 : status;
        used.push(refresh_token);
        response.end(JSON.stringify({ access_token: accepted, refresh_token: 'refresh-2', expires_in: 1 }));
      });
    }),
  );
  const otherwise = keyedUpstream('openai', { url: `${url}/v1`, apiKey: null });
  return new ChatGptLogin({ file, otherwise, url: `${url}/backend-api/codex`, tokenUrl });
}

describe('a login at ChatGPT', () => {
  test('is used in place of a key, with its account', async () => {
    logIn(token('good', 3600));
    const login = await chatGpt(token('good', 3600));
    const response = await bench.ask(`${await bench.gatewayFor(login)}/v1/responses`);
    expect([response.status, await response.json()]).toEqual([
      200,
      { path: '/backend-api/codex/responses', account: 'acc-1' },
    ]);
    expect(used).toEqual([]);
  });

  test('is refreshed before it ends, once, however many ask, and written back as a private file', async () => {
    const fresh = token('fresh', 3600);
    logIn(token('old', 60));
    const url = await bench.gatewayFor(await chatGpt(fresh));
    const all = await Promise.all(Array.from({ length: 8 }, () => bench.ask(`${url}/v1/responses`)));
    expect(all.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(used).toEqual(['refresh-1']);
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      auth_mode: 'chatgpt',
      OPENAI_API_KEY: null,
      tokens: { id_token: 'i', access_token: fresh, refresh_token: 'refresh-2', account_id: 'acc-1' },
      last_refresh: expect.any(String),
    });
    expect(readdirSync(path.dirname(file)).sort()).toEqual(['auth.json', 'auth.json.lock']);
    expect(bench.logged.join('')).not.toContain(fresh);
  });

  test('is refreshed when it is refused, and the request made again', async () => {
    logIn(token('revoked', 3600));
    const url = await bench.gatewayFor(await chatGpt(token('fresh', 3600)));
    expect((await bench.ask(`${url}/v1/responses`, {}, { method: 'POST', body: 'x' })).status).toBe(200);
    expect(used).toEqual(['refresh-1']);
  });

  test('that cannot be refreshed any more is told as such, without a token in the words', async () => {
    logIn(token('old', -60));
    const url = await bench.gatewayFor(await chatGpt(token('fresh', 3600), 401));
    const response = await bench.ask(`${url}/v1/responses`);
    expect([response.status, await response.json()]).toMatchObject([
      401,
      { error: { code: 'invalid_login', message: 'the ChatGPT login cannot be used: it was refused with status 401' } },
    ]);
  });

  test('serves on when it cannot be refreshed yet, but has not ended', async () => {
    const near = token('near', 120);
    logIn(near);
    const url = await bench.gatewayFor(await chatGpt(near, 500));
    expect((await bench.ask(`${url}/v1/responses`)).status).toBe(200);
  });

  test('that is not there leaves the upstream as it was', async () => {
    const url = await bench.gatewayFor(await chatGpt('none'));
    const response = await bench.ask(`${url}/v1/models`);
    expect([response.status, await response.json()]).toEqual([401, { path: '/v1/models' }]);
  });
});
