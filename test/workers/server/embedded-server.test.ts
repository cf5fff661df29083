import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';

import { type Home, makePrivateDirectory } from '../../../activities/home.ts';
import { processStartTime } from '../../../activities/process-identity.ts';
import { SEARCH_ATTRIBUTES } from '../../../core/search-attributes.ts';
import { createEmbeddedServer, type EmbeddedServer, isTuned } from '../../../workers/server/embedded-server.ts';
import { registerSearchAttributes } from '../../../workers/server/namespace.ts';
import { freePort } from '../../../workers/server/ports.ts';
import { connectTemporal } from '../../../workers/server/reach.ts';
import { type ServerState, writeServerState } from '../../../workers/server/server-state.ts';
import { createTestHome, giveFreePorts } from '../../support/temporal-server.ts';

let home: Home;
let progress: string[];

beforeEach(() => {
  home = createTestHome();
  progress = [];
});

afterEach(async () => {
  await embedded().stop();
  rmSync(home.root, { recursive: true, force: true });
});

function embedded(): EmbeddedServer {
  return createEmbeddedServer({ home, env: process.env, onProgress: (text) => void progress.push(text) });
}

async function withClient<T>(address: string, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await connectTemporal({ address });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

function addressOf(status: { address: string | null }): string {
  expect(status.address).not.toBeNull();
  return status.address!;
}

async function startNothing(address: string, workflowId: string): Promise<void> {
  await withClient(address, (client) => client.workflow.start('nothing', { workflowId, taskQueue: 'nobody' }));
}

async function describeNothing(address: string, workflowId: string): Promise<string> {
  const { status } = await withClient(address, (client) => client.workflow.getHandle(workflowId).describe());
  return status.name;
}

describe('the embedded server', () => {
  test('a server that never ran is described as such, and nothing is written', () => {
    expect(embedded().status()).toMatchObject({ running: false, address: null, webUi: null, pid: null, tuned: false });
    expect(() => readFileSync(path.join(home.server, 'server.json'))).toThrow(/ENOENT/);
  });

  test('of two homes that start at the same moment each has a server of its own', async () => {
    const others = [createTestHome(), createTestHome(), createTestHome()];
    const servers = others.map((other) =>
      createEmbeddedServer({ home: other, env: process.env, onProgress: () => undefined }),
    );
    try {
      const all = await Promise.all(servers.map((server) => server.start()));
      expect(all.map(({ running, started }) => [running, started])).toEqual(all.map(() => [true, true]));
      expect(new Set(all.map(({ address }) => address)).size).toBe(all.length);
      expect(new Set(all.map(({ pid }) => pid)).size).toBe(all.length);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
      for (const other of others) rmSync(other.root, { recursive: true, force: true });
    }
  });

  test('a started server is tuned, keeps workflows for 90 days, knows our search attributes and shows its Web UI', async () => {
    const status = await embedded().start({ port: await freePort(), uiPort: await freePort() });
    expect(status).toMatchObject({ running: true, started: true, tuned: true });
    const address = addressOf(status);
    expect(isTuned(embedded(), address)).toBe(true);
    expect(isTuned(embedded(), '127.0.0.1:1')).toBe(false);

    await withClient(address, async ({ connection }) => {
      const { config } = await connection.workflowService.describeNamespace({ namespace: 'default' });
      expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(90 * 24 * 3600);
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
      expect(SEARCH_ATTRIBUTES.filter((name) => customAttributes[name] === undefined)).toEqual([]);
    });
    await expectIdempotentRegistration(address);

    const page = await fetch(status.webUi!);
    expect(await page.text()).toContain('<html');

    const again = await embedded().start();
    expect(again).toMatchObject({ started: false, pid: status.pid, address });
    await expect(embedded().start({ port: await freePort() })).rejects.toMatchObject({ code: 'environment' });
  });

  test('of two starts at once one starts it and both get the same server', async () => {
    await giveFreePorts(home);
    const results = await Promise.all([embedded().start(), embedded().start()]);
    expect(new Set(results.map(({ pid }) => pid)).size).toBe(1);
    expect(results.map(({ started }) => started).sort()).toEqual([false, true]);
  });

  test('a killed server comes back with its ports and its workflows', async () => {
    const first = await embedded().start({ port: await freePort(), uiPort: await freePort() });
    await startNothing(addressOf(first), 'signalbox/kept/run/1');
    process.kill(first.pid!, 'SIGKILL');
    await gone(first.pid!);
    expect(embedded().status().running).toBe(false);

    const second = await embedded().start();
    expect(second).toMatchObject({ started: true, address: first.address, webUi: first.webUi });
    expect(await describeNothing(addressOf(second), 'signalbox/kept/run/1')).toBe('RUNNING');
  });

  test('a stopped server is gone, and stopping it again says that none ran', async () => {
    await giveFreePorts(home);
    const status = await embedded().start();
    expect(await embedded().stop()).toMatchObject({ stopped: true, running: false, address: null });
    expect(processStartTime(status.pid!)).toBeNull();
    expect(await embedded().stop()).toMatchObject({ stopped: false });
  });

  test('a recorded pid that another process has now is neither taken for the server nor killed', async () => {
    const grpcPort = await freePort();
    await writeState({ process: { pid: process.pid, started: 'another time' }, grpcPort });
    expect(embedded().status().running).toBe(false);
    expect(await embedded().stop()).toMatchObject({ stopped: false });
    const status = await embedded().start();
    expect(status).toMatchObject({ started: true, address: `127.0.0.1:${grpcPort}` });
    expect(status.pid).not.toBe(process.pid);
  });

  test('a server whose state file is lost is found by its data file, not started a second time', async () => {
    await giveFreePorts(home);
    const status = await embedded().start();
    rmSync(path.join(home.server, 'server.json'));
    const again = await embedded().start();
    expect(again).toMatchObject({ started: false, pid: status.pid, address: status.address, tuned: false });
  });

  test('a data file that no server ever answered with is made anew', async () => {
    await writeState({ served: false });
    writeFileSync(path.join(home.server, 'temporal.db'), 'half a database '.repeat(100));
    expect(await embedded().start()).toMatchObject({ started: true, running: true });
  });

  test('a server that ends at once is an error with the end of its log', async () => {
    await writeState({ served: true });
    writeFileSync(path.join(home.server, 'temporal.db'), 'no database at all '.repeat(100));
    await expect(embedded().start()).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringContaining('not a database') as unknown,
    });
    expect(embedded().status().running).toBe(false);
  });

  test('a port that was asked for and is taken is an error that names its holder', async () => {
    const { port, close } = await occupied();
    await expect(embedded().start({ port })).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringContaining(`port ${port} for the gRPC is taken`) as unknown,
    });
    if (process.platform === 'linux') {
      await expect(embedded().start({ port })).rejects.toThrow(`(pid ${process.pid})`);
    }
    await close();
    expect(embedded().status().running).toBe(false);
  });

  test('a port that it had last and that is taken now is replaced by another, and that is said', async () => {
    const { port, close } = await occupied();
    const uiPort = await freePort();
    await writeState({ grpcPort: port, uiPort });
    const status = await embedded().start();
    await close();
    expect(status.running).toBe(true);
    expect(status.address).not.toBe(`127.0.0.1:${port}`);
    expect(status.webUi).toBe(`http://127.0.0.1:${uiPort}`);
    expect(progress.join('\n')).toContain(`Port ${port} on 127.0.0.1 is taken`);
  });
});

