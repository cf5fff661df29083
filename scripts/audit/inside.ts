import { readlinkSync } from 'node:fs';
import path from 'node:path';
import { CONTAINER_HOME } from '../../activities/sandbox/container-profile.ts';
import type { ContainerUser } from '../../activities/sandbox/container-profile.ts';
import { gatewayLayout } from '../../activities/models/gateway-layout.ts';
import { SIDECAR_PORT } from '../../activities/sandbox/sidecar.ts';
import { assertion, exactly, like, oneOf, type Assertion, type Rule } from './assertion.ts';
import { WORKER_SECRET, type AuditWorld } from './world.ts';

const REFUSED = oneOf('refused', ['EPERM', 'EACCES', 'ENOSYS']);
const NOT_WRITABLE = oneOf('refused', ['EROFS', 'EACCES', 'EPERM']);
const ABSENT = exactly('ENOENT');
const NONE = exactly('none');
const OUT_OF_REACH = oneOf('out of reach', ['ESRCH', 'EPERM', 'ENOSYS']);
const UNREACHABLE = oneOf('unreachable', ['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);
const NOBODY_THERE = oneOf('nobody there', ['ECONNREFUSED', 'EADDRNOTAVAIL']);
const NO_CAPABILITY = exactly('0000000000000000');

/** The line that tells which kernel answers. */
const RELEASE = 'kernel/release';

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts'] as const;

const SYSTEM_CALLS = [
  ...['mount a tmpfs', 'mount --bind', 'remount / writable', 'umount', 'pivot_root', 'chroot', 'fsopen', 'open_tree'],
  ...['unshare a user namespace', 'unshare a mount namespace', 'unshare a network namespace'],
  ...['unshare a pid namespace', 'clone into a user namespace', 'setns', 'open_by_handle_at', 'mknod a disk', 'bpf'],
  ...['perf_event_open', 'keyctl', 'add_key', 'kexec_load', 'init_module', 'finit_module', 'delete_module', 'swapon'],
  ...['reboot', 'settimeofday', 'sethostname', 'userfaultfd', 'acct', 'quotactl', 'read the kernel log'],
  ...(process.arch === 'x64' ? ['iopl'] : []),
  ...['open a raw IP socket', 'open a packet socket'],
];

/** What of the kernel's no process may write to. */
const KERNEL_FILES = [
  ...['/proc/sys/kernel/core_pattern', '/proc/sys/kernel/modprobe', '/proc/sys/vm/overcommit_memory'],
  ...['/proc/sys/net/ipv4/ip_forward', '/proc/sys/fs/suid_dumpable', '/proc/sysrq-trigger'],
  ...['/proc/irq/default_smp_affinity', '/sys/kernel/mm/transparent_hugepage/enabled', '/sys/power/state'],
];

/** What of the kernel's no process may read: secrets of the host, and addresses. */
const MASKED = ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/acpi', '/proc/scsi', '/sys/firmware'];

const READ_ONLY_DIRECTORIES = ['/', '/etc', '/usr/bin', '/usr/lib', '/opt', '/var/lib', '/signalbox'];

const DEVICES = ['/dev/mem', '/dev/kmsg', '/dev/kvm', '/dev/fuse', '/dev/vda', '/dev/sda', '/dev/net/tun'];

const ELSEWHERE: [string, string][] = [
  ['connect', 'the metadata address 169.254.169.254 80'],
  ['connect', 'the metadata address of IPv6 fd00:ec2::254 80'],
  ['connect', 'the internet 1.1.1.1 443'],
  ['connect', 'the internet by IPv6 2606:4700:4700::1111 443'],
  ['datagram', 'a name server of the internet 8.8.8.8 53'],
  ['name', 'example.com'],
];

/** Where the proxy carries nobody by default. */
const NOT_CARRIED = ['169.254.169.254:80', 'example.com:443'];

/** The rule of every line that `inside.pl` has to tell, by area and name; what to try is told to it by the prompt. */
type Rules = Map<string, Rule>;

/** What is tried inside: the script's input, and what has to come of it. */
export interface InsideAudit {
  prompt: string;
  rules: Rules;
}

/** Plans what a step tries. @param processes processes that it must not reach, by name and the host's number */
export function planInside(
  world: AuditWorld,
  task: string,
  mark: string,
  processes: readonly [name: string, pid: number][],
): InsideAudit {
  const turn = world.placeOf(task);
  const absent = absentPaths(world);
  const notWritable = ['/signalbox/step.sh', '/signalbox/stdin', '/signalbox/redact.pl', turn.taskFile];
  const directories = [...READ_ONLY_DIRECTORIES, turn.gitObjects];
  const given: [string, string][] = [
    ...world.reachable,
    ...ELSEWHERE,
    ...[...new Set([...NOT_CARRIED, ...allowedTargets(world)])].map((target): [string, string] => ['proxy', target]),
    ...KERNEL_FILES.map((file): [string, string] => ['kernel_file', file]),
    ...MASKED.map((file): [string, string] => ['masked', file]),
    ...directories.map((directory): [string, string] => ['read_only', directory]),
    ...notWritable.map((file): [string, string] => ['not_writable', file]),
    ...absent.map((file): [string, string] => ['absent', file]),
    ...DEVICES.map((file): [string, string] => ['device', file]),
    ...processes.map(([name, pid]): [string, string] => ['process', `${name} ${pid}`]),
    ...Object.entries({
      ...{ kernel: world.kernel, mark, secret: WORKER_SECRET, gateway: `127.0.0.1 ${SIDECAR_PORT}` },
      ...{ file_size: String(world.limits.fsize), processes: String(world.limits.pids) },
    }),
  ];
  const rules: Rules = new Map();
  const add: AddRules = (area, names, rule, does = '') => {
    for (const name of names) rules.set(`${area}/${does}${name}`, rule);
  };
  const values = (what: string): string[] => given.flatMap(([key, value]) => (key === what ? [value] : []));
  rules.set(RELEASE, world.runtime === undefined ? exactly(world.kernel) : like('a kernel', /./));
  userRules(world.user, add);
  kernelRules(add);
  // Another runtime may say it in another way.
  add('files', directories, world.runtime === undefined ? exactly('EROFS') : NOT_WRITABLE, 'create in ');
  add('files', notWritable, NOT_WRITABLE, 'write ');
  add('files', absent, ABSENT, 'see ');
  add('files', ['mounts that propagate', 'sockets'], NONE);
  add('devices', ['disks', 'others than the ordinary'], NONE);
  add('devices', DEVICES, ABSENT, 'open ');
  const others = processes.map(([name]) => name);
  for (const does of ['signal ', 'ptrace ', 'read memory of ']) add('processes', others, OUT_OF_REACH, does);
  add('processes', ['others that are seen'], NONE);
  add('processes', ['orphans'], exactly('are reaped'));
  networkRules(values, add);
  environmentRules(world, add);
  limitRules(world.limits, add);
  return { prompt: given.map(([what, value]) => `${what}\t${value}\n`).join(''), rules };
}

/** What is the kernel's doing. A runtime that brings one of its own keeps it from the host's. */
const OF_THE_KERNEL = /^(system calls|proc and sys|namespaces|devices|limits)\/|^user\/(CapAmb|NoNewPrivs|Seccomp)$/;

/** Judges what was found inside; a try that is missing fails. */
export function judgeInside(
  { kernel, runtime }: AuditWorld,
  rules: Rules,
  found: ReadonlyMap<string, string>,
): Assertion[] {
  const hasOwnKernel = runtime !== undefined && found.get(RELEASE) !== kernel;
  const judged = hasOwnKernel ? [...rules].filter(([place]) => !OF_THE_KERNEL.test(place)) : [...rules];
  return judged.map(([place, rule]) => {
    const slash = place.indexOf('/');
    return assertion(place.slice(0, slash), place.slice(slash + 1), rule, found.get(place));
  });
}

/** Adds a rule for each of the names, after what is done with them. */
type AddRules = (area: string, names: readonly string[], rule: Rule, does?: string) => void;

function userRules({ uid, gid }: ContainerUser, rule: AddRules): void {
  rule('user', ['Uid'], exactly(Array(4).fill(uid).join(' ')));
  rule('user', ['Gid'], exactly(Array(4).fill(gid).join(' ')));
  rule('user', ['Groups'], oneOf('no other group', ['', String(gid)]));
  rule('user', ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'], NO_CAPABILITY);
  rule('user', ['NoNewPrivs'], exactly('1'));
  rule('user', ['Seccomp'], exactly('2'));
  // Of a rootless engine, root inside is none outside.
  if (uid !== 0) rule('user', ['setuid 0', 'setgid 0'], REFUSED);
}

function kernelRules(rule: AddRules): void {
  for (const name of NAMESPACES) rule('namespaces', [name], another(name));
  rule('system calls', SYSTEM_CALLS, REFUSED);
  rule('proc and sys', KERNEL_FILES, oneOf('refused', ['EROFS', 'EACCES', 'EPERM', 'ENOENT']), 'write ');
  rule('proc and sys', MASKED, exactly('empty'), 'read ');
  rule('proc and sys', ['protect itself from the OOM killer'], REFUSED);
}

function networkRules(values: (what: string) => string[], rule: AddRules): void {
  /** Without the address at its end. */
  const named = (what: string): string[] => values(what).map((value) => value.split(' ').slice(0, -2).join(' '));
  rule('network', ['interfaces'], exactly('lo'));
  rule('network', ['routes'], NONE);
  // Loopback is there, but nobody else's.
  const isLoopback = (name: string): boolean => /(127\.0\.0\.1|::1|loopback)$/.test(name);
  for (const name of named('connect'))
    rule('network', [name], isLoopback(name) ? NOBODY_THERE : UNREACHABLE, 'connect to ');
  rule('network', named('datagram'), UNREACHABLE, 'send to ');
  rule('network', values('name'), exactly('no answer'), 'resolve ');
  rule('network', ['connect to an abstract socket of the host'], exactly('ECONNREFUSED'));
  rule('network', ['the gateway answers'], like('with a status', /^[245]\d\d$/));
  rule('network', values('proxy'), oneOf('refused', ['403', '407']), 'through the gateway to ');
}

/** A namespace that is not the one of this process, which is the host's or as good as. */
function another(name: (typeof NAMESPACES)[number]): Rule {
  const ours = readlinkSync(`/proc/self/ns/${name}`);
  return { expected: 'its own', holds: (found) => found.startsWith(`${name}:[`) && found !== ours };
}

function absentPaths({ home, neighbour }: AuditWorld): string[] {
  const sockets = ['/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock', '/run/podman'];
  const { socket, secret, login } = gatewayLayout(home);
  const others = [neighbour.workTree, neighbour.taskFile, neighbour.gitObjects];
  return [...sockets, '/signalbox/gateway', socket, secret, login, home.steps, home.artefacts, ...others];
}

/** The hosts that an allow-list names one by one, as a proxy is asked for them: a step that is carried there is looser. */
function allowedTargets({ allow }: AuditWorld): string[] {
  const hosts = allow.filter((entry) => /[.:]/.test(entry) && !entry.startsWith('*'));
  return hosts.map((host) => (/:\d+$/.test(host) ? host : `${host}:443`));
}

function environmentRules({ allow }: AuditWorld, rule: AddRules): void {
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
  const allowed = [
    ...['PATH', 'HOME', 'LANG', 'TERM', 'TZ', 'PWD', 'SHLVL', '_', 'OLDPWD'],
    ...['SIGNALBOX_STEP', 'SIGNALBOX_TASK_ID', 'SIGNALBOX_TASK_FILE'],
    ...['OPENAI_BASE_URL', 'OPENAI_API_KEY', 'ANTHROPIC_BASE_URL', 'ANTHROPIC_API_KEY'],
    ...(allow.length === 0 ? [] : [...proxies, ...proxies.map((name) => name.toLowerCase()), 'NODE_USE_ENV_PROXY']),
  ];
  rule('environment', ['variables'], {
    expected: 'allowed names only',
    holds: (found) => found !== '' && found.split(' ').every((name) => allowed.includes(name)),
  });
  rule('environment', ['a secret of the worker'], NONE);
}

function limitRules({ fsize, pids, tmpfs, shm }: AuditWorld['limits'], rule: AddRules): void {
  rule('limits', ['file size'], exactly(`${fsize} ${fsize}`));
  rule('limits', ['core dumps'], exactly('0 0'));
  rule('limits', ['write beyond the file size'], exactly('EFBIG'));
  for (const place of ['/tmp', CONTAINER_HOME]) rule('limits', [place], sized(tmpfs));
  rule('limits', ['/dev/shm'], sized(shm));
  rule('limits', ['processes'], exactly(`EAGAIN after fewer than ${pids}`));
}

/** A tmpfs of this size that holds no devices and no programs of more power. */
function sized(bytes: number): Rule {
  const options = ['nosuid', 'nodev', `size=${bytes / 1024}k`];
  return {
    expected: `tmpfs, ${options.join(', ')}`,
    holds: (found) => options.every((option) => found.split(/[ ,]/).includes(option)),
  };
}

export const INSIDE_SCRIPT = path.join(import.meta.dirname, 'inside.pl');
