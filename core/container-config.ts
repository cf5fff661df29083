import * as z from 'zod';
import { checkedText, size } from './fields.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** What a step's container may use where the configuration does not say: bytes, processors, processes. */
export const CONTAINER_DEFAULTS = {
  memory: 8 * GIB,
  cpus: 4,
  pids: 2048,
  fsize: 4 * GIB,
  tmpfs: 2 * GIB,
  shm: 64 * MIB,
} as const;

/** What Linux calls a capability, without `CAP_`. */
const CAPABILITIES = [
  ...['AUDIT_CONTROL', 'AUDIT_READ', 'AUDIT_WRITE', 'BLOCK_SUSPEND', 'BPF', 'CHECKPOINT_RESTORE', 'CHOWN'],
  ...['DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'IPC_LOCK', 'IPC_OWNER', 'KILL', 'LEASE'],
  ...['LINUX_IMMUTABLE', 'MAC_ADMIN', 'MAC_OVERRIDE', 'MKNOD', 'NET_ADMIN', 'NET_BIND_SERVICE', 'NET_BROADCAST'],
  ...['NET_RAW', 'PERFMON', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYSLOG', 'SYS_ADMIN', 'SYS_BOOT'],
  ...['SYS_CHROOT', 'SYS_MODULE', 'SYS_NICE', 'SYS_PACCT', 'SYS_PTRACE', 'SYS_RAWIO', 'SYS_RESOURCE', 'SYS_TIME'],
  ...['SYS_TTY_CONFIG', 'WAKE_ALARM'],
] as const;

/** What may be taken back of what keeps a step from gaining power, in Docker's words. */
const SECURITY_OPTIONS = ['no-new-privileges=false', 'seccomp=unconfined', 'apparmor=unconfined'] as const;

/**
 * Why nobody can give steps this device, or `null`. With such a device whoever runs in the container has the host's
 * memory or disks. Names do not tell everything: what lies there is looked at before it is used.
 */
export function deviceProblem(device: string): string | null {
  if (!/^\/dev\/[\w.+-]+(\/[\w.+-]+)*$/.test(device) || device.includes('/..'))
    return 'must be the path of a device, such as /dev/kvm';
  const isDisk = /^\/dev\/((sd|hd|vd|xvd|nvme|mmcblk|dm-|loop|md|sg|zd|nbd|mtd)|(mapper|disk|block|bsg)(\/|$))/.test(
    device,
  );
  const isMemory = /^\/dev\/(mem|kmem|port|kmsg)$/.test(device);
  return isDisk || isMemory ? 'is the host’s memory or one of its disks, which no step gets' : null;
}

/** How steps' containers differ from the default profile, by Docker's names: a part of the section `sandbox`. */
export const containerFields = {
  ulimits: z
    .strictObject({
      fsize: size().optional().describe('The largest file that a step may write; by default `4GiB`.'),
    })
    .optional()
    .describe('Limits of the processes of a step.'),
  tmpfs_size: size()
    .optional()
    .describe('Size of `/tmp` and of `$HOME`, each, in memory; by default `2GiB`. In bubblewrap, of `/tmp`.'),
  shm_size: size().optional().describe('Size of `/dev/shm`, in memory; by default `64MiB`.'),
  read_only: z.boolean().optional().describe('Is the root file system of a step read-only? By default it is.'),
  cap_add: z
    .array(z.enum(CAPABILITIES))
    .optional()
    .describe('Capabilities that steps keep, such as `NET_RAW`; by default none. They count for root inside only.'),
  security_opt: z
    .array(z.enum(SECURITY_OPTIONS))
    .optional()
    .describe('Protections that steps go without; by default none of them is taken back.'),
  devices: z
    .array(checkedText(deviceProblem))
    .optional()
    .describe('Devices of the host that steps get, such as `/dev/kvm`; by default none.'),
};