async function expectIdempotentRegistration(address: string): Promise<void> {
  const connection = await connectTemporal({ address });
  try {
    expect(await registerSearchAttributes(connection, 'default')).toEqual({ registered: true });
    // As a server that an earlier version registered its attributes with.
    const namespace = 'default';
    await connection.operatorService.removeSearchAttributes({ namespace, searchAttributes: ['SignalboxWaiting'] });
    expect(await registerSearchAttributes(connection, namespace)).toEqual({ registered: true });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    expect(Object.keys(customAttributes)).toContain('SignalboxWaiting');
    const refused = await registerSearchAttributes(connection, 'no-such-namespace');
    expect(refused).toMatchObject({ registered: false });
  } finally {
    await connection.close();
  }
}

async function writeState(change: Partial<ServerState>): Promise<void> {
  makePrivateDirectory(home.server);
  writeServerState(path.join(home.server, 'server.json'), {
    version: 1,
    process: null,
    grpcPort: await freePort(),
    uiPort: await freePort(),
    cliVersion: '1.5.1',
    flagsDigest: 'none',
    served: false,
    ...change,
  });
}

async function gone(pid: number): Promise<void> {
  while (processStartTime(pid) !== null) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function occupied(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening');
  return { port: address.port, close: () => new Promise((resolve) => server.close(() => resolve())) };
}
