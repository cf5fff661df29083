import type { TurnResult } from '../../core/activities.ts';
import { claimsOf } from '../../core/catalogue.ts';
import { changeSummary } from '../../core/change-summary.ts';
import { mergeSettings } from '../../core/config.ts';
import { isShared } from '../../core/merge-drivers.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import { undeclaredWrites } from '../../core/scope.ts';
import { sensitiveChanges } from '../../core/sensitive-changes.ts';
import type { Task } from '../../core/task-file.ts';
import type { BareRepository } from '../git/bare-repository.ts';
import { fileStats, type FileStat } from '../git/diff.ts';
import { checksOf } from './task-checks.ts';

/**
 * What the work in a commit changed since its base, and what of it lies outside of what the task may write. Files that a
 * driver merges are nobody's alone.
 *
 * @param extra globs that it may write besides its claims
 */
export async function workFacts(
  bare: BareRepository,
  manifest: RunManifest,
  task: Task,
  work: { base: string; commit: string; extra: readonly string[] },
): Promise<Pick<TurnResult, 'changes' | 'undeclared' | 'findings'>> {
  const stats = await fileStats(bare, work.base, work.commit);
  const claims = [...claimsOf(task, manifest.config).writes, ...work.extra];
  const { drivers } = mergeSettings(manifest.config);
  const options = { ignoreCase: manifest.config.repository.ignore_case ?? false, cache: new Map() };
  const paths = stats.map(({ path }) => path).filter((path) => !isShared(drivers, path, options));
  const findings = findingsOf(manifest, task, stats);
  return {
    changes: changeSummary(stats),
    undeclared: undeclaredWrites(paths, claims, options),
    ...(findings.length === 0 ? {} : { findings }),
  };
}

/** What a person should know of the files that a task changed: see `sensitiveChanges`. */
export function findingsOf(manifest: RunManifest, task: Task, stats: readonly FileStat[]): string[] {
  return sensitiveChanges(
    stats.map(({ path }) => path),
    {
      commands: provingCommands(manifest, task),
      tasksPath: manifest.config.tasks.path,
      ignoreCase: manifest.config.repository.ignore_case ?? false,
    },
  );
}

/** All that proves the work, or installs what that needs. */
function provingCommands(manifest: RunManifest, task: Task): string[] {
  const { lint, fast, doctor, integration } = checksOf(manifest, task);
  const checks = [...lint, ...fast, ...doctor, ...integration].map(({ command }) => command);
  return [...checks, ...(manifest.config.checks.bootstrap?.commands ?? [])];
}
