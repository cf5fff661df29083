import { stepName } from '../core/ids.ts';
import type { RunManifest } from '../core/run-manifest.ts';
import type { AttemptRef } from '../core/activities.ts';
import type { ProjectHost } from './project-host.ts';

/**
 * The environment that an agent or a check finds (docs/configuration.md): who it works for, and what `sandbox.env`
 * lists by name.
 */
export function stepEnvironment(
  host: ProjectHost,
  manifest: RunManifest,
  attempt: Pick<AttemptRef, 'run' | 'task' | 'attempt'>,
  step: string,
  taskFile: string,
): Record<string, string> {
  return {
    ...listedVariables(host, manifest),
    SIGNALBOX_PROJECT: attempt.run.project,
    SIGNALBOX_RUN_ID: attempt.run.run,
    SIGNALBOX_TASK_ID: attempt.task,
    SIGNALBOX_ATTEMPT: String(attempt.attempt),
    SIGNALBOX_STEP: stepName(host.ownerOf(attempt), step),
    SIGNALBOX_TASK_FILE: taskFile,
  };
}

/** Those of the worker's variables that `sandbox.env` lists. */
export function listedVariables(host: ProjectHost, manifest: RunManifest): Record<string, string> {
  const listed = manifest.config.sandbox.env.flatMap((name) => {
    const value = host.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(listed);
}
