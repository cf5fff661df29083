import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { Redactor } from '../../../activities/redaction/redactor.ts';
import { dockerRemnants } from '../../../activities/sandbox/docker-remnants.ts';
import { connectEngine, unlessStatus } from '../../../activities/sandbox/engine.ts';
import { ensureImage } from '../../../activities/sandbox/image.ts';
import { attemptLabels, containerName, labelFilter, probeLabels } from '../../../activities/sandbox/labels.ts';
import { LocalStep } from '../../../activities/sandbox/local-step.ts';
import { processesOfStep } from '../../../activities/sandbox/processes.ts';
import type { Remnant, Sandbox, StepSpec } from '../../../activities/sandbox/sandbox.ts';
import { dropDrafts, StepDirectory } from '../../../activities/sandbox/step-directory.ts';
import { janitorSandboxes } from '../../../workers/janitor-sandboxes.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { createStepBench, until, type StepBench } from '../../support/sandbox-steps.ts';
import { sandboxOf } from '../../support/sandboxes.ts';

let bench: StepBench;
let other: StepBench;
beforeEach(() => {
  bench = createStepBench();
  other = createStepBench();
});
afterEach(() => {
  bench.remove();
  other.remove();
});

const words = (remnants: readonly Remnant[]): string[] => remnants.map(({ what }) => what);

async function removeAll(sandbox: Sandbox): Promise<void> {
  for (const remnant of await sandbox.remnants()) await remnant.remove();
}

/** A worker reads a step until its command prints something, and dies. */
async function abandon(sandbox: Sandbox, spec: StepSpec): Promise<void> {
  const reader = new AbortController();
  const run = sandbox.run(spec, { signal: reader.signal, onStdout: () => reader.abort(new Error('died')) });
  await expect(run).rejects.toThrow('died');
}

describe('what a dead worker left on the host', () => {
  test('is found and removed: a group without its supervisor, and a step that never began', async () => {
    const sandbox = await sandboxOf('local', bench.home);
    const [orphan, unborn] = [bench.step('echo up; sleep 300 & sleep 300'), bench.step('true', { task: 'T-10' })];
    await abandon(sandbox, orphan);
    process.kill(new LocalStep(new StepDirectory(bench.home.steps, orphan.name)).supervisor()?.pid ?? 0, 'SIGKILL');
    new StepDirectory(bench.home.steps, unborn.name).claim(unborn);
    // What a worker was making when it died is no step, and stands in nobody's way.
    const drafts = ['.3f0c1b52', '.8c01ab77'].map((name) => path.join(bench.home.steps, name));
    for (const draft of drafts) mkdirSync(draft);
    utimesSync(drafts[0] ?? '', 0, 0);
    await until(async () => (await sandbox.list()).length === 0);
    expect(processesOfStep(orphan.name)).not.toEqual([]);
    const found = await sandbox.remnants();
    expect(found).toMatchObject(
      [orphan, unborn].map(({ name, owner, execution }) => ({ what: `step ${name}`, owner, execution })),
    );
    await found[0]?.remove();
    expect(processesOfStep(orphan.name)).toEqual([]);
    expect(words(await sandbox.remnants())).toEqual([`step ${unborn.name}`]);
    dropDrafts(bench.home.steps);
    expect(drafts.map((draft) => existsSync(draft))).toEqual([false, true]);
    await removeAll(sandbox);
    expect(await sandbox.run(unborn)).toMatchObject({ ended: true });
    expect(await sandbox.remnants()).toEqual([]);
  });
});

