import type { Config } from '../core/config.ts';
import { connectEngine, probeEngine } from '../activities/sandbox/engine.ts';
import { requireDevices, requireRuntime, requireUser } from '../activities/sandbox/engine-demands.ts';
import { SignalboxError } from '../core/failures.ts';

type Backend = 'docker' | 'local';

/** Where steps will run, and the sentence that says so where nobody chose it. */
export interface BackendChoice {
  backend: Backend;
  notice: string | null;
}

/**
 * Chooses the backend: the one asked for, else the configured one, else Docker where an engine answers.
 *
 * @throws SignalboxError `environment` when Docker is insisted on and no engine can be used, or it has not the runtime that is
 *   configured; `config` for a user that no step may be, or a
 *   device that none may have
 */
export async function chooseBackend(wish: {
  asked: Backend | undefined;
  sandbox: Pick<Config['sandbox'], 'backend' | 'runtime' | 'user' | 'devices'>;
  env: Readonly<Record<string, string | undefined>>;
}): Promise<BackendChoice> {
  const { sandbox } = wish;
  const named = wish.asked ?? sandbox.backend;
  if (named === 'local') return { backend: 'local', notice: null };
  const probe = await probeEngine(connectEngine(wish.env));
  if (probe.available) {
    requireRuntime(probe, sandbox.runtime);
    requireUser(probe, sandbox.user);
    requireDevices(sandbox.devices);
    const notice = named === undefined ? `Steps run in Docker ${probe.version}.` : null;
    return { backend: 'docker', notice };
  }
  if (named === 'docker') throw new SignalboxError('environment', probe.reason, { hint: probe.hint });
  return {
    backend: 'local',
    notice: `Steps run on this host, since ${probe.reason}.`,
  };
}
