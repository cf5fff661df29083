import { SignalboxError } from '../../core/failures.ts';
import { CONTAINER_DEFAULTS } from '../../core/container-config.ts';
import { defaultUser } from './container-profile.ts';
import type { ContainerLimits, ContainerUser } from './container-profile.ts';
import type { EngineProbe } from './engine.ts';

type Engine = Extract<EngineProbe, { available: true }>;

/**
 * Sees to it that the engine knows a runtime.
 *
 * @throws SignalboxError `environment`, with what to do
 */
export function requireRuntime({ runtimes }: Engine, runtime: string | undefined): void {
  if (runtime === undefined || runtimes.includes(runtime)) return;
  throw new SignalboxError('environment', `the Docker engine has no runtime ${runtime}`, {
    hint:
      `install it, name it under "runtimes" in the engine's daemon.json and restart the engine; or set ` +
      `sandbox.runtime to one that it has: ${runtimes.join(', ')}`,
  });
}

/**
 * The user of a configuration's `sandbox.user`, or the default one. Root inside is root of the host, unless the engine
 * itself is not.
 *
 * @throws SignalboxError `config` for a user that is not given by number, or is the host's root
 */
export function requireUser({ rootless }: Engine, text: string | undefined): ContainerUser {
  if (text === undefined) return defaultUser(rootless);
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
  if (uid === undefined) {
    throw new SignalboxError(
      'config',
      `sandbox.user must be a number, or two joined by a colon, not ${JSON.stringify(text)}`,
    );
  }
  const user = { uid: Number(uid), gid: Number(gid ?? uid) };
  if (rootless || (user.uid !== 0 && user.gid !== 0)) return user;
  throw new SignalboxError('config', `sandbox.user ${text} is root of this host, which no step may be`, {
    hint: 'name another user, or use a rootless engine, whose root is none',
  });
}

/** Limits with the engine's machine in mind, which may be another one: it refuses more processors than it has. */
export function engineLimits(engine: Engine, limits: ContainerLimits = {}): ContainerLimits {
  const { memory = Math.min(CONTAINER_DEFAULTS.memory, engine.memory), cpus = CONTAINER_DEFAULTS.cpus } = limits;
  return { ...limits, memory, cpus: Math.min(cpus, engine.cpus) };
}
