import path from 'node:path';
import type { AttemptRef } from '../../core/activities.ts';
import type { CheckFailure, CheckReport } from '../../core/checks.ts';
import { stepName } from '../../core/ids.ts';
import type { InputValue } from '../../core/person.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import { checkNetwork } from '../../core/step-network.ts';
import type { Task } from '../../core/task-file.ts';
import { taskFileMount } from '../attempt/task-file-copy.ts';
import { inputVariables, type InputVariables } from '../inputs/task-inputs.ts';
import type { ProjectHost } from '../project-host.ts';
import { runUnlessLost } from '../sandbox/run-unless-lost.ts';
import type { Sandbox, StepResult, StepSpec } from '../sandbox/sandbox.ts';
import { BootstrapFailed } from '../bootstrap/bootstrap-failed.ts';
import { DeliveredOutputs } from '../bootstrap/delivered-outputs.ts';
import { provideOutputs } from '../bootstrap/provide-outputs.ts';
import { checkFailure } from './check-failure.ts';
import { endable, type StepControl } from '../step-control.ts';
import { stepEnvironment } from '../step-facts.ts';

/** Bytes of output kept of each stream of a check. */
const OUTPUT_LIMIT = 4 * 1024 * 1024;

/** One command of a check. */
export interface Check {
  /** `lint`, `doctor`, `integration`. */
  name: string;
  command: string;
}

/** What is checked: a commit, on a fresh checkout. */
export interface CheckRequest {
  host: ProjectHost;
  manifest: RunManifest;
  task: Task;
  attempt: AttemptRef;
  commit: string;
  checks: readonly Check[];
  /** Makes the steps' names; the same label finds the same steps again. */
  label: string;
  /** More of the environment. */
  env?: Readonly<Record<string, string>>;
  /** What people gave for the task: the commands find it in their environment. */
  inputs?: Readonly<Record<string, InputValue>>;
  /** The directory of a workspace that is not needed any more, to be made the checkout. */
  from?: string;
  control: StepControl;
}

/**
 * Runs checks one after the other on a fresh checkout of a commit, each as a step, until one fails. When it is called
 * again for the same label, steps that are over are read, one that runs is attached to.
 *
 * @throws the reason of `control.detached`; `ended` ends the running step and rejects with its reason
 */
export async function runChecks(request: CheckRequest): Promise<CheckReport> {
  const started = Date.now();
  const { host, attempt, checks, commit, control } = request;
  if (checks.length === 0) return { failure: null, commands: 0, durationMs: 0 };
  const given = inputVariables(host.home, attempt, request.task, request.inputs ?? {});
  const sandbox = await host.sandboxOf(request.manifest);
  const pool = await host.pool(attempt.run.repository, sandbox);
  const key = stepName(host.ownerOf(attempt), request.label);
  const checkout = await pool.acquire(key, commit, request.from ?? null);
  const directory = path.dirname(checkout.directory);
  const outputs = new DeliveredOutputs(directory, sandbox.fileOwner);
  const release = async (): Promise<void> => {
    await outputs.withdraw(host.snapshots);
    pool.release(key);
  };
  let failure: CheckFailure | null = null;
  try {
    if (!checkout.reused) await outputs.withdraw(host.snapshots);
    const signal = AbortSignal.any([control.detached, control.ended]);
    const { manifest } = request;
    await provideOutputs({ host, manifest, run: attempt.run, sandbox, commit, accepted: false, directory, signal });
    const place = { workTree: checkout.directory, layers: outputs.layers() };
    for (const [index, check] of checks.entries()) {
      const label = `${request.label}-${index + 1}`;
      const result = await runUnlessLost(label, (name) => runCheck({ ...request, given }, sandbox, place, check, name));
      if (result.exitCode === 0) continue;
      failure = host.redactor.value(await checkFailure(check, result));
      break;
    }
  } catch (error) {
    // Whatever else went wrong, a step may still work in the checkout: whoever asks again finds both.
    if (control.ended.aborted) await release();
    if (!(error instanceof BootstrapFailed)) throw error;
    failure = host.redactor.value(error.failure);
  }
  await release();
  return { failure, commands: checks.length, durationMs: Date.now() - started };
}

async function runCheck(
  request: CheckRequest & { given: InputVariables },
  sandbox: Sandbox,
  place: Pick<StepSpec, 'workTree' | 'layers'>,
  check: Check,
  label: string,
): Promise<StepResult> {
  const { host, manifest, attempt, control, task, given } = request;
  const owner = host.ownerOf(attempt);
  const name = stepName(owner, label);
  const taskFile = taskFileMount(host, attempt.run, task);
  const objects = (await host.bare(attempt.run.repository)).objectStore;
  const result = await endable(control, sandbox, name, () =>
    sandbox.run(
      {
        name,
        owner,
        execution: attempt.execution,
        kind: 'check',
        command: check.command,
        stdin: '',
        ...place,
        mounts: [taskFile, { source: objects, target: objects, readOnly: true }],
        env: { ...stepEnvironment(host, manifest, attempt, label, taskFile.target), ...given.env, ...request.env },
        secrets: given.secrets,
        timeoutMs: manifest.config.checks.timeout,
        outputLimit: OUTPUT_LIMIT,
        network: checkNetwork(manifest.config.sandbox),
      },
      { signal: control.detached },
    ),
  );
  control.ended.throwIfAborted();
  return result;
}
