import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { SignalboxError } from '../../core/failures.ts';
import { packageRoot } from '../package-root.ts';
import type { Redactor } from '../redaction/redactor.ts';
import { unlessMissing } from '../system-errors.ts';
import type { StepSpec } from './sandbox.ts';
import type { StepDirectory } from './step-directory.ts';
import { withLayers } from './local-layers.ts';
import type { LocalProtection } from './local-protection.ts';
import { stepSecrets, stepVariables } from './step-environment.ts';

/** A supervisor that this process has started; it goes on when this process ends. */
export interface StartedSupervisor {
  pid: number;
  /** Whether it has ended, or given way to one that was there before it. */
  isOver(): boolean;
}

/** What the worker that starts a supervisor gives it. */
export interface SupervisorContext {
  /** The worker's environment. */
  env: Readonly<Record<string, string | undefined>>;
  protection: LocalProtection;
  redactor: Redactor;
}

/**
 * Starts `docker/step-local.sh` for a step, in a session of its own. Several may be started for one step: only the first
 * runs it.
 *
 * @throws SignalboxError `environment` if the work tree is missing or no process can be made
 */
export async function startSupervisor(
  directory: StepDirectory,
  spec: StepSpec,
  worker: SupervisorContext,
): Promise<StartedSupervisor> {
  const env = {
    ...hostVariables(worker.env),
    HOME: directory.file('home'),
    TERM: 'dumb',
    ...stepVariables(spec.env),
    ...spec.secrets,
    SIGNALBOX_SUPERVISED: spec.name,
  };
  const script = path.join(packageRoot(), 'docker', 'step-local.sh');
  const blocks = String(Math.ceil(spec.outputLimit / 512));
  const stdin = unlessMissing(() => openSync(directory.file('stdin'), 'r'));
  try {
    const { command, timeoutMs } = worker.protection.protect(directory, spec);
    const supervised = [script, directory.path, (timeoutMs / 1000).toFixed(3), blocks, ...command];
    const [program = '', ...args] = withLayers(spec.layers ?? [], supervised);
    const child = spawn(program, args, {
      cwd: spec.workTree,
      env,
      detached: true,
      stdio: [stdin ?? 'ignore', 'ignore', 'ignore', 'pipe'],
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => {
        resolve(child.pid ?? 0);
      });
    });
    await tell(child.stdio[3], toldSecrets(spec, worker.redactor));
    child.unref();
    return { pid, isOver: () => child.exitCode !== null || child.signalCode !== null };
  } catch (error) {
    throw new SignalboxError('environment', `cannot start step ${spec.name} in ${spec.workTree}: ${String(error)}`, {
      cause: error,
    });
  } finally {
    if (stdin !== null) closeSync(stdin);
  }
}

function hostVariables(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const path = env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  const zone = env['TZ'];
  return { PATH: path, LANG: env['LANG'] ?? 'C.UTF-8', ...(zone === undefined ? {} : { TZ: zone }) };
}

/** What is hidden in the step's output: in no file, and in no environment that its command could read. */
function toldSecrets(spec: StepSpec, redactor: Redactor): string {
  const { texts, patterns } = redactor.with(stepSecrets(spec));
  return [...texts.map((text) => `=${text}`), ...patterns.map((pattern) => `~${pattern}`), '.\n'].join('\n');
}

/** Writes all of it. A supervisor that gave way to another one does not read it. */
async function tell(pipe: unknown, text: string): Promise<void> {
  if (!(pipe instanceof Writable)) return;
  await new Promise<void>((resolve) => {
    pipe.on('error', () => resolve());
    pipe.on('close', () => resolve());
    pipe.end(text, () => pipe.destroy());
  });
}
