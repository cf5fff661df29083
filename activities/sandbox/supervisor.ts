import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { SignalboxError } from '../../core/failures.ts';
import { packageRoot } from '../package-root.ts';
import { unlessMissing } from '../system-errors.ts';
import type { StepSpec } from './sandbox.ts';
import type { StepDirectory } from './step-directory.ts';
import { hiddenTexts } from './hidden-texts.ts';
import { withLayers } from './local-layers.ts';
import { argumentsOf, stepVariables } from './step-environment.ts';

/** A supervisor that this process has started; it goes on when this process ends. */
export interface StartedSupervisor {
  pid: number;
  /** Whether it has ended, or given way to one that was there before it. */
  isOver(): boolean;
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
  hostEnv: Readonly<Record<string, string | undefined>>,
): Promise<StartedSupervisor> {
  const env = {
    ...hostVariables(hostEnv),
    HOME: directory.file('home'),
    TERM: 'dumb',
    ...stepVariables(spec.env),
    ...secretVariables(spec.secrets),
    SIGNALBOX_SUPERVISED: spec.name,
  };
  const script = path.join(packageRoot(), 'docker', 'step-local.sh');
  const seconds = (spec.timeoutMs / 1000).toFixed(3);
  const blocks = String(Math.ceil(spec.outputLimit / 512));
  const supervised = [script, directory.path, seconds, blocks, ...argumentsOf(spec.command)];
  const [program = '', ...args] = withLayers(spec.layers ?? [], supervised);
  const stdin = unlessMissing(() => openSync(directory.file('stdin'), 'r'));
  try {
    const child = spawn(program, args, {
      cwd: spec.workTree,
      env,
      detached: true,
      stdio: [stdin ?? 'ignore', 'ignore', 'ignore'],
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => {
        resolve(child.pid ?? 0);
      });
    });
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

/** They live in the environments of the step's processes, and nowhere else. */
function secretVariables(secrets: StepSpec['secrets'] = {}): Record<string, string> {
  const hidden = hiddenTexts(Object.values(secrets));
  return { ...secrets, ...(hidden.length === 0 ? {} : { SIGNALBOX_REDACT: hidden.join('\n') }) };
}
