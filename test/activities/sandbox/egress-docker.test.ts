import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type Docker from 'dockerode';

import { decisionsFile, parseDecision } from '../../../activities/models/egress-grant.ts';
import { connectEngine } from '../../../activities/sandbox/engine.ts';
import { ensureImage } from '../../../activities/sandbox/image.ts';
import type { Sandbox, StepResult, StepSpec } from '../../../activities/sandbox/sandbox.ts';
import { StepDirectory } from '../../../activities/sandbox/step-directory.ts';
import { ensureGateway, stopGateway } from '../../../workers/gateway-process.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { createStepBench, type StepBench } from '../../support/sandbox-steps.ts';
import { sandboxOf } from '../../support/sandboxes.ts';
import { until } from '../../support/until.ts';

/** In a step: what comes of connections to these targets, made directly and through the proxy that the step is told of. */
const TRY = `
  const net = require('node:net');
  const proxy = new URL(process.env.HTTPS_PROXY);
  const authorization = 'Basic ' + btoa(proxy.username + ':' + proxy.password);
  const read = (port, host, hello) => new Promise((resolve) => {
    const socket = net.connect({ port, host, timeout: 1500 });
    let text = '';
    socket.on('data', (chunk) => (text += chunk)).on('close', () => resolve(text));
    socket.on('error', (error) => (text += error.code)).on('timeout', () => socket.destroy());
    if (hello) socket.write(hello);
  });
  (async () => {
    for (const target of process.argv.slice(1)) {
      const [host, port] = target.split(':');
      const hello = 'CONNECT ' + target + ' HTTP/1.1\\r\\nProxy-Authorization: ' + authorization + '\\r\\n\\r\\n';
      const direct = await read(Number(port), host);
      const carried = await read(Number(proxy.port), proxy.hostname, hello);
      console.log(JSON.stringify([target, direct.includes('canary'), Number(carried.split(' ')[1]), carried.includes('canary')]));
    }
  })();`;

