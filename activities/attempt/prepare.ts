import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { PreparedAttempt, TaskActivities } from '../../core/activities.ts';
import { SignalboxError } from '../../core/failures.ts';
import { agentsQueue, hostQueue } from '../../core/ids.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import { agentNetwork } from '../../core/step-network.ts';
import { taskBranch } from '../../core/task-branch.ts';
import type { Task } from '../../core/task-file.ts';
import { provideOutputs } from '../bootstrap/provide-outputs.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import { findBase } from '../git/base-commit.ts';
import { createWorkspace } from '../git/workspace.ts';
import type { ProjectHost } from '../project-host.ts';
import type { StepControl } from '../step-control.ts';
import { checksOf } from './task-checks.ts';
import { taskFileMount } from './task-file-copy.ts';

const recordSchema = z.object({ execution: z.string(), attemptsBefore: z.number(), base: z.string() });

/** Makes the next attempt: its number, its base and its workspace. A second call for the same attempt finds the first's. */
export async function prepareAttempt(
  host: ProjectHost,
  input: Parameters<TaskActivities['prepare']>[0],
  { detached, ended }: StepControl,
): Promise<PreparedAttempt> {
  const { run, task: id } = input;
  const signal = AbortSignal.any([detached, ended]);
  const { manifest, task } = await host.manifests.task(run, id);
  const sandbox = await host.sandboxOf(manifest);
  const bare = await host.bare(run.repository);
  const { attempt, base } = await takeNumber(host, bare, input);
  const directory = host.attemptDirectory({ run, task: id, attempt });
  const branch = taskBranch(manifest.config, run.run, id);
  const { execution } = input;
  const owner = host.ownerOf({ run, task: id, attempt });
  sandbox.openAttempt?.({ owner, execution }, agentNetwork(manifest.config.sandbox));
  taskFileMount(host, run, task);
  await createWorkspace({
    bare,
    directory,
    commit: base,
    branch,
    pool: await host.pool(run.repository, sandbox),
    ...(sandbox.fileOwner === undefined ? {} : { owner: sandbox.fileOwner }),
  });
  await provideOutputs({ host, manifest, run, sandbox, commit: base, accepted: true, directory, signal });
  mkdirSync(path.join(directory, 'agent-home'), { recursive: true, mode: 0o700 });
  return {
    attempt,
    base,
    branch,
    queue: hostQueue(host.queue, host.host),
    agents: agentsQueue(host.queue, host.host),
    hints: hintsOf(manifest, task),
    scope: manifest.config.scope.mode,
    ...remoteOf(manifest),
  };
}

function remoteOf({ config }: RunManifest): Pick<PreparedAttempt, 'remote'> {
  const { remote } = config.repository;
  if (remote === undefined || remote.push === 'none') return {};
  return { remote: { push: remote.push, integration: remote.integration } };
}

function hintsOf(manifest: RunManifest, task: Task): boolean {
  const checks = checksOf(manifest, task);
  return checks.lint.length + checks.fast.length > 0;
}

/**
 * Attempt numbers only grow: the next one is above every ref and every record of the task. Making its record with an
 * exclusive create takes it; the record names its owner, so that a repeated call gets the same number.
 */
async function takeNumber(
  host: ProjectHost,
  bare: BareRepository,
  input: Parameters<TaskActivities['prepare']>[0],
): Promise<{ attempt: number; base: string }> {
  const { run, task, execution, attemptsBefore } = input;
  const { branch } = run.repository;
  const first = Math.max(attemptsBefore, bare.highestAttempt(run.run, task)) + 1;
  for (let attempt = Math.max(1, attemptsBefore + 1); ; attempt += 1) {
    const file = `${host.attemptDirectory({ run, task, attempt })}.json`;
    if (existsSync(file)) {
      const record = recordSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
      if (record.execution === execution && record.attemptsBefore === attemptsBefore)
        return { attempt, base: record.base };
      continue;
    }
    if (attempt < first) continue;
    const policy = () => host.mergeCommits.policy(run);
    const base = await findBase({ bare, user: await host.user(run.repository), branch, policy });
    if ('kind' in base) {
      throw new SignalboxError('refused', `commits on ${branch} conflict with accepted work that has not landed yet`, {
        hint: `Merge refs/remotes/signalbox/${branch} into ${branch}, then retry the task.`,
      });
    }
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    const record = { execution, attemptsBefore, base: base.commit };
    if (writeNew(file, JSON.stringify(record))) return { attempt, base: base.commit };
  }
}

function writeNew(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    // On a full disk it may be there without its text, and would be in everybody's way.
    rmSync(file, { force: true });
    throw error;
  }
}
