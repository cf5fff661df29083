import { rmSync } from 'node:fs';
import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Client, WorkflowNotFoundError } from '@temporalio/client';
import { type Home } from '../../../activities/home.ts';
import { createEmbeddedServer, type EmbeddedServer } from '../../../workers/server/embedded-server.ts';
import { KnownServer, OtherServerError } from '../../../workers/server/known-server.ts';
import { sharedQueueOf } from '../../../workers/server/namespace.ts';
import { freePort } from '../../../workers/server/ports.ts';
import { connectTemporal } from '../../../workers/server/reach.ts';
import type { TemporalTarget } from '../../../workers/server/target.ts';
import { untilServerLost } from '../../../workers/until-server-lost.ts';
import { createTestHome } from '../../support/temporal-server.ts';
import { until } from '../../support/until.ts';

const WAIT = { awayMs: null, addressNow: () => null, signal: new AbortController().signal };

let homes: Home[];
let ports: { port: number; uiPort: number };
let known: KnownServer;
let client: Client;

beforeEach(async () => {
  homes = [createTestHome(), createTestHome()];
  ports = { port: await freePort(), uiPort: await freePort() };
  await serverOf(0).start(ports);
  known = await KnownServer.at(targetOf('default'));
  client = new Client({ connection: await known.connect() });
});

afterEach(async () => {
  await client.connection.close();
  await known.close();
  for (const [index, { root }] of homes.entries()) {
    await serverOf(index).stop();
    rmSync(root, { recursive: true, force: true });
  }
});

function serverOf(index: number): EmbeddedServer {
  return createEmbeddedServer({ home: homes[index]!, env: process.env, onProgress: () => undefined });
}

function targetOf(namespace: string): TemporalTarget {
  const address = `127.0.0.1:${ports.port}`;
  return { kind: 'configured', address, namespace, connection: { address }, webUi: null };
}

/** Ends the first home's server, and starts the second's in its place. */
async function replace(): Promise<void> {
  await serverOf(0).stop();
  await serverOf(1).start(ports);
}

/** Does something with a client that takes whatever server there is. */
async function withAnyClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await connectTemporal(targetOf('default').connection);
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

test('another server in the place of the known one has other queues, and is not reached by calls', async () => {
  await replace();
  await withAnyClient(async (any) => {
    await any.workflow.start('nothing', { workflowId: 'ours', taskQueue: 'nobody' });
    await until(() => known.confirm().catch((error: unknown) => error instanceof OtherServerError));
    const handle = client.workflow.getHandle('ours');
    for (const call of [handle.terminate(), handle.describe(), client.workflow.count()]) {
      const refusal: unknown = await call.catch((error: unknown) => error);
      expect(inspect(refusal)).toContain('FAILED_PRECONDITION: another Temporal server answers');
    }
    expect((await any.workflow.getHandle('ours').describe()).status.name).toBe('RUNNING');
    expect(await sharedQueueOf(any)).not.toBe(known.queue);
  });
  await expect(untilServerLost(known, WAIT)).resolves.toMatchObject({ code: 'environment' });
});

test('a call that is tried again while servers change does not reach the other one', async () => {
  await serverOf(0).stop();
  const call = client.workflow.start('nothing', { workflowId: 'late', taskQueue: 'nobody' });
  const refusal = call.catch((error: unknown) => error);
  await replace();
  expect(inspect(await refusal)).toContain('FAILED_PRECONDITION: another Temporal server answers');
  await withAnyClient(async (any) => {
    await expect(any.workflow.getHandle('late').describe()).rejects.toThrow(WorkflowNotFoundError);
  });
});

test('the same server is served after a restart', async () => {
  await client.workflow.start('nothing', { workflowId: 'ours', taskQueue: 'nobody' });
  await serverOf(0).stop();
  await serverOf(0).start(ports);
  await until(() =>
    known.confirm().then(
      () => true,
      () => false,
    ),
  );
  expect((await client.workflow.getHandle('ours').describe()).status.name).toBe('RUNNING');
});

test('a server that has moved, or is away for too long, is lost, and one that is away for less is waited for', async () => {
  await serverOf(0).stop();
  const moved = await untilServerLost(known, { ...WAIT, addressNow: () => '127.0.0.1:1' });
  expect(moved?.message).toMatch(/is at 127\.0\.0\.1:1 now, so this worker ends/);
  const away = await untilServerLost(known, { ...WAIT, awayMs: 10 });
  expect(away?.message).toMatch(/has not answered for 10ms/);
  const leaving = new AbortController();
  const waiting = untilServerLost(known, { ...WAIT, awayMs: 3_600_000, signal: leaving.signal });
  await serverOf(0).start(ports);
  await until(() =>
    known.confirm().then(
      () => true,
      () => false,
    ),
  );
  leaving.abort();
  expect(await waiting).toBeNull();
});

test('a namespace that the server does not have is told at once', async () => {
  await expect(KnownServer.at(targetOf('nobodys'))).rejects.toThrow(/has no namespace nobodys/);
});
