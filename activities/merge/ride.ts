import type { Config } from '../../core/config.ts';
import { matchesGlob } from '../../core/globs.ts';
import type { RunManifest } from '../../core/run-manifest.ts';
import type { Task } from '../../core/task-file.ts';
import type { Ride } from '../../core/train.ts';
import { checksOf } from '../attempt/task-checks.ts';
import { definitionDigest } from '../checks/check-definition.ts';
import type { Check } from '../checks/run-checks.ts';

/** The integration checks of a task: its lane's own, where it has some. */
export function integrationChecks(manifest: RunManifest, task: Task, lane: string | null): Check[] {
  const own = manifest.config.train.lanes.find(({ name }) => name === lane)?.integration;
  if (own === undefined) return checksOf(manifest, task).integration;
  return own.map((command) => ({ name: 'integration', command }));
}

/** How a task's work is to be checked and merged. @param changed the paths that differ from its base */
export function rideOf(manifest: RunManifest, task: Task, changed: readonly string[]): Ride {
  const { train, checks, repository } = manifest.config;
  const lane = laneOf(manifest, changed);
  return {
    checks: definitionDigest(manifest, integrationChecks(manifest, task, lane)),
    lane,
    slots: train.slots,
    recheckTip: train.recheck_tip,
    canary: checks.canary.mode === 'off' ? 'off' : checks.canary.unproven,
    push: repository.remote?.push ?? 'none',
  };
}

/** The lane whose globs match all of the paths, if there is one. */
export function laneOf({ config }: RunManifest, changed: readonly string[]): string | null {
  const lanesOf = lanesOfPaths(config);
  const [first = [], ...others] = changed.map(lanesOf);
  return first.find((lane) => others.every((lanes) => lanes.includes(lane))) ?? null;
}

/** Tells in which lanes a path is, in the configuration's order. */
export function lanesOfPaths({ repository, train }: Config): (path: string) => string[] {
  const options = { ignoreCase: repository.ignore_case ?? false, cache: new Map() };
  return (path) =>
    train.lanes.filter(({ paths }) => paths.some((glob) => matchesGlob(glob, path, options))).map(({ name }) => name);
}
