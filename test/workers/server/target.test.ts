import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { testTemporal } from '../../support/temporal-server.ts';
import { type EmbeddedServer } from '../../../workers/server/embedded-server.ts';
import { freePort } from '../../../workers/server/ports.ts';
import { connectTemporal } from '../../../workers/server/reach.ts';
import { resolveTemporalTarget } from '../../../workers/server/target.ts';

let directory: string;
const stopped = {
  running: false,
  address: null,
  webUi: null,
  pid: null,
  version: null,
  tuned: false,
  dataFile: '',
  logFile: '',
};
const running = { ...stopped, running: true, address: '127.0.0.1:7000', webUi: 'http://127.0.0.1:8000', tuned: true };

beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), 'signalbox-target-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function server(now: typeof stopped | typeof running): EmbeddedServer {
  return {
    status: () => now,
    start: () => Promise.resolve({ ...running, started: true }),
    stop: () => Promise.resolve({ ...stopped, stopped: true }),
  };
}

function env(more: Record<string, string> = {}): Record<string, string> {
  return { HOME: directory, TEMPORAL_CONFIG_FILE: path.join(directory, 'temporal.toml'), ...more };
}

describe('resolveTemporalTarget', () => {
  test('without any configuration it is the embedded server, started if that is wanted', async () => {
    const target = await resolveTemporalTarget(env(), server(stopped), { start: true });
    expect(target).toEqual({
      kind: 'embedded',
      address: '127.0.0.1:7000',
      namespace: 'default',
      connection: { address: '127.0.0.1:7000' },
      webUi: 'http://127.0.0.1:8000',
    });
  });

  test('an embedded server that does not run and is not to be started is an error of the environment', async () => {
    await expect(resolveTemporalTarget(env(), server(stopped), { start: false })).rejects.toMatchObject({
      code: 'environment',
    });
  });

  test('an address in the environment wins, with its namespace and key', async () => {
    const configured = env({ TEMPORAL_ADDRESS: 'a.tmprl.cloud:7233', TEMPORAL_NAMESPACE: 'a', TEMPORAL_API_KEY: 'k' });
    expect(await resolveTemporalTarget(configured, server(running), { start: true })).toMatchObject({
      kind: 'configured',
      address: 'a.tmprl.cloud:7233',
      namespace: 'a',
      connection: { address: 'a.tmprl.cloud:7233', apiKey: 'k', tls: true },
      webUi: 'https://cloud.temporal.io',
    });
  });

  test('a profile of Temporal’s own configuration file is used, and TEMPORAL_PROFILE chooses it', async () => {
    writeFileSync(
      path.join(directory, 'temporal.toml'),
      '[profile.default]\naddress = "one:1"\n[profile.two]\naddress = "two:2"\nnamespace = "n"\n',
    );
    const one = await resolveTemporalTarget(env(), server(running), { start: false });
    expect(one).toMatchObject({ kind: 'configured', address: 'one:1', namespace: 'default', webUi: null });
    const two = await resolveTemporalTarget(env({ TEMPORAL_PROFILE: 'two' }), server(running), { start: false });
    expect(two).toMatchObject({ address: 'two:2', namespace: 'n' });
  });

  test('a configured address that is the embedded server’s has its Web UI', async () => {
    const configured = env({ TEMPORAL_ADDRESS: 'localhost:7000' });
    const target = await resolveTemporalTarget(configured, server(running), { start: false });
    expect(target).toMatchObject({ kind: 'configured', webUi: 'http://127.0.0.1:8000' });
  });

  test.each([
    ['a namespace without an address', { TEMPORAL_NAMESPACE: 'mine' }, ''],
    ['a file that is no TOML', {}, 'nonsense ['],
    ['a profile that does not exist', { TEMPORAL_PROFILE: 'nowhere' }, '[profile.default]\naddress = "one:1"\n'],
  ])('%s is an error of the configuration', async (_name, variables, file) => {
    writeFileSync(path.join(directory, 'temporal.toml'), file);
    await expect(resolveTemporalTarget(env(variables), server(running), { start: false })).rejects.toMatchObject({
      code: 'config',
    });
  });
});

describe('connectTemporal', () => {
  test('a server that answers is connected to', async () => {
    const { address } = await testTemporal();
    const connection = await connectTemporal({ address });
    const info = await connection.workflowService.getSystemInfo({});
    await connection.close();
    expect(info.serverVersion).toMatch(/^1\./);
  });

  test('an address where nobody listens is an error of the environment that names it', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    await expect(connectTemporal({ address }, 2000)).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringContaining(`ECONNREFUSED ${address}`) as unknown,
    });
  });
});
