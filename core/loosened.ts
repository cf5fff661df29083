import type { Config } from './config.ts';
import { CONTAINER_DEFAULTS } from './container-config.ts';
import type { RunManifest } from './run-manifest.ts';
import { formatSize } from './size.ts';

type Sandbox = Config['sandbox'];

/** Runtimes that keep a step in at least as well as Docker's own. */
const KNOWN_RUNTIMES = /^(runc|crun|youki|runsc|kata)/;

/**
 * What a run's sandbox lets through that the default one does not, one line each: the key, its value, and what it means.
 * Empty for the default profile. What only makes it stricter is not told.
 */
export function loosenings(run: Pick<RunManifest, 'backend' | 'config'>): string[] {
  const backend = run.backend === 'local' ? ['backend local: steps run on this host, not in containers'] : [];
  return [...backend, ...loosenedSettings(run)];
}

/** The {@link loosenings} that keys of the configuration are, as far as its backend heeds them. */
export function loosenedSettings({ backend, config: { sandbox } }: Pick<RunManifest, 'backend' | 'config'>): string[] {
  if (backend === 'docker') {
    return [...ofNetwork(sandbox), ...ofEnvironment(sandbox), ...ofLimits(sandbox), ...ofProfile(sandbox)];
  }
  // Whether steps on this host have its network is found out there, and told with what they are not kept from.
  const network = sandbox.network === 'bridge' ? [] : ofNetwork(sandbox);
  return [...network, ...ofEnvironment(sandbox), ...ofStep(sandbox)];
}

function ofNetwork({ network, allow = [], allow_private: networks = [] }: Sandbox): string[] {
  if (network === 'bridge') return ['network bridge: steps reach the internet, this host and other containers'];
  return [
    ...listed('allow', allow, 'steps reach these hosts by https'),
    ...listed('allow_private', networks, 'allowed hosts may have addresses of these networks'),
  ];
}

function ofEnvironment({ env }: Sandbox): string[] {
  return listed('env', env, 'steps can read these variables of the worker’s environment');
}

function ofLimits(sandbox: Sandbox): string[] {
  return [...ofStep(sandbox), ...larger('shm_size', sandbox.shm_size, CONTAINER_DEFAULTS.shm, formatSize)];
}

function ofStep({ memory, cpus, pids, ulimits, tmpfs_size: tmpfs }: Sandbox): string[] {
  return [
    ...larger('memory', memory, CONTAINER_DEFAULTS.memory, formatSize),
    ...larger('cpus', cpus, CONTAINER_DEFAULTS.cpus, String),
    ...larger('pids', pids, CONTAINER_DEFAULTS.pids, String),
    ...larger('ulimits.fsize', ulimits?.fsize, CONTAINER_DEFAULTS.fsize, formatSize),
    ...larger('tmpfs_size', tmpfs, CONTAINER_DEFAULTS.tmpfs, formatSize),
  ];
}

function ofProfile({ user, read_only, cap_add, security_opt = [], devices, runtime = 'runc' }: Sandbox): string[] {
  return [
    ...listed('user', user === undefined ? [] : [user], 'on the host’s disk, steps are this user'),
    ...(read_only === false ? ['read_only false: steps can change the root file system of their container'] : []),
    ...listed('cap_add', cap_add ?? [], 'root inside keeps these capabilities'),
    ...security_opt.map((option) => `security_opt ${option}: ${OPTION_MEANING[option]}`),
    ...listed('devices', devices ?? [], 'steps use these devices of the host'),
    ...(KNOWN_RUNTIMES.test(runtime) ? [] : [`runtime ${runtime}: nobody here knows how well it keeps steps in`]),
  ];
}

const OPTION_MEANING: Record<NonNullable<Sandbox['security_opt']>[number], string> = {
  'no-new-privileges=false': 'programs of the image can give their user more power',
  'seccomp=unconfined': 'steps can make every system call',
  'apparmor=unconfined': 'AppArmor does not confine steps',
};

function listed(key: string, values: readonly string[], meaning: string): string[] {
  return values.length === 0 ? [] : [`${key} ${values.join(', ')}: ${meaning}`];
}

function larger(key: string, value: number | undefined, by: number, write: (value: number) => string): string[] {
  return value === undefined || value <= by ? [] : [`${key} ${write(value)}: by default ${write(by)}`];
}
