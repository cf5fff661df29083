import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Docker from 'dockerode';
import { secretWritings } from '../../../activities/redaction/secret-writings.ts';
import { ensureImage } from '../../../activities/sandbox/image.ts';
import { containerName } from '../../../activities/sandbox/labels.ts';
import type { Sandbox } from '../../../activities/sandbox/sandbox.ts';
import { stepContainer } from '../../../activities/sandbox/step-container.ts';
import { StepDirectory } from '../../../activities/sandbox/step-directory.ts';
import { dropSecrets } from '../../../activities/sandbox/step-secrets.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { createStepBench, until, type StepBench } from '../../support/sandbox-steps.ts';
import { sandboxOf } from '../../support/sandboxes.ts';
import { filesWith, testSecrets } from '../../support/secret-steps.ts';

describe('texts to hide', () => {
  test('meet base64 of a secret wherever it stands, and however it is broken into lines', () => {
    const secret = 'a secret of some length, longer than a line of base64 is: 0123456789';
    const texts = secretWritings([secret]);
    for (const before of ['', 'x', 'xy', 'user:']) {
      let encoded = Buffer.from(`${before}${secret} and more`).toString('base64');
      for (const text of texts) encoded = encoded.replaceAll(text, '*');
      expect(Buffer.from(encoded.replaceAll('*', ''), 'base64').length).toBeLessThan(before.length + 16);
    }
  });

  test('are never empty, never hold a line break, and never all of one letter’s neighbours', () => {
    for (const secret of ['', '\n', 'a', 'ab\n\ncdef\r\n', '{\n"key": 1\n}']) {
      for (const text of secretWritings([secret])) expect(text).toMatch(/^[^\r\n]+$/);
    }
    expect(secretWritings(['{\n"key": 1\n}'])).not.toContain('{');
    expect(secretWritings(['a'])).toEqual(['a']);
  });
});

describe('secrets of steps on the host', () => testSecrets((home) => sandboxOf('local', home)));

describeWithDocker('secrets of steps in Docker', () => {
  testSecrets((home) => sandboxOf('docker', home));

  const engine = new Docker();
  const SECRET = `engine-must-not-know-${process.pid}`;
  const secrets = { SIGNALBOX_INPUT_TOKEN: SECRET };
  const inMemory = (): string[] => filesWith(SECRET, '/dev/shm');
  let bench: StepBench;
  let sandbox: Sandbox;
  beforeAll(async () => {
    bench = createStepBench();
    sandbox = await sandboxOf('docker', bench.home);
  });
  afterAll(() => bench.remove());

  test('are unknown to the engine, gone from memory before the command starts, and hidden in its logs', async () => {
    const spec = bench.step(
      'echo "$SIGNALBOX_INPUT_TOKEN"; : >up; while [ ! -e go ]; do sleep 0.02; done; ls /signalbox/secrets',
      {
        secrets,
      },
    );
    const running = sandbox.run(spec);
    await until(() => existsSync(`${bench.workTree}/up`));
    const container = engine.getContainer(containerName(bench.home, spec.name));
    expect(JSON.stringify(await container.inspect())).not.toContain(SECRET);
    expect((await container.logs({ stdout: true, stderr: true })).toString()).not.toContain(SECRET);
    expect(inMemory()).toEqual([]);
    await sandbox.run(bench.step(': >go'));
    expect(await running).toMatchObject({ exitCode: 0 });
  });

  test('of a container that was made and never started are handed over when it is started, or removed with it', async () => {
    const settings = { home: bench.home, env: {}, limits: {}, user: { uid: 65532, gid: 65532 }, image: await image() };
    for (const goesOn of [true, false]) {
      const spec = bench.step('test -n "$SIGNALBOX_INPUT_TOKEN"', { secrets });
      const directory = new StepDirectory(bench.home.steps, spec.name);
      directory.claim(spec);
      // As a worker that dies here leaves it.
      await engine.createContainer(stepContainer(settings, directory, spec, 'none'));
      expect(inMemory()).toHaveLength(1);
      if (goesOn) expect(await sandbox.run(spec)).toMatchObject({ exitCode: 0, lost: false });
      else await sandbox.end(spec.name);
      expect(inMemory()).toEqual([]);
    }
  });

  test('that were lost with the machine’s memory are handed over anew', async () => {
    const settings = { home: bench.home, env: {}, limits: {}, user: { uid: 65532, gid: 65532 }, image: await image() };
    const spec = bench.step('test -n "$SIGNALBOX_INPUT_TOKEN"', { secrets });
    const directory = new StepDirectory(bench.home.steps, spec.name);
    directory.claim(spec);
    await engine.createContainer(stepContainer(settings, directory, spec, 'none'));
    dropSecrets(directory);
    // The engine cannot start it without its mount; the activity is retried.
    await expect(sandbox.run(spec)).rejects.toThrow();
    expect(await sandbox.run(spec)).toMatchObject({ exitCode: 0, lost: false });
  });

  async function image(): Promise<string> {
    return (await ensureImage({ engine })).reference;
  }
});
