import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { StepNetwork } from '../../core/step-network.ts';
import type { Home } from '../home.ts';
import { bubblewrapped, forwarded, type BubblewrapHost } from './bubblewrap.ts';
import { CgroupSite, type Controller } from './cgroup-site.ts';
import { limitedCommand } from './limited-command.ts';
import type { StepSpec } from './sandbox.ts';
import type { StepDirectory } from './step-directory.ts';
import { argumentsOf } from './step-environment.ts';
import { StepGroup } from './step-group.ts';
import { stepLimits, type LimitSettings, type StepLimits } from './step-limits.ts';
import { findScope, type SystemdScope } from './systemd-scope.ts';
import { none, tryBubblewrap, type BubblewrapProbe } from './try-bubblewrap.ts';

/** How long a supervisor waits beyond a step's time where that is kept inside of bubblewrap first, milliseconds. */
const BACKSTOP = 10_000;

/** What a {@link LocalProtection} is found out for. */
export interface ProtectionOptions {
  home: Home;
  /** The worker's environment. */
  env: Readonly<Record<string, string | undefined>>;
  limits?: LimitSettings;
  /** `off`: steps are not run in bubblewrap even where it works. */
  bubblewrap?: 'auto' | 'off';
  /** Where the model gateway listens on loopback; empty: there is none. */
  gatewayUrl?: string;
  /** Its Unix socket. */
  gatewaySocket?: string;
}

/** How a step's command is started. */
export interface ProtectedCommand {
  command: readonly string[];
  /** When its supervisor ends it, if nothing else has. */
  timeoutMs: number;
}

/**
 * What keeps steps on this host within bounds: whatever of bubblewrap, control groups and resource limits works here, each
 * tried for real. What does not work is left out, and told by `protection-facts.ts`.
 */
export class LocalProtection {
  readonly limits: StepLimits;
  readonly bubblewrap: BubblewrapProbe;
  /** What is bounded for a step as a whole. */
  readonly bounds: ReadonlySet<Controller>;
  private readonly options: ProtectionOptions;
  private readonly site: CgroupSite | null;
  private readonly scope: SystemdScope | null;

  private constructor(
    options: ProtectionOptions,
    found: { bubblewrap: BubblewrapProbe; site: CgroupSite | null; scope: SystemdScope | null },
  ) {
    this.options = options;
    this.limits = stepLimits(options.limits ?? {});
    this.bubblewrap = found.bubblewrap;
    this.site = found.site;
    this.scope = found.scope;
    this.bounds = this.site?.controllers ?? this.scope?.controllers ?? new Set();
  }

  /** Tries what there is. Takes some 50 ms. */
  static async find(options: ProtectionOptions): Promise<LocalProtection> {
    const host = bubblewrapHost(options);
    const [bubblewrap, site] = await Promise.all([
      options.bubblewrap === 'off' ? none('sandbox.bubblewrap is off') : tryBubblewrap(host),
      CgroupSite.find(options.home),
    ]);
    const scope = site === null ? await findScope(options.env) : null;
    return new LocalProtection(options, { bubblewrap, site, scope });
  }

  /** A step's command, as it is to be started; its control groups are made. */
  protect(directory: StepDirectory, spec: StepSpec): ProtectedCommand {
    const { timeoutMs } = spec;
    const isWrapped = this.bubblewrap.problem === null;
    // First, since it fails where the work tree is missing.
    const inner = isWrapped ? this.wrap(directory, spec) : argumentsOf(spec.command);
    const groups = this.site?.make(directory.path, this.limits) ?? [];
    new StepGroup(directory).note(groups);
    const { pids, fileSize } = this.limits;
    const limits = {
      directory: directory.path,
      fileSize,
      data: this.bounds.has('memory') ? null : processMemory(this.limits),
      processes: this.bounds.has('pids') || isRoot() ? null : pids + userThreads(),
      groups: this.scope === null ? groups : ('own' as const),
    };
    const limited = limitedCommand(limits, inner);
    return {
      command: this.scope?.command(directory.path, this.limits, limited) ?? limited,
      timeoutMs: isWrapped ? timeoutMs + BACKSTOP : timeoutMs,
    };
  }

  /** A command as it runs where steps do, for finding out what works there. Sets no limits. */
  like(command: readonly string[], workTree: string): readonly string[] {
    if (this.bubblewrap.problem !== null) return command;
    return bubblewrapped(bubblewrapHost(this.options), { workTree, ...NOTHING_ELSE }, command);
  }

  private wrap(directory: StepDirectory, spec: StepSpec): string[] {
    const { workTree, mounts, network, timeoutMs } = spec;
    const gateway = this.isolates(network) && network !== 'none' ? gatewayOf(this.options) : null;
    const view = {
      workTree,
      writable: [directory.file('home'), ...mounts.filter(({ readOnly }) => !readOnly).map(({ source }) => source)],
      readable: [
        ...mounts.filter(({ readOnly }) => readOnly).map(({ source }) => source),
        ...(gateway === null ? [] : [path.dirname(gateway.socket)]),
      ],
      offline: this.isolates(network),
    };
    // Its time is kept inside, where its end can be asked for before it is forced.
    const timed = ['timeout', '-k', '5', (timeoutMs / 1000).toFixed(3), ...argumentsOf(spec.command)];
    const command = gateway === null ? timed : forwarded(gateway, timed);
    return bubblewrapped(bubblewrapHost(this.options), view, command);
  }

  /** Whether a step of that network has no other than what it names. */
  isolates(network: StepNetwork): boolean {
    const { offline, forwarding } = this.bubblewrap;
    if (network === 'bridge') return false;
    return network === 'none' ? offline : offline && forwarding && gatewayOf(this.options) !== null;
  }
}

/** With less, programs that reserve memory for later (Node does) do not start. */
const LEAST_DATA = 2 * 1024 ** 3;

/** Bytes of data that each process of a step may have where the step's memory is not bounded as a whole. */
export function processMemory({ memory }: StepLimits): number {
  return Math.max(memory, LEAST_DATA);
}

const NOTHING_ELSE = { writable: [], readable: [], offline: false };

/** The gateway that steps with a network of their own reach by its socket, at the same address as without. */
function gatewayOf({ gatewayUrl, gatewaySocket }: ProtectionOptions): { port: number; socket: string } | null {
  if (gatewayUrl === undefined || gatewayUrl === '' || gatewaySocket === undefined) return null;
  return { port: Number(new URL(gatewayUrl).port), socket: gatewaySocket };
}

function bubblewrapHost({ home, env, limits: { tmpfs: tmpSize } = {} }: ProtectionOptions): BubblewrapHost {
  const size = tmpSize === undefined ? {} : { tmpSize };
  return { home, userHome: env['HOME'], searchPath: env['PATH'], ...size };
}

/** Nothing but a control group bounds how many processes root has. */
function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** How many threads this user has now: the system counts all of them, where it bounds those of a user. */
function userThreads(): number {
  if (!existsSync('/proc/self/status')) return 1024;
  const own = new RegExp(`^Uid:\\s+${process.getuid?.() ?? 0}\\s[^]*^Threads:\\s+(\\d+)`, 'm');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .reduce((sum, pid) => sum + Number(own.exec(statusOf(pid))?.[1] ?? 0), 0);
}

function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}
