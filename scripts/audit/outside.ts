import path from 'node:path';
import type { ContainerInspectInfo } from 'dockerode';
import { gatewayLayout } from '../../activities/models/gateway-layout.ts';
import { CONTAINER_HOME } from '../../activities/sandbox/container-profile.ts';
import { StepDirectory } from '../../activities/sandbox/step-directory.ts';
import { assertion, exactly, like, type Assertion, type Rule } from './assertion.ts';
import { WORKER_SECRET, type AuditWorld, type Turn } from './world.ts';

/** What the engine tells of a container that the client's types do not know. */
type Inspected = ContainerInspectInfo & {
  HostConfig: { CgroupnsMode?: string; MaskedPaths?: string[] | null; ReadonlyPaths?: string[] | null };
};

const NONE = exactly('none');
const OFF = exactly('false');
/** How the engine writes an option that was not given. */
const shown = (value: unknown): string => {
  const empty = value === undefined || value === null || value === '' || value === 0;
  if (empty || (Array.isArray(value) && value.length === 0)) return 'none';
  if (typeof value === 'object' && Object.keys(value).length === 0) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
};

/** A number above nothing, at most so much. */
function atMost(bound: number): Rule {
  return { expected: `at most ${bound}`, holds: (found) => Number(found) > 0 && Number(found) <= bound };
}

/**
 * What the engine says of a container, by docker-bench's questions about containers (its section 5) and some more. Holds
 * for each that Signalbox starts.
 */
