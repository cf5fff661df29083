import { existsSync, lstatSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { CONTAINER_DEFAULTS } from '../../core/container-config.ts';
import type { Home } from '../home.ts';
import { isBelow } from '../is-below.ts';
import { packageRoot } from '../package-root.ts';

/** Where others' sockets and files lie: a step finds these empty. */
const SHARED = ['/tmp', '/var/tmp', '/run', '/var/run', '/mnt/wslg'];

/** What of the user's home holds keys and logins of well-known programs. Steps have a home of their own and miss nothing. */
const CREDENTIALS = [
  ...['.ssh', '.gnupg', '.aws', '.azure', '.kube', '.docker', '.codex', '.claude', '.terraform.d', '.password-store'],
  ...['.config/gh', '.config/gcloud', '.config/git', '.config/hub', '.config/op', '.config/containers'],
  ...['.local/share/keyrings', '.mozilla', '.config/google-chrome', '.config/chromium'],
  ...[
    '.netrc',
    '.git-credentials',
    '.npmrc',
    '.pypirc',
    '.yarnrc.yml',
    '.cargo/credentials',
    '.cargo/credentials.toml',
  ],
];

/** What of /proc root may write to even without capabilities, and would have power over the host by. */
const KERNEL = ['sys', 'sysrq-trigger', 'irq', 'bus', 'fs', 'acpi', 'scsi', 'mtrr'];

/** What a step in bubblewrap sees of the host, besides all of it to read. */
export interface BubblewrapView {
  /** Its working directory, to write. */
  workTree: string;
  /** More to write. */
  writable: readonly string[];
  /** More to read, wherever it lies. */
  readable: readonly string[];
  /** Loopback of its own instead of the host's network. */
  offline: boolean;
}

/** What is the same for all steps of a worker. */
export interface BubblewrapHost {
  /** Hidden, but for what a step is given of it. */
  home: Home;
  /** The user's home, whose credentials are hidden. */
  userHome: string | undefined;
  /** Where programs are looked for: they stay, also where they lie in what is hidden. */
  searchPath: string | undefined;
  /** Bytes of a step's own `/tmp`. Default: 2 GiB. */
  tmpSize?: number;
}

/**
 * The argument vector that runs a command in bubblewrap: the host's files to read only, but for what a step writes to;
 * processes, System V IPC and a host name of its own; no capabilities, and no way to gain any.
 *
 * All paths are given as they really are, since a link on the way to a mount would be followed in another root.
 */
export function bubblewrapped(host: BubblewrapHost, view: BubblewrapView, command: readonly string[]): string[] {
  const workTree = realpathSync(view.workTree);
  const hidden = hiddenPlaces(host);
  const isHidden = (place: string): boolean =>
    hidden.directories.some((directory) => place !== directory && isBelow(directory, place));
  const programs = [packageRoot(), process.execPath, ...(host.searchPath ?? '').split(path.delimiter)];
  const kept = [...realPaths([...programs.filter((place) => path.isAbsolute(place)), ...resolverFiles()])].filter(
    isHidden,
  );
  const readable = realPaths(view.readable);
  return [
    'bwrap',
    ...['--die-with-parent', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...(view.offline ? ['--unshare-net'] : []),
    ...['--cap-drop', 'ALL'],
    ...['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc'],
    ...(process.getuid?.() === 0 ? asRoot() : []),
    ...hidden.directories.flatMap((directory) => temporary(directory, host.tmpSize)),
    ...hidden.files.flatMap((file) => ['--ro-bind', '/dev/null', file]),
    ...[...kept, ...readable].flatMap((place) => ['--ro-bind', place, place]),
    ...[workTree, ...realPaths(view.writable)].flatMap((place) => ['--bind', place, place]),
    ...['--chdir', workTree, '--'],
    ...command,
  ];
}

/** The argument vector that runs a command which reaches a Unix socket of the host as a port of its own loopback. */
export function forwarded(gateway: { port: number; socket: string }, command: readonly string[]): string[] {
  const script = path.join(packageRoot(), 'docker', 'step-forward.pl');
  return ['perl', script, String(gateway.port), gateway.socket, ...command];
}

/**
 * Root's programs change owners and modes of what they unpack, and read what others own; elsewhere than where a step may
 * write, they cannot change it.
 */
function asRoot(): string[] {
  const covered = KERNEL.map((name) => `/proc/${name}`).filter((place) => existsSync(place));
  return [
    ...['CAP_CHOWN', 'CAP_FOWNER', 'CAP_DAC_OVERRIDE'].flatMap((name) => ['--cap-add', name]),
    ...covered.flatMap((place) => ['--ro-bind', place, place]),
  ];
}

function temporary(directory: string, size: number = CONTAINER_DEFAULTS.tmpfs): string[] {
  return ['/tmp', '/var/tmp'].includes(directory)
    ? ['--perms', '1777', '--size', String(size), '--tmpfs', directory]
    : ['--tmpfs', directory];
}

function hiddenPlaces({ home, userHome }: BubblewrapHost): { directories: string[]; files: string[] } {
  const credentials = userHome === undefined ? [] : CREDENTIALS.map((name) => path.join(userHome, name));
  const found = [...realPaths([...SHARED, home.root, ...credentials])];
  // What lies in a hidden directory need not be hidden again, and could not be: it is not there.
  const directories = found
    .filter((place) => statSync(place).isDirectory())
    .filter((place, _, all) => !all.some((other) => other !== place && isBelow(other, place)));
  const files = found.filter((place) => statSync(place).isFile() && !directories.some((one) => isBelow(one, place)));
  return { directories, files };
}

/** `/etc/resolv.conf` is mostly a link into what is hidden. */
function resolverFiles(): string[] {
  const file = '/etc/resolv.conf';
  return lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true ? [file] : [];
}

/** What exists of some paths, as it really is, each once. */
function realPaths(places: readonly string[]): Set<string> {
  return new Set(places.filter((place) => existsSync(place)).map((place) => realpathSync(place)));
}
