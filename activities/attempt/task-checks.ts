import type { RunManifest } from '../../core/run-manifest.ts';
import type { Task } from '../../core/task-file.ts';
import type { Check } from '../checks/run-checks.ts';

/** The checks that a task has: its own, else the configuration's. */
export interface TaskChecks {
  lint: Check[];
  fast: Check[];
  doctor: Check[];
  /** What must pass on every merged tree. */
  integration: Check[];
}

/** Resolves a task's checks. */
export function checksOf(manifest: RunManifest, task: Task): TaskChecks {
  const { checks } = manifest.config;
  const { verify } = task.manifest;
  const named = (name: string, commands: readonly string[] = []): Check[] =>
    commands.map((command) => ({ name, command }));
  return {
    lint: named('lint', verify.lint ?? checks.lint),
    fast: named('fast', verify.fast),
    doctor: named('doctor', verify.doctor ?? checks.doctor),
    integration: named('integration', checks.integration ?? checks.doctor),
  };
}
