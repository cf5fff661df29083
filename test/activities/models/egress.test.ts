import { once } from 'node:events';
import { createServer as createHttpServer, request, type IncomingMessage } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { mayConnect } from '../../../activities/models/egress-addresses.ts';
import { decisionsFile, grantEgress, parseDecision } from '../../../activities/models/egress-grant.ts';
import { stepToken } from '../../../activities/models/gateway-secret.ts';
import { StepDirectory } from '../../../activities/sandbox/step-directory.ts';
import { createGatewayBench, STEP, type GatewayBench } from '../../support/gateway-bench.ts';
import { until } from '../../support/until.ts';

let bench: GatewayBench;
let canaries: Server[];
let touched: number;
beforeEach(() => {
  bench = createGatewayBench();
  canaries = [];
  touched = 0;
});
afterEach(() => {
  bench.close();
  for (const canary of canaries) canary.close();
});

/** A server on loopback that echoes, and counts who comes. @returns its port */
async function echo(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    touched += 1;
    socket.on('error', () => undefined).pipe(socket);
  });
  canaries.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** A step that may reach these hosts. */
function grant(allow: readonly string[], privateNetworks: readonly string[] = []): StepDirectory {
  const directory = new StepDirectory(bench.home.steps, STEP);
  const owner = { project: 'demo', run: 'r1', task: '001', attempt: 1 };
  const none = { stdin: '', workTree: '/', mounts: [], env: {}, timeoutMs: 1, outputLimit: 1 };
  const network = { allow, private: privateNetworks };
  directory.claim({ ...none, name: STEP, owner, execution: 'x', kind: 'agent', command: 'true', network });
  grantEgress(directory, network);
  return directory;
}

function password(token = stepToken(bench.home, STEP, 'egress')): Record<string, string> {
  return { 'proxy-authorization': `Basic ${Buffer.from(`signalbox:${token}`).toString('base64')}` };
}

/** Asks a gateway for a connection. */
async function tunnel(
  gateway: string,
  target: string,
  headers: Record<string, string> = password(),
): Promise<{ status: number | undefined; socket: Socket; answer: IncomingMessage }> {
  const asked = request(gateway, { method: 'CONNECT', path: target, headers, agent: false });
  asked.end();
  const [answer, socket] = (await once(asked, 'connect')) as [IncomingMessage, Socket];
  return { status: answer.statusCode, socket: socket.on('error', () => undefined), answer };
}

function decisions({ path: directory }: StepDirectory): unknown[] {
  const file = decisionsFile(directory);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map(parseDecision).map((made) => ({ ...made, at: undefined }));
}

const resolve = (): Promise<string[]> => Promise.resolve(['127.0.0.1']);

