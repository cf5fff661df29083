import { statSync } from 'node:fs';
import { SignalboxError } from '../../core/failures.ts';
import { CONTAINER_DEFAULTS } from '../../core/container-config.ts';
import { defaultUser } from './container-profile.ts';
import type { ContainerLimits, ContainerUser } from './container-profile.ts';
import type { EngineProbe } from './engine.ts';
import { unlessMissing } from '../system-errors.ts';

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

/** The numbers, below the memory devices' common one, of what is the host's memory, its ports or its log. */
const [MEMORY_MAJOR, MEMORY_MINORS] = [1, [1, 2, 4, 11, 12]];

/**
 * Looks at the devices that steps are to get, whatever they are called: no disk, no memory, and no directory, of which an
 * engine would give all. What is not on this host is left to an engine elsewhere.
 *
 * @throws SignalboxError `config`
 */
export function requireDevices(devices: readonly string[] = []): void {
  for (const device of devices) {
    const found = unlessMissing(() => statSync(device));
    if (found === null) continue;
    const [major, minor] = [(found.rdev >> 8) & 0xfff, found.rdev & 0xff];
    const isMemory = major === MEMORY_MAJOR && MEMORY_MINORS.includes(minor);
    if (found.isCharacterDevice() && !isMemory) continue;
    throw new SignalboxError('config', `sandbox.devices: ${device} is no device that a step may have`, {
      hint: 'name single character devices, such as /dev/kvm; steps get no disks, and not the host’s memory',
    });
  }
}
