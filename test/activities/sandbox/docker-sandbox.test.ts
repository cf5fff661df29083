import { createServer } from 'node:http';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { connectEngine } from '../../../activities/sandbox/engine.ts';
import { ensureImage } from '../../../activities/sandbox/image.ts';
import { defaultUser } from '../../../activities/sandbox/container-profile.ts';
import { containerName, labelFilter, ownerLabels } from '../../../activities/sandbox/labels.ts';
import type { Sandbox, StepResult } from '../../../activities/sandbox/sandbox.ts';
import { stepContainer } from '../../../activities/sandbox/step-container.ts';
import { StepDirectory } from '../../../activities/sandbox/step-directory.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { testSandboxContract } from '../../support/sandbox-contract.ts';
import { createStepBench, until } from '../../support/sandbox-steps.ts';
import type { StepBench } from '../../support/sandbox-steps.ts';
import { sandboxOf } from '../../support/sandboxes.ts';

const out = (result: StepResult): string => readFileSync(result.stdoutPath, 'utf8');

describeWithDocker('docker sandbox', () => {
  let engine: Docker;
  let bench: StepBench;
  let sandbox: Sandbox;
  let socket: string;

  beforeAll(async () => {
    engine = connectEngine(process.env);
    await ensureImage({ engine });
    bench = createStepBench();
    mkdirSync(bench.home.gateway, { recursive: true });
    socket = path.join(bench.home.gateway, 'gateway.sock');
    sandbox = await sandboxOf('docker', bench.home, socket);
  }, 600_000);
  afterAll(() => {
    bench.remove();
  });

  testSandboxContract((home) => sandboxOf('docker', home));

  const containers = () =>
    engine.listContainers({ all: true, filters: labelFilter({ 'signalbox.home': bench.home.root }) });

  test('a step has no capability, cannot gain one, cannot write to its root, and is not root', async () => {
    const command =
      'id -u; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status; touch /etc/x /usr/x; ls /dev/kmsg /var/run/docker.sock';
    const result = await sandbox.run(bench.step(command));
    const lines = out(result)
      .split('\n')
      .filter((line) => line !== '');
    expect(lines).toEqual([
      expect.not.stringMatching(/^0$/),
      'CapEff:\t0000000000000000',
      'CapBnd:\t0000000000000000',
      'NoNewPrivs:\t1',
    ]);
    expect(readFileSync(result.stderrPath, 'utf8').match(/Read-only file system/g)).toHaveLength(2);
  });

  test('what a step writes belongs to the sandbox’s file owner, and mounts keep their mode', async () => {
    const readOnly = path.join(bench.workTree, '..', 'store');
    mkdirSync(readOnly);
    const mounts = [{ source: readOnly, target: readOnly, readOnly: true }];
    const result = await sandbox.run(bench.step(`touch mine && ! touch ${readOnly}/x`, { mounts }));
    expect(result.exitCode).toBe(0);
    expect(statSync(path.join(bench.workTree, 'mine')).uid).toBe(sandbox.fileOwner?.uid);
  });

  test('a step that takes more memory than it may is reported as out of memory', async () => {
    const small = await sandboxOf('docker', bench.home, socket, { memory: 64 * 1024 ** 2 });
    const result = await small.run(bench.step('head -c 400000000 /dev/zero | tail -c 399999999 | wc -c'));
    expect(result.outOfMemory).toBe(true);
  });

  test('on the gateway network only the gateway answers, on loopback', async () => {
    const server = createServer((request, response) => response.end(`gateway ${request.url ?? ''}`));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const host = createServer((_request, response) => response.end('host'));
    await new Promise<void>((resolve) => host.listen(0, '0.0.0.0', resolve));
    const { port } = host.address() as { port: number };
    const script = `
      const get = (url) => fetch(url, { signal: AbortSignal.timeout(2000) }).then((r) => r.text(), (e) => e.cause?.code ?? e.name);
      console.log(await get('${sandbox.gatewayUrl}/v1/models'));
      for (const host of ['127.0.0.1', '172.17.0.1', '1.1.1.1', '169.254.169.254'])
        console.log(await get('http://' + host + ':${port}/') !== 'host');
      console.log(Object.keys((await import('node:os')).networkInterfaces()).join());`;
    const command = ['node', '--input-type=module', '-e', script];
    const spec = bench.step(command, { network: 'gateway' });
    const result = await sandbox.run(spec);
    expect(out(result)).toBe('gateway /v1/models\ntrue\ntrue\ntrue\ntrue\nlo\n');
    expect(await containers()).toHaveLength(1);
    const second = await sandbox.run(bench.step(command, { network: 'gateway' }));
    expect([out(second), await containers()]).toEqual([out(result), [expect.anything()]]);
    await sandbox.closeAttempt(spec.owner);
    await sandbox.closeAttempt(spec.owner);
    expect(await containers()).toEqual([]);
    server.close();
    host.close();
  });

  test('without the network, a step has loopback only', async () => {
    expect(out(await sandbox.run(bench.step('ls /sys/class/net')))).toBe('lo\n');
  });

  test('a container that was removed while it ran is reported as lost, and the step is not started again', async () => {
    const spec = bench.step('echo once >> lost; sleep 300');
    const running = sandbox.run(spec);
    await until(async () => (await sandbox.list()).length === 1);
    await engine.getContainer(containerName(bench.home, spec.name)).remove({ force: true });
    expect(await running).toMatchObject({ lost: true, exitCode: null, signal: null, ended: false });
    expect(await sandbox.run(spec)).toMatchObject({ lost: true, attached: true });
    expect(await containers()).toEqual([]);
  });

  test('a container that was made but not started, as by a worker that died, is started', async () => {
    const spec = bench.step('echo late');
    const directory = new StepDirectory(bench.home.steps, spec.name);
    directory.claim(spec);
    const { reference: image } = await ensureImage({ engine });
    const settings = { home: bench.home, image, user: defaultUser(false), limits: {}, env: {} };
    await engine.createContainer(stepContainer(settings, directory, spec, 'none'));
    const result = await sandbox.run(spec);
    expect([out(result), result.attached]).toEqual(['late\n', false]);
  });

  test('a container that ended while no worker lived is read', async () => {
    const spec = bench.step('echo alone');
    const reader = new AbortController();
    const running = sandbox.run(spec, { signal: reader.signal, onStdout: () => reader.abort(new Error('gone')) });
    await expect(running).rejects.toThrow('gone');
    await until(async () => (await sandbox.list()).length === 0);
    let seen = '';
    const result = await sandbox.run(spec, { onStdout: (chunk) => (seen += chunk.toString()) });
    expect([seen, result.attached, result.exitCode]).toEqual(['alone\n', true, 0]);
  });

  // It hides only once its environment is empty; before that it is killed like any other.
  const HIDE = 'env -i setsid /bin/sleep 300 & while grep -q . /proc/$!/environ; do :; done';

  test('a process that hides, and keeps the output open, cannot keep the step from ending', async () => {
    const result = await sandbox.run(bench.step(`${HIDE}; echo over`));
    expect([out(result), result.signal]).toEqual(['over\n', 'SIGKILL']);
  });

  test('a container that is killed when its command has ended, and before the engine is told how, is lost', async () => {
    // The entry gives what hides two seconds to end; here, more than the test takes.
    const patient = path.join(bench.workTree, 'patient');
    mkdirSync(patient);
    writeFileSync(path.join(patient, 'sleep'), '#!/bin/sh\nexec /bin/sleep 300\n', { mode: 0o755 });
    const spec = bench.step(`${HIDE}; exit 0`, { env: { PATH: `${patient}:/usr/bin:/bin` } });
    const running = sandbox.run(spec);
    const once = new StepDirectory(bench.home.steps, spec.name).file('once');
    await until(() => existsSync(once) && readdirSync(once).some((name) => name.startsWith('over')));
    await until(async () => (await sandbox.list()).length === 1);
    await engine.getContainer(containerName(bench.home, spec.name)).kill();
    expect(await running).toMatchObject({ lost: true, exitCode: null, signal: null });
  });

  test('a step on the host, of another Signalbox, ends nothing in a container whose step has the same name', async () => {
    const other = createStepBench();
    const host = await sandboxOf('local', other.home);
    try {
      const spec = bench.step('touch inside; until [ -e leave ]; do sleep 0.02; done; exit 3');
      const running = sandbox.run(spec);
      await until(() => existsSync(path.join(bench.workTree, 'inside')));
      expect(await host.run({ ...spec, command: 'true', workTree: other.workTree })).toMatchObject({ exitCode: 0 });
      writeFileSync(path.join(bench.workTree, 'leave'), '');
      expect(await running).toMatchObject({ exitCode: 3, signal: null });
    } finally {
      other.remove();
    }
  });

  test('a container that somebody starts a second time does not run its command again', async () => {
    const spec = bench.step('echo once >> again; until [ -e never ]; do sleep 0.05; done');
    const running = sandbox.run(spec).catch(() => undefined);
    await until(async () => (await sandbox.list()).length === 1);
    const container = engine.getContainer(containerName(bench.home, spec.name));
    await until(() => readMarks(path.join(bench.workTree, 'again')) === 'once\n');
    await container.restart({ t: 0 });
    await running;
    expect(readMarks(path.join(bench.workTree, 'again'))).toBe('once\n');
    await sandbox.end(spec.name);
  });

  test('the image of steps is not built again while its inputs are the same, and has the tools that steps need', async () => {
    expect(await ensureImage({ engine })).toMatchObject({ built: false });
    const tools = 'for tool in node npm git rg socat; do command -v $tool; done';
    expect(
      out(await sandbox.run(bench.step(tools)))
        .trim()
        .split('\n'),
    ).toHaveLength(5);
  });

  test('an image that the engine does not have is an environment failure with a hint', async () => {
    const other = await sandboxOf('docker', bench.home, socket, {}, 'signalbox/none:0');
    await expect(other.run(bench.step('true'))).rejects.toMatchObject({ code: 'environment', retryable: false });
  });

  test('containers carry the labels of their owner, and are gone when the step is over', async () => {
    const spec = bench.step('sleep 300');
    const running = sandbox.run(spec);
    await until(async () => (await sandbox.list()).length === 1);
    const found = await engine.listContainers({ filters: labelFilter(ownerLabels(bench.home, spec.owner)) });
    expect(found.map(({ Labels }) => Labels['signalbox.step'])).toEqual([spec.name]);
    await sandbox.end(spec.name);
    await running;
    expect(await containers()).toEqual([]);
  });
});

function readMarks(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
