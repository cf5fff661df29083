import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { failedBecause, BootstrapFailed } from './bootstrap-failed.ts';
import type { BootstrapInput } from './bootstrap-key.ts';
import { runBootstrapStep } from './bootstrap-steps.ts';
import { findOutputs, globWithoutOutput, measure, trackedOutput } from './find-outputs.ts';
import { buildSchema, failedSchema, readRecord, writeRecord, type SnapshotRecord } from './snapshot-record.ts';
import type { SnapshotId, SnapshotStore } from './snapshot-store.ts';
import { SignalboxError } from '../../core/failures.ts';
import { humanSize } from '../../core/size.ts';
import type { StepNetwork } from '../../core/step-network.ts';
import type { CheckoutPool } from '../git/checkout-pool.ts';
import { createWorkspace, removeWorkspace } from '../git/workspace.ts';

/** How often a build is begun again whose step was lost with its machine. */
const MOST_LOST = 2;

/** A build that failed so often in a row rests, before the same key is tried again. */
const FREE_TRIES = 2;
const REST_MS = 10 * 60_000;

/** What is needed to make a snapshot. */
export interface BuildRequest extends BootstrapInput {
  store: SnapshotStore;
  id: SnapshotId;
  project: string;
  /** What the commands reach. */
  network: StepNetwork;
  /** Where a used checkout may come from, and goes to. */
  pool: CheckoutPool;
  /** The longest that each command may take, milliseconds. */
  timeoutMs: number;
  /** Aborting it lets go of the build; whoever asks next goes on with it. */
  signal: AbortSignal;
  onProgress: (text: string) => void;
}

/**
 * Makes a dependency snapshot: the commands run as steps of their own on a fresh checkout, and what they leave is moved
 * away and given its name by one rename. The caller holds the snapshot's lock. A build that a crash interrupted is gone on
 * with: its steps may still be running.
 *
 * @throws BootstrapFailed if the commands fail or do not leave what is named; for some minutes the same without a new try,
 * where they did before
 */
export async function buildSnapshot(request: BuildRequest): Promise<SnapshotRecord> {
  const { store, id, onProgress } = request;
  const known = readRecord(store.failedFile(id), failedSchema);
  // What it comes to may depend on more than the inputs.
  const before = known?.commit === request.commit ? known : null;
  if (before !== null && before.times >= FREE_TRIES && Date.now() - Date.parse(before.at) < REST_MS) {
    throw new BootstrapFailed(before.failure);
  }
  const started = Date.now();
  try {
    const record = await build(request);
    rmSync(store.failedFile(id), { force: true });
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    onProgress(`${words(request)}: done in ${seconds} s, ${humanSize(record.bytes)}`);
    return record;
  } catch (error) {
    if (error instanceof BootstrapFailed) {
      const times = (before?.times ?? 0) + 1;
      writeRecord(store.failedFile(id), {
        commit: request.commit,
        times,
        at: new Date().toISOString(),
        failure: error.failure,
      });
      onProgress(`${words(request)}: failed`);
      await discard(request);
    }
    throw error;
  }
}

async function build(request: BuildRequest): Promise<SnapshotRecord> {
  const { bare, bootstrap, sandbox, store, id, pool, signal } = request;
  const site = store.site(id);
  for (let begun = 1; ; begun += 1) {
    const { id: name, commit } = await beginOrFind(request);
    const own = sandbox.fileOwner === undefined ? {} : { owner: sandbox.fileOwner };
    const { tree, index } = await createWorkspace({
      bare,
      directory: site,
      commit,
      branch: 'main',
      pool,
      signal,
      ...own,
    });
    const tracked = trackedOutput(index, bootstrap.outputs);
    if (tracked !== null) {
      const named = bootstrap.outputs.join(', ');
      throw failedBecause(
        bootstrap.commands[0] ?? '',
        `checks.bootstrap.outputs (${named}) match ${tracked}, which git tracks`,
      );
    }
    if (await runCommands(request, name, tree)) return await complete(request, tree);
    await discard(request);
    if (begun > MOST_LOST)
      throw new SignalboxError('environment', `${words(request)}: its step was lost ${begun} times`, {
        retryable: true,
      });
  }
}

/** @returns false if a step was lost: nobody knows what it did */
async function runCommands(request: BuildRequest, build: string, tree: string): Promise<boolean> {
  for (const [index, command] of request.bootstrap.commands.entries()) {
    request.onProgress(`${words(request)}: ${command}`);
    const { lost, failure } = await runBootstrapStep(request, build, index, tree);
    if (lost) return false;
    if (failure !== null) throw new BootstrapFailed(failure);
  }
  return true;
}

/** What is being made already, or a new beginning. */
async function beginOrFind({ store, id, commit }: BuildRequest): Promise<z.infer<typeof buildSchema>> {
  const file = path.join(store.site(id), 'build.json');
  const found = readRecord(file, buildSchema);
  if (found !== null) return found;
  await store.removeSite(id);
  mkdirSync(store.site(id), { recursive: true, mode: 0o755 });
  const begun = { id: `b${randomUUID().slice(0, 8)}`, commit, startedAt: new Date().toISOString() };
  writeRecord(file, begun);
  return begun;
}

const placesSchema = z.array(z.string());

/** Moves the outputs away and gives the snapshot its name; may be called again after a crash at any point. */
async function complete(request: BuildRequest, tree: string): Promise<SnapshotRecord> {
  const { bootstrap, store, id, project } = request;
  const site = store.site(id);
  const { commit, startedAt } = await beginOrFind(request);
  const draft = path.join(site, 'snapshot');
  const list = path.join(site, 'outputs.json');
  const paths = readRecord(list, placesSchema) ?? findOutputs(tree, bootstrap.outputs);
  const missing = globWithoutOutput(bootstrap.outputs, paths);
  if (missing !== null) {
    throw failedBecause(bootstrap.commands.at(-1) ?? '', `left nothing that checks.bootstrap.outputs calls ${missing}`);
  }
  writeRecord(list, paths);
  mkdirSync(path.join(draft, 'outputs'), { recursive: true, mode: 0o755 });
  const outputs = paths.map((name, index) => {
    const place = path.join('outputs', String(index));
    const moved = path.join(draft, place);
    if (lstatSync(path.join(tree, name), { throwIfNoEntry: false }) !== undefined)
      renameSync(path.join(tree, name), moved);
    return { path: name, place, ...measure(moved) };
  });
  const record: SnapshotRecord = {
    version: 1,
    ...id,
    project,
    commit,
    commands: bootstrap.commands,
    outputs,
    bytes: outputs.reduce((sum, output) => sum + output.bytes, 0),
    builtAt: new Date().toISOString(),
    buildMs: Date.now() - Date.parse(startedAt),
  };
  writeRecord(path.join(draft, 'snapshot.json'), record);
  renameSync(draft, store.directory(id));
  await discard(request);
  return record;
}

/** Takes away what a build needed. */
async function discard(request: BuildRequest): Promise<void> {
  const { store, id, pool } = request;
  store.removeSteps(id);
  await removeWorkspace(store.site(id), pool);
}

function words({ project, id }: BuildRequest): string {
  return `dependencies of ${project} (${id.key.slice(0, 12)})`;
}
