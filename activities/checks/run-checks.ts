import { readFile } from 'node:fs/promises';
import type { AttemptRef } from '../../core/activities.ts';
import type { CheckFailure, CheckReport } from '../../core/checks.ts';
import { headAndTail } from '../../core/failures.ts';
import { stepName } from '../../core/ids.ts';
import type { InputValue } from '../../core/person.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { Task } from '../../core/task-file.ts';
import { taskFileMount } from '../attempt/task-file-copy.ts';
import { inputVariables, type InputVariables } from '../inputs/task-inputs.ts';
import type { ProjectHost } from '../project-host.ts';
import type { Sandbox, StepResult } from '../sandbox/sandbox.ts';
import { endable, type StepControl } from '../step-control.ts';
import { stepEnvironment } from '../step-facts.ts';

/** Bytes of output kept of each stream of a check. */
const OUTPUT_LIMIT = 4 * 1024 * 1024;
/** Characters of a failed check's output that travel on, into prompts and reports. */
const EVIDENCE_LIMIT = 6000;

/** How often a check whose end nobody knows is run again. */
const MOST_LOST = 2;

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
  let failure: CheckFailure | null = null;
  try {
    for (const [index, check] of checks.entries()) {
      const label = `${request.label}-${index + 1}`;
      const result = await runUnlessLost({ ...request, given }, sandbox, checkout.directory, check, label);
      if (result.exitCode === 0) continue;
      failure = host.redactor.value(await describeFailure(check, result));
      break;
    }
  } catch (error) {
    // Whatever else went wrong, a step may still work in the checkout: whoever asks again finds both.
    if (control.ended.aborted) pool.release(key);
    throw error;
  }
  pool.release(key);
  return { failure, commands: checks.length, durationMs: Date.now() - started };
}

/** A check that is lost (the machine went down under it) has no verdict: it is run again, a few times. */
async function runUnlessLost(
  request: CheckRequest & { given: InputVariables },
  sandbox: Sandbox,
  workTree: string,
  check: Check,
  label: string,
): Promise<StepResult> {
  let result = await runCheck(request, sandbox, workTree, check, label);
  for (let again = 1; result.lost && again <= MOST_LOST; again += 1) {
    result = await runCheck(request, sandbox, workTree, check, `${label}-again-${again}`);
  }
  return result;
}

async function runCheck(
  request: CheckRequest & { given: InputVariables },
  sandbox: Sandbox,
  workTree: string,
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
        workTree,
        mounts: [taskFile, { source: objects, target: objects, readOnly: true }],
        env: { ...stepEnvironment(host, manifest, attempt, label, taskFile.target), ...given.env },
        secrets: given.secrets,
        timeoutMs: manifest.config.checks.timeout,
        outputLimit: OUTPUT_LIMIT,
        network: manifest.config.sandbox.network === 'bridge' ? 'bridge' : 'none',
      },
      { signal: control.detached },
    ),
  );
  control.ended.throwIfAborted();
  return result;
}

async function describeFailure(check: Check, result: StepResult): Promise<CheckFailure> {
  const streams = await Promise.all([result.stdoutPath, result.stderrPath].map((file) => readFile(file, 'utf8')));
  const output = streams
    .map((text) => text.trimEnd())
    .filter((text) => text !== '')
    .join('\n');
  return {
    check: check.name,
    command: check.command,
    exitCode: result.exitCode,
    signal: result.signal,
    timedOut: result.timedOut,
    outOfMemory: result.outOfMemory,
    output: headAndTail(output, EVIDENCE_LIMIT),
  };
}
