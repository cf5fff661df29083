import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { homeOf } from '../../../activities/home.ts';
import { defaultUser } from '../../../activities/sandbox/container-profile.ts';
import { connectEngine } from '../../../activities/sandbox/engine.ts';
import { ensureImage } from '../../../activities/sandbox/image.ts';
import { labelFilter } from '../../../activities/sandbox/labels.ts';
import { tryContainer, type TriedContainer } from '../../../activities/sandbox/try-container.ts';
import { configSchema } from '../../../core/config.ts';
import { runAudit } from '../../../scripts/audit/run-audit.ts';
import { examineRuntimes } from '../../../workers/doctor-runtimes.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { ImageBench } from '../../support/image-bench.ts';
import { describeWithGvisor, startGvisorEngine, type GvisorEngine } from '../../support/gvisor-engine.ts';

let root: string;
let tried: TriedContainer;
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'signalbox-trial-'));
  const home = homeOf({ SIGNALBOX_HOME: path.join(root, 'home') });
  tried = { home, image: '', user: defaultUser(false), limits: { memory: 256 * 1024 ** 2 }, network: 'gateway' };
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describeWithDocker('a container that is tried', () => {
  const engine = connectEngine(process.env);
  beforeAll(async () => {
    tried.image = (await ensureImage({ engine })).reference;
  }, 600_000);

  test('works in the engine’s own runtime, reaches its gateway, and leaves nothing', async () => {
    expect(await tryContainer(engine, { ...tried, runtime: 'runc' })).toEqual({ problem: null, gateway: true });
    const filters = labelFilter({ 'signalbox.home': tried.home.root });
    expect(await engine.listContainers({ all: true, filters })).toEqual([]);
  });

  test('needs nothing in its image that leads to the gateway, where steps do not reach it', async () => {
    const bench = new ImageBench();
    try {
      const image = await bench.build(`${bench.name}:plain`, 'plain', tried.image, '/usr/bin/socat');
      expect((await tryContainer(engine, { ...tried, image })).gateway).toBe(false);
      for (const network of ['none', 'bridge'] as const)
        expect(await tryContainer(engine, { ...tried, image, network })).toEqual({ problem: null, gateway: false });
    } finally {
      await bench.close();
    }
  });

  test('is known for a probe, should its worker die', async () => {
    const waiting = { over: false };
    const trial = tryContainer(engine, tried).finally(() => (waiting.over = true));
    const filters = { label: [`signalbox.home=${tried.home.root}`] };
    const seen = new Map<string, string | undefined>();
    while (!waiting.over) {
      for (const { Id, Labels } of await engine.listContainers({ all: true, filters }))
        seen.set(Id, Labels['signalbox.probe']);
    }
    await trial;
    expect([...seen.values()]).toEqual(['trial', 'trial']);
  });

  test('is told of by what the engine says, where it cannot start', async () => {
    const loosened = { devices: ['/dev/signalbox-none'] };
    const { problem, gateway } = await tryContainer(engine, { ...tried, loosened });
    expect([problem, gateway]).toEqual([expect.stringContaining('/dev/signalbox-none'), false]);
  });

  test('is what the doctor tries the engine’s own runtime with', async () => {
    const found = await examineRuntimes(root, tried.home, process.env);
    expect(found.filter(({ name }) => name === 'runtime runc')).toEqual([
      { name: 'runtime runc', status: 'ok', message: 'steps run in it, and reach the gateway', hint: null },
    ]);
  });
});

describeWithGvisor('gVisor', () => {
  let gvisor: GvisorEngine;
  beforeAll(async () => {
    gvisor = await startGvisorEngine();
    tried.image = (await ensureImage({ engine: gvisor.client })).reference;
  }, 600_000);
  afterAll(async () => await gvisor.close());

  test('runs steps that reach the gateway, where it shares the loopback of their sidecar', async () => {
    const trial = await tryContainer(gvisor.client, { ...tried, runtime: 'gvisor' });
    expect(trial).toEqual({ problem: null, gateway: true });
  });

  test('is told not to reach the gateway, where it has a network of its own', async () => {
    const trial = await tryContainer(gvisor.client, { ...tried, runtime: 'gvisor-alone' });
    expect(trial).toEqual({ problem: null, gateway: false });
  });

  test('has nothing wrong with it in an audit', async () => {
    const config = { ...configSchema.parse({ sandbox: { runtime: 'gvisor' } }), project: 'audit' };
    const assertions = await runAudit({ engine: gvisor.client, config });
    expect(assertions.length).toBeGreaterThan(120);
    expect(assertions.filter(({ passed }) => !passed)).toEqual([]);
  });

  test('is told of by the doctor as each other runtime, with what was tried', async () => {
    const found = await examineRuntimes(root, tried.home, { DOCKER_HOST: gvisor.address });
    expect(found.map(({ name, status }) => [name, status])).toEqual([
      ['runtime broken', 'warn'],
      ['runtime gvisor', 'ok'],
      ['runtime gvisor-alone', 'warn'],
      ['runtime runc', 'ok'],
    ]);
  });
});

describe('the doctor', () => {
  test('says nothing of runtimes where no engine answers', async () => {
    const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
    expect(await examineRuntimes(root, tried.home, env)).toEqual([]);
  });
});
