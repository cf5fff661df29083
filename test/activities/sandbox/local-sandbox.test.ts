import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LocalStep } from '../../../activities/sandbox/local-step.ts';
import { processesOfStep } from '../../../activities/sandbox/processes.ts';
import type { Sandbox } from '../../../activities/sandbox/sandbox.ts';
import { StepDirectory } from '../../../activities/sandbox/step-directory.ts';
import { testSandboxContract } from '../../support/sandbox-contract.ts';
import { createStepBench, until } from '../../support/sandbox-steps.ts';
import type { StepBench } from '../../support/sandbox-steps.ts';
import { sandboxOf } from '../../support/sandboxes.ts';
import { STUBBORN_TREE } from '../../support/stubborn-tree.ts';

describe('local sandbox', () => {
  testSandboxContract((home) => sandboxOf('local', home));

  let bench: StepBench;
  let sandbox: Sandbox;
  beforeAll(async () => {
    bench = createStepBench();
    sandbox = await sandboxOf('local', bench.home);
  });
  afterAll(() => {
    bench.remove();
  });

  test('a step whose supervisor was killed is lost, its processes are dead, and it is not started again', async () => {
    const spec = bench.step('echo once >> lost; sleep 300');
    const running = sandbox.run(spec);
    const directory = new StepDirectory(bench.home.steps, spec.name);
    await until(() => processesOfStep(spec.name).length > 1);
    process.kill(-(new LocalStep(directory).supervisor()?.pid ?? 0), 'SIGKILL');
    expect(await running).toMatchObject({ lost: true, exitCode: null, signal: null, ended: false });
    expect(processesOfStep(spec.name)).toEqual([]);
    expect(await sandbox.run(spec)).toMatchObject({ lost: true, attached: true });
    expect(readFileSync(path.join(bench.workTree, 'lost'), 'utf8')).toBe('once\n');
  });

  test('a step may leave in its home what is hard to remove: its home goes, and it is attached to again', async () => {
    const spec = bench.step(STUBBORN_TREE);
    expect(await sandbox.run(spec)).toMatchObject({ exitCode: 0, attached: false });
    expect(existsSync(new StepDirectory(bench.home.steps, spec.name).file('home'))).toBe(false);
    expect(await sandbox.run(spec)).toMatchObject({ exitCode: 0, attached: true });
  });

  test('a step ends nothing of another Signalbox on this machine that has a step of the same name', async () => {
    const other = createStepBench();
    const others = await sandboxOf('local', other.home);
    try {
      const spec = bench.step('true');
      const twin = { ...spec, command: 'sleep 300', workTree: other.workTree };
      const running = others.run(twin);
      await until(() => processesOfStep(twin.name).length > 1);
      expect(await sandbox.run(spec)).toMatchObject({ exitCode: 0 });
      await sandbox.end(spec.name);
      expect(await others.list()).toMatchObject([{ name: twin.name }]);
      await others.end(twin.name);
      expect(await running).toMatchObject({ ended: true });
    } finally {
      other.remove();
    }
  });

  test('a step of before the machine restarted is lost, even if its process number is in use', async () => {
    const spec = bench.step('echo once >> rebooted');
    const directory = new StepDirectory(bench.home.steps, spec.name);
    directory.claim(spec);
    writeFileSync(directory.file('supervisor'), `${process.pid} 00000000-0000-4000-8000-000000000000/1\n`);
    expect(await sandbox.run(spec)).toMatchObject({ lost: true });
    expect(await sandbox.list()).toEqual([]);
  });

  test('a step that was claimed by a worker that died at once is started by the next one', async () => {
    const spec = bench.step('echo here');
    new StepDirectory(bench.home.steps, spec.name).claim(spec);
    expect(await sandbox.run(spec)).toMatchObject({ exitCode: 0, attached: false });
  });

  test('a step that was ended before it started never runs', async () => {
    const spec = bench.step('echo never >> ended');
    new StepDirectory(bench.home.steps, spec.name).claim(spec);
    await sandbox.end(spec.name);
    expect(await sandbox.run(spec)).toMatchObject({ ended: true, exitCode: null });
  });

  test('output that cannot be written for want of room is an environment failure, not a result', async () => {
    const spec = bench.step('echo output');
    const directory = new StepDirectory(bench.home.steps, spec.name);
    directory.claim(spec);
    symlinkSync('/dev/full', directory.file('stdout'));
    await expect(sandbox.run(spec)).rejects.toMatchObject({
      code: 'environment',
      hint: expect.stringContaining('full'),
    });
  });

  test('a work tree that is missing is an environment failure', async () => {
    const spec = bench.step('true', { workTree: path.join(bench.workTree, 'missing') });
    await expect(sandbox.run(spec)).rejects.toMatchObject({ code: 'environment' });
  });
});
