import { totalmem } from 'node:os';
import type Docker from 'dockerode';

const GIB = 1024 ** 3;

/** What a step's container may use. Absent means the default, which is never "everything". */
export interface ContainerLimits {
  /** Bytes of memory, swap included. Default: 8 GiB, or what the machine has if that is less. */
  memory?: number;
  /** Processors; fractions are allowed. Default: all. */
  cpus?: number;
  /** Processes and threads. Default: 2048. */
  pids?: number;
}

/** A user of a container, by number. */
export interface ContainerUser {
  uid: number;
  gid: number;
}

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

/** The parts of a container that hold for everything that Signalbox starts: no capability, no way to gain any, bounds. */
export function hardenedHost(limits: ContainerLimits, logBytes: number): Docker.HostConfig {
  const memory = limits.memory ?? Math.min(8 * GIB, totalmem());
  return {
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    ReadonlyRootfs: true,
    Init: true,
    PidsLimit: limits.pids ?? 2048,
    Memory: memory,
    MemorySwap: memory,
    ...(limits.cpus === undefined ? {} : { NanoCpus: Math.round(limits.cpus * 1e9) }),
    Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
    RestartPolicy: { Name: 'no' },
    LogConfig: { Type: 'json-file', Config: { 'max-size': String(logBytes), 'max-file': '1' } },
  };
}

/** Sized tmpfs mounts for the places that programs expect to be writable. They count as the container's memory. */
export function writablePlaces(user: ContainerUser): Record<string, string> {
  return {
    '/tmp': `rw,exec,nosuid,nodev,size=${2 * GIB},mode=1777`,
    [CONTAINER_HOME]: `rw,exec,nosuid,nodev,size=${2 * GIB},mode=0700,uid=${user.uid},gid=${user.gid}`,
  };
}
