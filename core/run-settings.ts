import type { Config } from './config.ts';
import { configSchema } from './config.ts';
import type { RunSettings } from './run-state.ts';
import type { Manifest } from './task-file.ts';
import { manifestSchema } from './task-file.ts';

/** Keys of the configuration that are accepted and checked, but that nothing heeds yet. */
export const CONFIG_KEYS_WITHOUT_EFFECT = ['scope.mode', 'validators'] as const;

/** Keys of task files that are accepted and checked, but that nothing heeds yet. */
export const TASK_KEYS_WITHOUT_EFFECT = ['tests', 'tdd'] as const;

const IDLE_LOCKS_MS = 10 * 60_000;

/** What a run's rules take from a configuration. */
export function runSettings(config: Config): RunSettings {
  return {
    maxParallel: config.run.max_parallel,
    onTaskFailure: config.run.on_task_failure,
    repositoryCap: config.repository.max_parallel ?? null,
    ignoreCase: config.repository.ignore_case ?? false,
    growthWaitMs: config.scope.wait,
    idleLocksMs: IDLE_LOCKS_MS,
    people: { deadlineMs: config.people.deadline ?? null, outcome: config.people.outcome },
  };
}

/** Which keys without effect the configuration sets to something else than their default. */
export function ignoredConfigKeys(config: Config): string[] {
  const defaults = configSchema.parse({});
  return CONFIG_KEYS_WITHOUT_EFFECT.filter((key) => differs(config, defaults, key));
}

/** Which keys without effect a task sets to something else than their default. */
export function ignoredTaskKeys(manifest: Manifest): string[] {
  const defaults = manifestSchema.parse({});
  return TASK_KEYS_WITHOUT_EFFECT.filter((key) => differs(manifest, defaults, key));
}

/** What must pass on a merged tree. `verified: false`: the configuration says that nothing is checked. */
export interface IntegrationChecks {
  commands: string[];
  verified: boolean;
}

/** The checks of merged trees, or `null` when the configuration names none and does not say that this is meant. */
export function integrationChecks({ checks }: Pick<Config, 'checks'>): IntegrationChecks | null {
  const commands = checks.integration ?? checks.doctor;
  if (commands.length > 0) return { commands, verified: true };
  return checks.integration === undefined ? null : { commands: [], verified: false };
}

function differs(value: unknown, defaults: unknown, key: string): boolean {
  const at = (root: unknown): unknown =>
    key
      .split('.')
      .reduce<unknown>(
        (here, part) => (typeof here === 'object' && here !== null ? Reflect.get(here, part) : undefined),
        root,
      );
  return JSON.stringify(at(value)) !== JSON.stringify(at(defaults));
}