describeWithDocker('a step that may reach some hosts', () => {
  let engine: Docker;
  let bench: StepBench;
  let sandbox: Sandbox;
  let image: string;
  /** A service of this host, on all its addresses. */
  let host: Server;
  let touched = 0;
  /** Somebody else's container, with a service. */
  let other: Docker.Container;
  let otherAddress: string;

  beforeAll(async () => {
    engine = connectEngine(process.env);
    image = (await ensureImage({ engine })).reference;
    bench = createStepBench();
    const gateway = await ensureGateway({
      home: bench.home,
      env: { PATH: process.env['PATH'], OPENAI_API_KEY: 'sk-canary' },
    });
    sandbox = await sandboxOf('docker', bench.home, gateway.socket);
    host = createServer((socket) => {
      touched += 1;
      // Whoever asked may be gone already.
      socket.on('error', () => undefined).end('canary');
    });
    await once(host.listen(0, '0.0.0.0'), 'listening');
    const serve = `require('node:net').createServer((socket) => socket.on('error', () => {}).end('canary')).listen(8443)`;
    other = await engine.createContainer({
      Image: image,
      Cmd: ['node', '-e', serve],
      HostConfig: { AutoRemove: true, Init: true },
    });
    await other.start();
    otherAddress = (await other.inspect()).NetworkSettings.Networks['bridge']?.IPAddress ?? '';
    await until(() => answers(otherAddress, 8443));
  }, 600_000);
  afterAll(async () => {
    host.close();
    await other.remove({ force: true });
    await stopGateway(bench.home);
    bench.remove();
  });

  const out = (result: StepResult): string => readFileSync(result.stdoutPath, 'utf8');

  async function run(
    command: StepSpec['command'],
    network: StepSpec['network'],
  ): Promise<{ text: string; decided: unknown[] }> {
    const spec = bench.step(command, { network, kind: 'agent' });
    const result = await sandbox.run(spec);
    await sandbox.closeAttempt(spec.owner);
    const file = decisionsFile(new StepDirectory(bench.home.steps, spec.name).path);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    return { text: out(result), decided: lines.map(parseDecision) };
  }

  test('reaches no other one: not this host, the metadata address, another container, or the internet', async () => {
    const { port } = host.address() as AddressInfo;
    const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const hosts = own.filter(({ family }) => family === 'IPv4').map(({ address }) => `${address}:${port}`);
    const elsewhere = [`${otherAddress}:8443`, '169.254.169.254:80', '1.1.1.1:443', 'example.com:443'];
    const targets = [...hosts, ...elsewhere];
    // Named, but private or this host's own: a name may mean any address.
    const allowed = targets.filter((target) => !target.startsWith('1.1.') && !target.startsWith('example'));
    for (const allow of [['registry.npmjs.org'], allowed]) {
      const { text, decided } = await run(['node', '-e', TRY, ...targets], { allow, private: ['127.0.0.0/8'] });
      const lines = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      expect(lines).toEqual(targets.map((target) => [target, false, 403, false]));
      expect(decided).toMatchObject(targets.map((target) => ({ target, allowed: false, reason: expect.any(String) })));
    }
    expect(touched).toBe(0);
  }, 120_000);

  test('reaches one that is allowed, also at a private address where its network is', async () => {
    const target = `${otherAddress}:8443`;
    const network = { allow: [target], private: [`${otherAddress}/32`] };
    const { text, decided } = await run(['node', '-e', TRY, target], network);
    expect(JSON.parse(text)).toEqual([target, false, 200, true]);
    expect(decided).toMatchObject([{ target, allowed: true }]);
  }, 60_000);

  test('has its network to itself where it is no agent, and leaves nothing of it', async () => {
    const { port } = host.address() as AddressInfo;
    const allow = [`${otherAddress}:8443`];
    const command = ['node', '-e', TRY, `${otherAddress}:8443`, `127.0.0.1:${port}`];
    const spec = bench.step(command, { network: { allow, private: [`${otherAddress}/32`] }, kind: 'check' });
    const result = await sandbox.run(spec);
    expect(out(result)).toBe(`["${otherAddress}:8443",false,200,true]\n["127.0.0.1:${port}",false,403,false]\n`);
    const label = [`signalbox.home=${bench.home.root}`];
    expect(await engine.listContainers({ all: true, filters: { label } })).toEqual([]);
  });

  test('has its clients told of the proxy, in the ways that they look at', async () => {
    const clients = [
      'git ls-remote https://git.example.net/x.git',
      'npm view left-pad --registry=https://npm.example.net --fetch-retries=0',
      `node -e "fetch('https://node.example.net').catch((error) => console.log(error.cause.code))"`,
    ];
    const { decided } = await run(clients.map((client) => `${client} || true`).join('\n'), {
      allow: ['npm'],
      private: [],
    });
    const refused = (decided as { target: string; allowed: boolean }[]).filter(({ allowed }) => !allowed);
    expect([...new Set(refused.map(({ target }) => target))].sort()).toEqual([
      'git.example.net:443',
      'node.example.net:443',
      'npm.example.net:443',
    ]);
  }, 120_000);

  test('asks models as any other, past the proxy', async () => {
    const ask = `fetch('http://127.0.0.1:8790/v1/models').then(async (r) => console.log(r.status, await r.text()))`;
    const spec = bench.step(['node', '-e', ask], { network: { allow: ['npm'], private: [] }, kind: 'agent' });
    const result = await sandbox.run(spec);
    await sandbox.closeAttempt(spec.owner);
    expect(out(result)).toContain('invalid_step_token');
  }, 60_000);
});

async function answers(address: string, port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  return await new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: 1000 });
    socket
      .on('connect', () => resolve(true))
      .on('error', () => resolve(false))
      .on('timeout', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
