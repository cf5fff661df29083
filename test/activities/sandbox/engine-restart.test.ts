import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { defaultUser } from '../../../activities/sandbox/container-profile.ts';
import { DockerSandbox } from '../../../activities/sandbox/docker-sandbox.ts';
import type { StepResult, StepSpec } from '../../../activities/sandbox/sandbox.ts';
import { describeWithOwnEngine, PrivateEngine } from '../../support/private-engine.ts';
import { createStepBench, type StepBench } from '../../support/sandbox-steps.ts';
import { until } from '../../support/until.ts';

describeWithOwnEngine('a Docker daemon that restarts in the middle of a step', () => {
  let engine: PrivateEngine;
  let image: string;
  let bench: StepBench;
  let sandbox: DockerSandbox;

  beforeAll(async () => {
    engine = new PrivateEngine();
    await engine.start({ liveRestore: true });
    image = await engine.importImage();
    await engine.kill();
  });
  afterAll(async () => {
    await engine.remove();
  });
  beforeEach(() => {
    bench = createStepBench();
    const settings = { home: bench.home, image, user: defaultUser(false), limits: {}, env: {} };
    sandbox = new DockerSandbox({ engine: engine.client, ...settings });
  });
  afterEach(async () => {
    await engine.kill();
    bench.remove();
  });

  const isMarked = (name: string): boolean => existsSync(path.join(bench.workTree, name));
  const mark = (name: string): void => writeFileSync(path.join(bench.workTree, name), '');
  const out = ({ stdoutPath }: StepResult): string => readFileSync(stdoutPath, 'utf8');

  /** Runs a step until its command has begun, then has the daemon go away under whoever attends to it. @returns what that was told */
  async function cut(spec: StepSpec, stop: () => Promise<void>): Promise<unknown> {
    const running = sandbox.run(spec).catch((error: unknown) => error);
    // A daemon that dies before it has noted that a container runs does not know it afterwards.
    await until(async () => isMarked('begun') && (await sandbox.list()).length === 1);
    await stop();
    return await running;
  }

  const AWAY = { code: 'environment', retryable: true };
  const STEP = 'echo once >> begun; echo first; until [ -e go ]; do sleep 0.02; done; echo last; exit 3';

  test('finds the step again, with all its output, where containers live on', async () => {
    await engine.start({ liveRestore: true });
    const spec = bench.step(STEP);
    expect(await cut(spec, () => engine.kill())).toMatchObject(AWAY);
    await engine.start({ liveRestore: true });
    let seen = '';
    const again = sandbox.run(spec, { onStdout: (chunk) => (seen += chunk.toString()) });
    await until(() => seen === 'first\n');
    mark('go');
    const result = await again;
    expect(result).toMatchObject({ exitCode: 3, attached: true, lost: false });
    expect([seen, out(result)]).toEqual(['first\nlast\n', 'first\nlast\n']);
    expect(readFileSync(path.join(bench.workTree, 'begun'), 'utf8')).toBe('once\n');
  });

  // What it prints in its last moments then may never reach the daemon's logs.
  test('knows how a step ended that did so while there was no daemon', async () => {
    await engine.start({ liveRestore: true });
    const spec = bench.step(STEP.replace('exit 3', 'touch over; exit 3'));
    expect(await cut(spec, () => engine.kill())).toMatchObject(AWAY);
    mark('go');
    await until(() => isMarked('over'));
    await engine.start({ liveRestore: true });
    const result = await sandbox.run(spec);
    expect(result).toMatchObject({ exitCode: 3, attached: true, lost: false });
    expect('first\nlast\n'.startsWith(out(result))).toBe(true);
  });

  test.each([
    ['that was killed', () => engine.kill(), AWAY],
    // It still tells that the container has ended.
    ['that was stopped', () => engine.terminate(), { lost: true, exitCode: null, outOfMemory: false, ended: false }],
  ])(
    'reports the step as lost where a daemon %s ends what it ran, and does not run it again',
    async (_how, stop, told) => {
      await engine.start({ liveRestore: false });
      const spec = bench.step(STEP);
      expect(await cut(spec, stop)).toMatchObject(told);
      await engine.start({ liveRestore: false });
      mark('go');
      const result = await sandbox.run(spec);
      expect(result).toMatchObject({ exitCode: null, signal: null, attached: true, lost: true, ended: false });
      expect(out(result)).toBe('first\n');
      expect(readFileSync(path.join(bench.workTree, 'begun'), 'utf8')).toBe('once\n');
      expect(await engine.client.listContainers({ all: true })).toEqual([]);
    },
  );

  test('ends a step that somebody wants to end while there is no daemon, as soon as there is one', async () => {
    await engine.start({ liveRestore: true });
    const spec = bench.step(STEP);
    expect(await cut(spec, () => engine.kill())).toMatchObject(AWAY);
    await expect(sandbox.end(spec.name)).rejects.toMatchObject(AWAY);
    await engine.start({ liveRestore: true });
    await sandbox.end(spec.name);
    expect(await sandbox.run(spec)).toMatchObject({ ended: true, lost: false });
    expect(await engine.client.listContainers({ all: true })).toEqual([]);
  });
});