describe('the gateway’s proxy', () => {
  test('carries bytes both ways to an allowed host, to the end of both', async () => {
    const port = await echo();
    const directory = grant([`*.example.org:${port}`]);
    const gateway = await bench.gatewayFor('http://127.0.0.1:1', { resolve });
    const { status, socket } = await tunnel(gateway, `a.example.org:${port}`);
    expect(status).toBe(200);
    const sent = Buffer.alloc(3 * 1024 * 1024, 'x');
    socket.end(sent);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
    expect(decisions(directory)).toEqual([{ target: `a.example.org:${port}`, allowed: true }]);
  });

  test('reaches nothing that is not allowed, and writes down who was asked for', async () => {
    const port = await echo();
    const directory = grant(['example.org']);
    const gateway = await bench.gatewayFor('http://127.0.0.1:1', { resolve });
    for (const target of [`example.org:${port}`, 'www.example.org:443', `127.0.0.1:${port}`, `[::1]:${port}`])
      expect([400, 403]).toContain((await tunnel(gateway, target)).status);
    expect(touched).toBe(0);
    expect(decisions(directory)).toMatchObject([
      { target: `example.org:${port}`, allowed: false, reason: 'it is not in sandbox.allow' },
      { target: 'www.example.org:443', allowed: false },
      { target: `127.0.0.1:${port}`, allowed: false },
      { target: `[::1]:${port}`, allowed: false, reason: 'it names no host and port' },
    ]);
  });

  test.each<[string, () => Record<string, string>, number]>([
    ['no token', () => ({}), 407],
    ['a made-up token', () => password('sbx1.eA.c2ln'), 407],
    ['the token for models', () => password(stepToken(bench.home, STEP)), 407],
    [
      'the token of a step that may reach nothing',
      () => password(stepToken(bench.home, 'demo..r1..002..1..turn-1', 'egress')),
      403,
    ],
  ])('carries nothing for %s', async (_what, headers, expected) => {
    const port = await echo();
    grant([`example.org:${port}`]);
    const gateway = await bench.gatewayFor('http://127.0.0.1:1', { resolve });
    const { status } = await tunnel(gateway, `example.org:${port}`, headers());
    expect([status, touched]).toEqual([expected, 0]);
  });

  test('carries nothing for a step that is over', async () => {
    const port = await echo();
    grant([`example.org:${port}`]).recordExit({ status: 0 });
    const gateway = await bench.gatewayFor('http://127.0.0.1:1', { resolve });
    expect([(await tunnel(gateway, `example.org:${port}`)).status, touched]).toEqual([403, 0]);
  });

  test('does not reach this host by an allowed name, and tells the address to the log only', async () => {
    const port = await echo();
    const directory = grant([`example.org:${port}`], ['127.0.0.0/8']);
    const gateway = await bench.gatewayFor('http://127.0.0.1:1', { resolve, mayConnect });
    const { status, socket } = await tunnel(gateway, `example.org:${port}`);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect([status, touched]).toEqual([403, 0]);
    expect(Buffer.concat(chunks).toString()).not.toContain('127.0.0.1');
    expect(decisions(directory)).toMatchObject([{ allowed: false, reason: expect.stringContaining('127.0.0.1') }]);
  });

  test('connects to the address that it checked, whatever the name means a moment later', async () => {
    const port = await echo();
    grant([`example.org:${port}`]);
    let asked = 0;
    const checked: string[] = [];
    const gateway = await bench.gatewayFor('http://127.0.0.1:1', {
      resolve: () => Promise.resolve(asked++ === 0 ? ['10.0.0.1', '127.0.0.1'] : ['169.254.169.254']),
      mayConnect: (address) => {
        checked.push(address);
        return address === '127.0.0.1';
      },
    });
    const { status, socket } = await tunnel(gateway, `example.org:${port}`);
    expect([status, asked, checked]).toEqual([200, 1, ['10.0.0.1', '127.0.0.1']]);
    socket.destroy();
  });

  test('carries nothing that cannot be written down', async () => {
    const port = await echo();
    grant([`example.org:${port}`]);
    const full = (_step: string, { allowed }: { allowed: boolean }): void => {
      if (allowed) throw new Error('disk full');
    };
    const gateway = await bench.gatewayFor('http://127.0.0.1:1', { resolve, record: full });
    expect((await tunnel(gateway, `example.org:${port}`)).status).toBe(500);
  });

  test('says what is wrong with a host that does not answer', async () => {
    const port = await echo();
    await new Promise((done) => canaries[0]!.close(done));
    const directory = grant([`example.org:${port}`]);
    const gateway = await bench.gatewayFor('http://127.0.0.1:1', { resolve });
    expect((await tunnel(gateway, `example.org:${port}`)).status).toBe(502);
    expect(decisions(directory)).toMatchObject([{ allowed: false, reason: 'it does not answer (ECONNREFUSED)' }]);
  });

  test('closes the one side when the other one is gone', async () => {
    const port = await echo();
    grant([`example.org:${port}`]);
    const gateway = await bench.gatewayFor('http://127.0.0.1:1', { resolve });
    const { socket } = await tunnel(gateway, `example.org:${port}`);
    const connections = (): Promise<number> =>
      new Promise((done) => canaries[0]!.getConnections((_error, count) => done(count)));
    expect(await connections()).toBe(1);
    socket.destroy();
    await until(async () => (await connections()) === 0);
  });

  test('keeps a bounded log of decisions', async () => {
    const directory = grant([]);
    const gateway = await bench.gatewayFor('http://127.0.0.1:1', { resolve });
    const long = `${'a'.repeat(60)}.`.repeat(4);
    for (let batch = 0; batch < 12; batch += 1)
      await Promise.all(Array.from({ length: 100 }, () => tunnel(gateway, `${long}org:443`)));
    const bytes = readFileSync(decisionsFile(directory.path)).length;
    expect(bytes).toBeGreaterThan(256 * 1024);
    expect(bytes).toBeLessThan(258 * 1024);
  }, 30_000);

  test('forwards no plain http', async () => {
    const host = createHttpServer((_incoming, response) => {
      touched += 1;
      response.end();
    });
    const address = await bench.listen(host);
    grant([new URL(address).host]);
    const gateway = await bench.gatewayFor('http://127.0.0.1:1');
    const asked = request(gateway, { path: `${address}/x`, headers: password() });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    expect([response.statusCode, touched]).toEqual([403, 0]);
  });
});

describe('an address', () => {
  const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));

  test.each([
    ...[
      '127.0.0.1',
      '127.9.9.9',
      '0.0.0.0',
      '169.254.169.254',
      '169.254.1.1',
      '224.0.0.1',
      '255.255.255.255',
      '168.63.129.16',
    ],
    ...[
      '100.100.100.200',
      '::1',
      '::',
      'fe80::1',
      'ff02::1',
      'fd00:ec2::254',
      '::ffff:127.0.0.1',
      '::ffff:169.254.169.254',
    ],
    ...['64:ff9b::7f00:1', '2002:7f00:1::', '2001::1', '2001:db8::1', 'localhost', '', ...own],
  ])('%s is never connected to', (address) => {
    expect(mayConnect(address, ['0.0.0.0/0', '::/0'])).toBe(false);
  });

  test.each(['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', 'fd12::1'])(
    '%s is connected to only where its network is named',
    (address) => {
      expect(mayConnect(address, [])).toBe(false);
      expect(mayConnect(address, ['10.99.0.0/16'])).toBe(false);
      expect(mayConnect(address, ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fd12::/16'])).toBe(
        true,
      );
    },
  );

  test.each(['93.184.216.34', '172.32.0.1', '2606:2800:220:1:248:1893:25c8:1946'])('%s is public', (address) => {
    expect(mayConnect(address, [])).toBe(true);
  });
});

test('the log of a step that was cleaned up does not come back', async () => {
  const gateway = await bench.gatewayFor('http://127.0.0.1:1', { resolve });
  expect((await tunnel(gateway, 'example.org:443')).status).toBe(403);
  expect(existsSync(path.join(bench.home.steps, STEP))).toBe(false);
});
