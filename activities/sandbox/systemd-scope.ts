import { createHash, randomUUID } from 'node:crypto';
import { execa } from 'execa';
import type { Controller } from './cgroup-site.ts';
import type { StepLimits } from './step-limits.ts';

/** How the user's systemd is spoken to; a step's command must not know. */
const ADDRESS = ['XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'] as const;

/** What a scope is made with for a try. */
const TRIED: StepLimits = { memory: 64 * 1024 ** 2, cpus: 1, pids: 16, fileSize: 1 };

/** Prints what bounds the group that the command is in. */
const SHOW =
  'IFS=: read -r n c group </proc/self/cgroup; cd "/sys/fs/cgroup$group" && ' +
  'for f in memory pids cpu; do [ -r $f.max ] && read -r line <$f.max && echo "$f $line"; done; exit 0';

/** Control groups that the user's systemd makes, where this worker may make none itself. */
export interface SystemdScope {
  controllers: ReadonlySet<Controller>;
  /** The argument vector that runs a command in a scope of its own, named after the step. */
  command(step: string, limits: StepLimits, command: readonly string[]): string[];
}

/** Tries a scope, and looks whether its bounds hold inside. `null` where there is no systemd that makes one. */
export async function findScope(env: Readonly<Record<string, string | undefined>>): Promise<SystemdScope | null> {
  if (process.platform !== 'linux') return null;
  const scope = {
    command: (step: string, limits: StepLimits, command: readonly string[]) => inScope(env, step, limits, command),
  };
  const [program = '', ...args] = scope.command(randomUUID(), TRIED, ['/bin/sh', '-c', SHOW]);
  const { failed, stdout } = await execa(program, args, {
    env: { PATH: env['PATH'] ?? '/usr/bin:/bin' },
    extendEnv: false,
    stdin: 'ignore',
    timeout: 5000,
    reject: false,
  });
  if (failed) return null;
  const shown = new Set(stdout.split('\n'));
  const wanted = { memory: `memory ${TRIED.memory}`, pids: `pids ${TRIED.pids}`, cpu: 'cpu 100000 100000' };
  const controllers = (['memory', 'pids', 'cpu'] as const).filter((controller) => shown.has(wanted[controller]));
  return controllers.length === 0 ? null : { ...scope, controllers: new Set(controllers) };
}

function inScope(
  env: Readonly<Record<string, string | undefined>>,
  step: string,
  { memory, cpus, pids }: StepLimits,
  command: readonly string[],
): string[] {
  const known = ADDRESS.flatMap((name) => (env[name] === undefined ? [] : [`${name}=${env[name]}`]));
  const unit = `signalbox-${createHash('sha256').update(step).digest('hex').slice(0, 24)}`;
  const properties = [
    `MemoryMax=${memory}`,
    'MemorySwapMax=0',
    `TasksMax=${pids}`,
    `CPUQuota=${Math.max(1, Math.round(cpus * 100))}%`,
  ];
  return [
    ...[
      'env',
      ...known,
      'systemd-run',
      ...(process.getuid?.() === 0 ? [] : ['--user']),
      '--scope',
      '--quiet',
      '--collect',
    ],
    `--unit=${unit}`,
    ...properties.map((property) => `--property=${property}`),
    ...['--', 'env', ...ADDRESS.flatMap((name) => ['-u', name]), ...command],
  ];
}