describeWithDocker('what a dead worker left in the engine', () => {
  let engine: Docker;
  let sandbox: Sandbox;
  let others: Sandbox;
  beforeEach(async () => {
    engine = connectEngine(process.env);
    mkdirSync(bench.home.gateway, { recursive: true });
    sandbox = await sandboxOf('docker', bench.home, path.join(bench.home.gateway, 'gateway.sock'));
    others = await sandboxOf('docker', other.home);
  });
  afterEach(async () => {
    await removeAll(sandbox);
    await removeAll(others);
  });

  const containers = async (): Promise<Docker.ContainerInfo[]> =>
    await engine.listContainers({ all: true, filters: labelFilter({ 'signalbox.home': bench.home.root }) });

  test('is found in whatever state it is, with its owner, and removed; and nothing of another home', async () => {
    const gateway = createServer((_request, response) => response.end());
    await once(gateway.listen(path.join(bench.home.gateway, 'gateway.sock')), 'listening');
    const running = bench.step('echo up; sleep 300', { network: 'gateway' });
    const ended = bench.step('echo up; exit 4', { task: 'T-10' });
    const theirs = other.step('echo up; sleep 300');
    await abandon(sandbox, running);
    await abandon(sandbox, ended);
    await abandon(others, theirs);
    await until(async () => (await sandbox.list()).length === 1);
    const labels = attemptLabels(bench.home, running);
    const { name: volume } = await engine.createVolume({ Labels: labels });
    const found = await sandbox.remnants();
    expect(words(found)).toEqual([
      ...[`step ${ended.name}`, `step ${running.name}`],
      expect.stringMatching(/^container .*\.\.T-1\.\.1\.\.gateway\.sidecar$/),
      `volume ${volume}`,
    ]);
    expect(found.map(({ owner: { task } }) => task)).toEqual(['T-10', 'T-1', 'T-1', 'T-1']);
    for (const { owner, execution } of found)
      expect([owner.project, owner.run, owner.attempt, execution]).toEqual(['bench', 'r1', 1, 'execution-1']);
    await removeAll(sandbox);
    expect([await sandbox.remnants(), await containers()]).toEqual([[], []]);
    // How it ended was read before it went.
    expect(await sandbox.run(ended)).toMatchObject({ exitCode: 4, attached: true });
    expect(await sandbox.run(running)).toMatchObject({ ended: true });
    expect(words(await others.remnants())).toEqual([`step ${theirs.name}`]);
    gateway.close();
  });

  test('is read by the janitor without what the project says is secret', async () => {
    const spec = bench.step('echo up; sleep 0.3; echo of-this-project-only');
    await abandon(sandbox, spec);
    await until(async () => (await sandbox.list()).length === 0);
    const redactor = new Redactor({ patterns: ['of-this-.*-only'] });
    for (const janitors of await janitorSandboxes(bench.home, process.env, redactor)()) await removeAll(janitors);
    expect(readFileSync(path.join(bench.home.steps, spec.name, 'stdout'), 'utf8')).toBe('up\n***\n');
  });

  test('of a probe for layers goes with the next probe', async () => {
    const [left, current] = ['layer-probe-left', 'layer-probe-current'].map((name) =>
      path.join(bench.home.snapshots, name),
    );
    for (const directory of [left, current]) mkdirSync(directory ?? '', { recursive: true });
    utimesSync(left ?? '', 0, 0);
    await sandbox.canLayer();
    expect([left, current].map((directory) => existsSync(directory ?? ''))).toEqual([false, true]);
  });

  test('of a probe is found when nobody can wait for it any more, and is nobody’s', async () => {
    const probe = await engine.createContainer({
      Image: (await ensureImage({ engine })).reference,
      Cmd: ['true'],
      Labels: probeLabels(bench.home, 'trial'),
    });
    expect(await dockerRemnants(engine, bench.home)).toEqual([]);
    const later = await dockerRemnants(engine, bench.home, Date.now() + 660_000);
    expect(later).toMatchObject([{ step: null, forgotten: true, owner: { project: '', run: '' }, execution: '' }]);
    await later[0]?.remove();
    expect(await unlessStatus(probe.inspect(), 404)).toBeNull();
  });

  test('is found where only the record tells of it, as when somebody removed the container', async () => {
    const spec = bench.step('echo up; sleep 300');
    await abandon(sandbox, spec);
    await engine.getContainer(containerName(bench.home, spec.name)).remove({ force: true });
    expect(words(await sandbox.remnants())).toEqual([`step ${spec.name}`]);
    await removeAll(sandbox);
    expect(await sandbox.remnants()).toEqual([]);
    expect(await sandbox.run(spec)).toMatchObject({ ended: true });
  });

  test('is forgotten where only its containers tell of it: nobody could attach to them', async () => {
    const gateway = createServer((_request, response) => response.end());
    await once(gateway.listen(path.join(bench.home.gateway, 'gateway.sock')), 'listening');
    // As a bootstrap has: of no task, and with a network of its own.
    const own = { execution: '0123456789abcdef', network: { allow: ['registries'], private: [] } };
    const spec = bench.step('echo up; sleep 300', own);
    await abandon(sandbox, spec);
    const before = await sandbox.remnants();
    expect(words(before)).toEqual([`step ${spec.name}`, expect.stringMatching(/^container .*\.sidecar$/)]);
    expect(before.map(({ forgotten }) => forgotten)).toEqual([false, false]);
    rmSync(path.join(bench.home.steps, spec.name), { recursive: true });
    expect((await sandbox.remnants()).map(({ forgotten }) => forgotten)).toEqual([true, true]);
    await removeAll(sandbox);
    expect(await containers()).toEqual([]);
    gateway.close();
  });
});
