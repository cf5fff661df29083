import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { homeOf, type Home } from '../../activities/home.ts';
import { askStepUse } from '../../activities/models/gateway-client.ts';
import { stepToken } from '../../activities/models/gateway-secret.ts';
import { processStartTime } from '../../activities/process-identity.ts';
import { ensureGateway, gatewayStatus, stopGateway } from '../../workers/gateway-process.ts';
import { finish } from '../support/model-scripts.ts';
import {
  startScriptedModelServer,
  type ModelScript,
  type ScriptedModelServer,
} from '../support/scripted-model-server.ts';

const KEY = 'sk-canary-0815';
const STEP = 'p..r..1..1..turn-1';
let root: string;
let home: Home;
let models: ScriptedModelServer[];

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'signalbox-gateway-'));
  home = homeOf({ SIGNALBOX_HOME: path.join(root, 'home') });
  models = [];
});

afterEach(async () => {
  await stopGateway(home);
  for (const model of models) await model.close();
  rmSync(root, { recursive: true, force: true });
});

async function startModel(script: ModelScript = () => finish('hello')): Promise<ScriptedModelServer> {
  const model = await startScriptedModelServer(script);
  models.push(model);
  return model;
}

function environment(model: ScriptedModelServer, key = KEY): Record<string, string | undefined> {
  return { PATH: process.env['PATH'], OPENAI_BASE_URL: `${model.url}/v1`, OPENAI_API_KEY: key };
}

function post(url: string, signal?: AbortSignal): Promise<Response> {
  const headers = {
    authorization: `Bearer ${stepToken(home, STEP)}`,
    'content-type': 'application/json',
  };
  const body = JSON.stringify({ model: 'm', stream: true, input: 'hi' });
  return fetch(`${url}/v1/responses`, { method: 'POST', headers, body, ...(signal === undefined ? {} : { signal }) });
}

async function gone(pid: number): Promise<void> {
  while (processStartTime(pid) !== null) await sleep(20);
}

describe('the gateway process', () => {
  test('starts once, however many ask for it at the same time', async () => {
    const env = environment(await startModel());
    const all = await Promise.all([1, 2, 3, 4].map(() => ensureGateway({ home, env })));
    expect(new Set(all.map(({ pid }) => pid)).size).toBe(1);
    expect(await gatewayStatus(home)).toEqual(all[0]);
    expect(await (await post(all[0]!.url)).text()).toContain('hello');
  });

  test('is replaced at the same addresses when the key changes, and leaves its stream to end', async () => {
    let release = (): void => undefined;
    const until = new Promise<void>((resolve) => (release = resolve));
    const model = await startModel((request) => ({
      ...finish('late'),
      ...(request.number === 1 ? { hold: until } : {}),
    }));
    const before = await ensureGateway({ home, env: environment(model) });
    const stream = await post(before.url);
    const after = await ensureGateway({ home, env: environment(model, 'sk-another') });
    expect(after).toEqual({ ...before, pid: after.pid });
    expect(after.pid).not.toBe(before.pid);
    await (await post(after.url)).text();
    release();
    expect(await stream.text()).toContain('late');
    expect(model.requests.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${KEY}`, 'Bearer sk-another']);
    await gone(before.pid);
  });

  test('is left alone by an environment that names neither key nor upstream', async () => {
    const running = await ensureGateway({ home, env: environment(await startModel()) });
    expect(await ensureGateway({ home, env: { PATH: process.env['PATH'] } })).toEqual(running);
  });

  test('comes back at the same addresses after it was killed', async () => {
    const env = environment(await startModel());
    const before = await ensureGateway({ home, env });
    process.kill(before.pid, 'SIGKILL');
    await gone(before.pid);
    expect(await gatewayStatus(home)).toBeNull();
    const after = await ensureGateway({ home, env });
    expect(after).toEqual({ ...before, pid: after.pid });
    expect((await post(after.url)).status).toBe(200);
  });

  test('has lost no count when it was killed, and counts nothing twice', async () => {
    const env = environment(await startModel());
    const before = await ensureGateway({ home, env });
    await (await post(before.url)).text();
    const seen = await askStepUse(home, before.socket, STEP);
    expect(seen).toMatchObject({ requests: 1, usage: { input_tokens: 100, output_tokens: 7 } });
    process.kill(before.pid, 'SIGKILL');
    await gone(before.pid);
    const after = await ensureGateway({ home, env });
    expect(await askStepUse(home, after.socket, STEP)).toEqual(seen);
    await (await post(after.url)).text();
    const usage = { input_tokens: 200, cached_input_tokens: 80, output_tokens: 14, cost_usd: 0 };
    expect(await askStepUse(home, after.socket, STEP)).toEqual({ requests: 2, usage, models: { m: usage } });
  });

  test('knows of what its predecessor still carries to its end', async () => {
    let release = (): void => undefined;
    const until = new Promise<void>((resolve) => (release = resolve));
    const model = await startModel(() => ({ ...finish('late'), hold: until }));
    const before = await ensureGateway({ home, env: environment(model) });
    const stream = await post(before.url);
    const after = await ensureGateway({ home, env: environment(model, 'sk-another') });
    release();
    await stream.text();
    expect(await askStepUse(home, after.socket, STEP)).toMatchObject({ usage: { input_tokens: 100 } });
  });

  test('ends by itself when its home is removed', async () => {
    const { pid } = await ensureGateway({ home, env: environment(await startModel()) });
    rmSync(home.root, { recursive: true });
    await gone(pid);
  });

  test('keeps its files private and the key out of them', async () => {
    const running = await ensureGateway({ home, env: environment(await startModel()) });
    await (await post(running.url)).text();
    const files = readdirSync(home.gateway, { recursive: true, withFileTypes: true });
    for (const file of files) expect(statSync(path.join(file.parentPath, file.name)).mode & 0o077).toBe(0);
    const read = files
      .filter((file) => file.isFile())
      .map((file) => readFileSync(path.join(file.parentPath, file.name), 'latin1'));
    expect(read.length).toBeGreaterThan(2);
    for (const text of read) expect(text).not.toContain(KEY);
    expect(read.join('')).toContain('"step":"p..r..1..1..turn-1"');
  });

  test('finds a short place for its socket when the home has a long path', async () => {
    home = homeOf({ SIGNALBOX_HOME: path.join(root, 'x'.repeat(90)) });
    const running = await ensureGateway({ home, env: environment(await startModel()) });
    expect(running.socket.length).toBeLessThan(104);
    const socketDirectory = path.dirname(running.socket);
    expect(readdirSync(socketDirectory)).toEqual(['gateway.sock']);
    expect(statSync(socketDirectory).mode & 0o777).toBe(0o700);
    await stopGateway(home);
    rmSync(socketDirectory, { recursive: true });
  });

  test('says what is wrong with a base URL that is none', async () => {
    await expect(ensureGateway({ home, env: { OPENAI_BASE_URL: 'not a url' } })).rejects.toMatchObject({
      code: 'config',
    });
    expect(execFileSync('sh', ['-c', `ls -A '${root}'`], { encoding: 'utf8' })).toBe('');
  });
});
