import type Docker from 'dockerode';
import type { Config } from '../../core/config.ts';
import { CONTAINER_DEFAULTS } from '../../core/container-config.ts';
import { stepLimits } from './step-limits.ts';

/** What a step's container may use. Absent means the default, which is never "everything". */
export interface ContainerLimits {
  /** Bytes of memory, swap included. Default: 8 GiB, or what the machine has if that is less. */
  memory?: number;
  /** Processors; fractions are allowed. Default: 4, or what the machine has if that is less. */
  cpus?: number;
  /** Processes and threads. Default: 2048. */
  pids?: number;
  /** Bytes of the largest file that may be written. Default: 4 GiB. */
  fileSize?: number;
  /** Bytes of `/tmp` and of `$HOME`, each. Default: 2 GiB. */
  tmpfs?: number;
  /** Bytes of `/dev/shm`. Default: 64 MiB. */
  shm?: number;
}

/** What a configuration takes back of the default profile, in the engine's words. Absent means nothing. */
export interface ContainerLoosening {
  capAdd?: readonly string[];
  securityOpt?: readonly string[];
  writableRoot?: boolean;
  /** Paths of devices of the host. */
  devices?: readonly string[];
}

/** The limits and the loosening that a configuration asks for. */
export function containerOptions(sandbox: Config['sandbox']): {
  limits: ContainerLimits;
  loosened: ContainerLoosening;
} {
  const { memory, cpus, pids, ulimits, tmpfs_size: tmpfs, shm_size: shm } = sandbox;
  const { cap_add: capAdd = [], security_opt: securityOpt = [], devices = [], read_only: readOnly } = sandbox;
  const { fsize: fileSize } = ulimits ?? {};
  const limits = Object.entries({ memory, cpus, pids, fileSize, tmpfs, shm }).filter(
    ([, value]) => value !== undefined,
  );
  return {
    limits: Object.fromEntries(limits),
    loosened: { capAdd, securityOpt, devices, writableRoot: readOnly === false },
  };
}

/** A user of a container, by number. */
export interface ContainerUser {
  uid: number;
  gid: number;
}

/** The client's types do not know the mode of the cgroup namespace. */
type HardenedHost = Docker.HostConfig & { CgroupnsMode: 'private' };

/** Where $HOME is inside: a tmpfs that goes with the container. */
export const CONTAINER_HOME = '/home/signalbox';

/**
 * Who a step is inside, so that it is nobody with power outside: on a rootless engine uid 0 inside is the engine's own
 * user; a worker that is root uses a user of no other meaning; any other worker its own.
 */
export function defaultUser(rootless: boolean): ContainerUser {
  if (rootless) return { uid: 0, gid: 0 };
  const [uid, gid] = [process.getuid?.() ?? 65532, process.getgid?.() ?? 65532];
  return uid === 0 ? { uid: 65532, gid: 65532 } : { uid, gid };
}

/**
 * The parts of a container that hold for everything that Signalbox starts: no capability, no way to gain any, no
 * namespace of the host, bounds. Docker's seccomp profile is the engine's own default.
 */
export function hardenedHost(
  limits: ContainerLimits,
  logBytes: number,
  loosened: ContainerLoosening = {},
): HardenedHost {
  const { memory, cpus, pids, fileSize } = stepLimits(limits);
  const { capAdd = [], securityOpt = [], writableRoot = false, devices = [] } = loosened;
  const mayGain = securityOpt.some((option) => option.startsWith('no-new-privileges'));
  return {
    CapDrop: ['ALL'],
    ...(capAdd.length === 0 ? {} : { CapAdd: [...capAdd] }),
    SecurityOpt: [...(mayGain ? [] : ['no-new-privileges']), ...securityOpt],
    ReadonlyRootfs: !writableRoot,
    Init: true,
    IpcMode: 'private',
    CgroupnsMode: 'private',
    PidsLimit: pids,
    Memory: memory,
    MemorySwap: memory,
    NanoCpus: Math.round(cpus * 1e9),
    ShmSize: limits.shm ?? CONTAINER_DEFAULTS.shm,
    Ulimits: [
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'fsize', Soft: fileSize, Hard: fileSize },
    ],
    Devices: devices.map((path) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rw' })),
    RestartPolicy: { Name: 'no' },
    LogConfig: { Type: 'json-file', Config: { 'max-size': String(logBytes), 'max-file': '1' } },
  };
}

/** Sized tmpfs mounts for the places that programs expect to be writable. They count as the container's memory. */
export function writablePlaces(user: ContainerUser, size: number = CONTAINER_DEFAULTS.tmpfs): Record<string, string> {
  return {
    '/tmp': `rw,exec,nosuid,nodev,size=${size},mode=1777`,
    [CONTAINER_HOME]: `rw,exec,nosuid,nodev,size=${size},mode=0700,uid=${user.uid},gid=${user.gid}`,
  };
}
