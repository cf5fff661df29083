import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Home } from '../home.ts';
import { unlessMissing } from '../system-errors.ts';
import { limitedCommand } from './limited-command.ts';
import type { StepLimits } from './step-limits.ts';

/** What a control group bounds, by the names of both versions of control groups. */
export type Controller = 'memory' | 'pids' | 'cpu';

const CONTROLLERS: readonly Controller[] = ['memory', 'pids', 'cpu'];

/** The period over which the use of processors is evened out, microseconds. */
const PERIOD = 100_000;

/** Is this shell in the list of a group's processes? Its group lets it start no other to find out. */
const IS_MEMBER = 'while read -r pid; do [ "$pid" = $$ ] && exit 0; done <"$1"; exit 1';

const NO_LIMITS = { directory: null, fileSize: null, data: null, processes: null };

/** A group that no process joined is one of a worker that died: so old it may be removed, milliseconds. */
const ABANDONED = 3_600_000;

/** A directory below which control groups may be made, and what they bound there. */
interface Branch {
  directory: string;
  version: 1 | 2;
  controllers: readonly Controller[];
}

/**
 * Where this worker may make control groups for its steps: below its own group in each hierarchy of version 1, or beside
 * or below its own in version 2. Nothing of that where the system does not let it.
 */
export class CgroupSite {
  /** What the groups bound. */
  readonly controllers: ReadonlySet<Controller>;
  private readonly branches: readonly Branch[];
  private readonly prefix: string;

  private constructor(branches: readonly Branch[], prefix: string) {
    this.branches = branches;
    this.prefix = prefix;
    this.controllers = new Set(branches.flatMap(({ controllers }) => controllers));
  }

  /** Finds the places, and tries each with a process. Removes what workers of this home left behind there. */
  static async find(home: Home): Promise<CgroupSite | null> {
    if (process.platform !== 'linux') return null;
    const prefix = `signalbox-${shortHash(home.root)}-`;
    const branches: Branch[] = [];
    for (const branch of candidates()) {
      const known = new Set(branches.flatMap(({ controllers }) => controllers));
      const controllers = branch.controllers.filter((controller) => !known.has(controller));
      if (controllers.length === 0) continue;
      const working = await tryBranch({ ...branch, controllers }, prefix);
      if (working !== null) branches.push(working);
    }
    return branches.length === 0 ? null : new CgroupSite(branches, prefix);
  }

  /**
   * Makes the groups of a step, with its limits.
   *
   * @returns their directories; a process that writes 0 to each `cgroup.procs` is in them with all that it starts
   */
  make(step: string, limits: StepLimits): string[] {
    return this.branches.map((branch) => {
      const directory = path.join(branch.directory, this.prefix + shortHash(step));
      mkdirSync(directory, { recursive: true });
      for (const controller of branch.controllers) setLimit(directory, branch.version, controller, limits);
      return directory;
    });
  }
}

/** Removes groups that are empty and so old that nobody is about to join them. */
function sweep(directory: string, prefix: string): void {
  for (const name of readdirSync(directory).filter((entry) => entry.startsWith(prefix))) {
    const group = path.join(directory, name);
    try {
      if (Date.now() - statSync(group).mtimeMs > ABANDONED) rmdirSync(group);
    } catch {
      // In use, or removed by another worker.
    }
  }
}

/** Does a process that joins a group there have its bounds? */
async function tryBranch(branch: Branch, prefix: string): Promise<Branch | null> {
  const directory = path.join(branch.directory, `${prefix}try-${randomUUID().slice(0, 8)}`);
  try {
    sweep(branch.directory, prefix);
    mkdirSync(directory);
  } catch {
    return null;
  }
  try {
    const limits: StepLimits = { memory: 64 * 1024 ** 2, pids: 1, cpus: 1, fileSize: 1 };
    const controllers = branch.controllers.filter((controller) => {
      try {
        setLimit(directory, branch.version, controller, limits);
        return true;
      } catch {
        return false;
      }
    });
    if (controllers.length === 0) return null;
    const command = ['/bin/sh', '-c', IS_MEMBER, '/bin/sh', path.join(directory, 'cgroup.procs')];
    const [program = '', ...args] = limitedCommand({ ...NO_LIMITS, groups: [directory] }, command);
    const works = await new Promise<boolean>((resolve) => {
      execFile(program, args, { env: {}, timeout: 10_000 }, (error) => resolve(error === null));
    });
    return works ? { ...branch, controllers } : null;
  } finally {
    await removeGroup(directory);
  }
}