export function judgeContainer(
  area: string,
  inspected: ContainerInspectInfo,
  network: Rule,
  { user, limits }: AuditWorld,
): Assertion[] {
  const { Config, HostConfig: host, AppArmorProfile } = inspected as Inspected;
  const { uid, gid } = user;
  const is = (name: string, rule: Rule, value: unknown): Assertion => assertion(area, name, rule, shown(value));
  const options = host.SecurityOpt as string[] | null;
  return [
    is('user', exactly(`${uid}:${gid}`), Config.User),
    is('privileged', OFF, host.Privileged),
    is('capabilities dropped', exactly('["ALL"]'), host.CapDrop),
    is('capabilities added', NONE, host.CapAdd),
    // Without one that is named, the engine applies its default seccomp profile.
    is('security options', exactly('["no-new-privileges"]'), options),
    is('AppArmor profile', like('the engine’s', /^(none|docker-default)$/), AppArmorProfile),
    is('read-only root', exactly('true'), host.ReadonlyRootfs),
    is('init', exactly('true'), host.Init),
    is('network', network, host.NetworkMode),
    is('pid namespace', NONE, host.PidMode),
    is('ipc namespace', exactly('private'), host.IpcMode),
    is('uts namespace', NONE, host.UTSMode),
    is('user namespace', NONE, host.UsernsMode),
    is('cgroup namespace', exactly('private'), host.CgroupnsMode),
    is('cgroup parent', NONE, host.CgroupParent),
    is('devices', NONE, host.Devices),
    is('device requests', NONE, host.DeviceRequests),
    is('device rules', NONE, host.DeviceCgroupRules),
    is('volumes by path', NONE, host.Binds),
    is('volumes of others', NONE, host.VolumesFrom),
    is('links', NONE, host.Links),
    is('groups added', NONE, host.GroupAdd),
    is('published ports', NONE, host.PortBindings),
    is('publishes all ports', OFF, host.PublishAllPorts),
    is('kernel settings', NONE, host.Sysctls),
    is('restart policy', exactly('no'), host.RestartPolicy?.Name),
    is('removed by the engine', OFF, host.AutoRemove),
    is('processes', atMost(limits.pids), host.PidsLimit),
    is('memory', atMost(limits.memory), host.Memory),
    is('memory and swap', exactly(String(host.Memory)), host.MemorySwap),
    is('processors', atMost(limits.cpus * 1e9), host.NanoCpus),
    is('spared by the OOM killer', like('no', /^(none|false)$/), host.OomKillDisable),
    is('shared memory', atMost(limits.shm), host.ShmSize),
    is('log', like('bounded', /^\{"Type":"json-file","Config":.*"max-size":"\d+"/), host.LogConfig),
    is('masked paths of the kernel', like('the engine’s', /"\/proc\/kcore".*"\/sys\/firmware"/), host.MaskedPaths),
    is(
      'read-only paths of the kernel',
      like('the engine’s', /"\/proc\/sys","\/proc\/sysrq-trigger"/),
      host.ReadonlyPaths,
    ),
    is('a secret of the worker', NONE, JSON.stringify(inspected).includes(WORKER_SECRET) ? 'is told' : 'none'),
  ];
}

/** What only a step has: its limits of files, its places to write, and the directories of the host that it sees. */
export function judgeStep(
  inspected: ContainerInspectInfo,
  turn: Turn,
  { home, user, limits }: AuditWorld,
): Assertion[] {
  const directory = new StepDirectory(home.steps, turn.step);
  const { HostConfig: host, Mounts } = inspected;
  const { uid, gid } = user;
  const { fsize, tmpfs: bytes } = limits;
  const size = `size=${bytes}`;
  const ulimits = (host.Ulimits ?? []).map(({ Name, Soft, Hard }) => `${Name} ${Soft}:${Hard}`).sort();
  const tmpfs: Record<string, string> = (host.Tmpfs as Record<string, string> | undefined) ?? {};
  const allowed = new Map<string, string>([
    [turn.workTree, `${turn.workTree} rw`],
    [turn.gitObjects, `${turn.gitObjects} ro`],
    [turn.taskFile, `${turn.taskFile} ro`],
    ['/signalbox/once', `${directory.file('once')} rw`],
    ['/signalbox/stdin', `${directory.file('stdin')} ro`],
  ]);
  return [
    assertion('step', 'limits', exactly(`core 0:0, fsize ${fsize}:${fsize}`), ulimits.join(', ')),
    assertion('step', '/tmp', exactly(`rw,exec,nosuid,nodev,${size},mode=1777`), tmpfs['/tmp']),
    assertion(
      ...(['step', CONTAINER_HOME] as const),
      exactly(`rw,exec,nosuid,nodev,${size},mode=0700,uid=${uid},gid=${gid}`),
      tmpfs[CONTAINER_HOME],
    ),
    assertion('step', 'other tmpfs', exactly('2'), String(Object.keys(tmpfs).length)),
    ...[...allowed.keys()].map((target) => {
      const found = Mounts.find(({ Destination }) => Destination === target);
      const rule = exactly(allowed.get(target) ?? '');
      return assertion('mounts', target, rule, found === undefined ? 'not mounted' : shownMount(found));
    }),
    assertion(
      'mounts',
      'others',
      like('our own programs, read-only', /^(none|(\S+ ro,? ?)+)$/),
      otherMounts(Mounts, allowed),
    ),
    assertion(
      'mounts',
      'propagation',
      exactly('rprivate'),
      [...new Set(Mounts.map(({ Propagation }) => Propagation))].join(),
    ),
  ];
}

type MountPoint = ContainerInspectInfo['Mounts'][number];

function shownMount({ Source, RW }: MountPoint): string {
  return `${Source} ${RW ? 'rw' : 'ro'}`;
}

/** All that is mounted besides what was asked for and our own programs. */
function otherMounts(mounts: readonly MountPoint[], allowed: ReadonlyMap<string, string>): string {
  const programs = path.join(import.meta.dirname, '../../docker');
  const others = mounts.filter(
    ({ Source, Destination, RW }) =>
      !allowed.has(Destination) &&
      (RW || path.dirname(Source) !== programs || path.dirname(Destination) !== '/signalbox'),
  );
  return others.length === 0
    ? 'none'
    : others.map((mount) => `${mount.Destination} from ${shownMount(mount)}`).join(', ');
}

/** What the sidecar sees of the host: the directory with the gateway's socket. */
export function judgeSidecar({ Mounts }: ContainerInspectInfo, { home }: AuditWorld): Assertion[] {
  const { socketDirectory } = gatewayLayout(home);
  const found = Mounts.map((mount) => `${mount.Destination} from ${shownMount(mount)}`).join(', ');
  return [assertion('sidecar', 'mounts', exactly(`/signalbox/gateway from ${socketDirectory} ro`), found)];
}
