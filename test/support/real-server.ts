import { TestWorkflowEnvironment } from '@temporalio/testing';
import { findTemporalCli } from '../../workers/server/temporal-cli.ts';
import { quietRuntime } from './quiet-runtime.ts';
import { TUNING_ARGUMENTS } from '../../workers/server/tuning.ts';

/**
 * A real Temporal server of its own, in memory, for tests that need other settings than the shared one.
 *
 * @param settings dynamic configuration, as `--dynamic-config-value` takes it
 */
export async function realServer(
  settings: Readonly<Record<string, string>>,
): Promise<TestWorkflowEnvironment & { lists: true }> {
  const { path } = await findTemporalCli({ env: process.env, onProgress: () => undefined });
  const own = Object.entries(settings).flatMap(([key, value]) => ['--dynamic-config-value', `${key}=${value}`]);
  // A server in memory has no use for the database's settings.
  const tuning = TUNING_ARGUMENTS.flatMap((argument, index, all) =>
    argument === '--dynamic-config-value' ? [argument, all[index + 1] ?? ''] : [],
  );
  quietRuntime();
  const environment = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path },
      extraArgs: [...tuning, ...own],
      log: { format: 'json', level: 'error' },
    },
  });
  return Object.assign(environment, { lists: true as const });
}