/** A group whose last process has just ended may still be in use for a moment. */
async function removeGroup(directory: string): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    try {
      rmdirSync(directory);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function setLimit(directory: string, version: 1 | 2, controller: Controller, limits: StepLimits): void {
  const set = (file: string, value: number | string): void => writeFileSync(path.join(directory, file), String(value));
  const { memory, pids, cpus } = limits;
  if (controller === 'pids') {
    set('pids.max', pids);
  } else if (controller === 'cpu') {
    const quota = Math.max(1000, Math.round(cpus * PERIOD));
    if (version === 2) set('cpu.max', `${quota} ${PERIOD}`);
    else set('cpu.cfs_quota_us', quota);
  } else if (version === 2) {
    set('memory.max', memory);
    if (existsSync(path.join(directory, 'memory.swap.max'))) set('memory.swap.max', 0);
  } else {
    // Found already made, its swap limit is in the way of a higher one.
    const both = path.join(directory, 'memory.memsw.limit_in_bytes');
    if (existsSync(both)) writeFileSync(both, '-1');
    set('memory.limit_in_bytes', memory);
    if (existsSync(both)) writeFileSync(both, String(memory));
  }
}

/** The directories to be tried, the likeliest first. */
function candidates(): Branch[] {
  const own = unlessMissing(() => readFileSync('/proc/self/cgroup', 'utf8')) ?? '';
  const mounts = unlessMissing(() => readFileSync('/proc/self/mountinfo', 'utf8')) ?? '';
  return own
    .trim()
    .split('\n')
    .flatMap((line): Branch[] => {
      const [, names = '', group = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      const unified = names === '';
      const mount = mountOf(mounts, unified ? null : names.split(','));
      if (mount === null) return [];
      const directory = path.join(mount.at, path.relative(mount.root, group));
      if (!unified) {
        const controllers = CONTROLLERS.filter((controller) => names.split(',').includes(controller));
        return [{ directory, version: 1, controllers }];
      }
      // Only the root may have both processes and groups with bounds; elsewhere the groups are made beside our own.
      const places = directory === mount.at ? [directory] : [directory, path.dirname(directory)];
      return places.map((place) => ({ directory: place, version: 2, controllers: enabled(place) }));
    });
}

/** What groups below a group of version 2 bound, after an attempt to have them bound what is wanted. */
function enabled(directory: string): Controller[] {
  const control = path.join(directory, 'cgroup.subtree_control');
  for (const controller of CONTROLLERS) {
    try {
      writeFileSync(control, `+${controller}`);
    } catch {
      // Not there, not ours, or a group with processes.
    }
  }
  const names = (unlessMissing(() => readFileSync(control, 'utf8')) ?? '').trim().split(' ');
  return CONTROLLERS.filter((controller) => names.includes(controller));
}

/** Where a hierarchy is mounted, and which of its groups that mount shows. @param names `null` for version 2 */
function mountOf(mounts: string, names: readonly string[] | null): { at: string; root: string } | null {
  for (const line of mounts.split('\n')) {
    const [front = '', back = ''] = line.split(' - ');
    const [, , , root = '', at = ''] = front.split(' ');
    const [type, , options = ''] = back.split(' ');
    const found =
      names === null
        ? type === 'cgroup2'
        : type === 'cgroup' && names.every((name) => options.split(',').includes(name));
    if (found) return { at, root };
  }
  return null;
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
