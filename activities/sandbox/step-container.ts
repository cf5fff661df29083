import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import type { Home } from '../home.ts';
import { packageRoot } from '../package-root.ts';
import { CONTAINER_HOME, hardenedHost, writablePlaces } from './container-profile.ts';
import type { ContainerLimits, ContainerLoosening, ContainerUser } from './container-profile.ts';
import { attemptLabels, containerName } from './labels.ts';
import { layerMount } from './layer-mount.ts';
import type { Mount, StepSpec } from './sandbox.ts';
import { stepDigest } from './step-directory.ts';
import type { StepDirectory } from './step-directory.ts';
import { argumentsOf, stepVariables } from './step-environment.ts';
import { writeSecrets } from './step-secrets.ts';
import { chownTree } from './chown-tree.ts';

/** What a container's entry is, and what it runs to keep secrets out of the output. */
const PROGRAMS = ['step.sh', 'redact.pl', 'redact.awk', 'secret-rules.tsv'];

/** What all step containers of a sandbox have in common. */
export interface ContainerSettings {
  home: Home;
  /** Name or id of the image. */
  image: string;
  user: ContainerUser;
  limits: ContainerLimits;
  /** What of the default profile is taken back. */
  loosened?: ContainerLoosening;
  /** An OCI runtime by name, such as `runsc`. */
  runtime?: string;
  /** The worker's environment: LANG and TZ come from it. */
  env: Readonly<Record<string, string | undefined>>;
}

/**
 * The container of a step, and the host's directories that it needs, made.
 *
 * @param network the engine's network mode
 */
export function stepContainer(
  settings: ContainerSettings,
  directory: StepDirectory,
  spec: StepSpec,
  network: string,
): Docker.ContainerCreateOptions {
  const { home, image, user, limits } = settings;
  const once = directory.file('once');
  mkdirSync(once, { recursive: true, mode: 0o700 });
  const writable = [spec.workTree, ...spec.mounts.filter(({ readOnly }) => !readOnly).map(({ source }) => source)];
  for (const tree of [once, ...writable]) chownTree(tree, user);
  const mounts: Mount[] = [
    { source: spec.workTree, target: spec.workTree, readOnly: false },
    ...spec.mounts,
    { source: once, target: '/signalbox/once', readOnly: false },
    ...PROGRAMS.map((name) => ({
      source: path.join(packageRoot(), 'docker', name),
      target: `/signalbox/${name}`,
      readOnly: true,
    })),
  ];
  if (directory.has('stdin'))
    mounts.push({ source: directory.file('stdin'), target: '/signalbox/stdin', readOnly: true });
  if (Object.keys(spec.secrets ?? {}).length > 0) {
    const source = writeSecrets(directory, spec.secrets ?? {}, user);
    mounts.push({ source, target: '/signalbox/secrets', readOnly: false });
  }
  const seconds = String(Math.max(1, Math.ceil(spec.timeoutMs / 1000)));
  const script = ['/bin/sh', '/signalbox/step.sh', spec.name, seconds, String(spec.outputLimit + 1)];
  return {
    name: containerName(home, spec.name),
    Image: image,
    Entrypoint: script,
    Cmd: [...argumentsOf(spec.command)],
    WorkingDir: spec.workTree,
    User: `${user.uid}:${user.gid}`,
    Env: Object.entries({ ...baseVariables(settings.env), ...stepVariables(spec.env) }).map((pair) => pair.join('=')),
    Labels: {
      ...attemptLabels(home, spec),
      'signalbox.step': spec.name,
      'signalbox.digest': stepDigest(spec),
    },
    AttachStdout: false,
    AttachStderr: false,
    HostConfig: {
      // A byte can take six in a JSON log; the entry bounds the output, this bounds what gets round the entry.
      ...hardenedHost(limits, 12 * (spec.outputLimit + 64 * 1024), settings.loosened),
      NetworkMode: network,
      Tmpfs: writablePlaces(user, limits.tmpfs),
      Mounts: [
        ...mounts.map(({ source, target, readOnly }) => bindMount(source, target, readOnly)),
        ...(spec.layers ?? []).map((layer) => layerMount(layer, user, attemptLabels(home, spec))),
      ],
      ...(settings.runtime === undefined ? {} : { Runtime: settings.runtime }),
    },
  };
}

/** A mount that fails, rather than makes a directory, where the source is missing. */
export function bindMount(source: string, target: string, readOnly: boolean): Docker.MountConfig[number] {
  return { Type: 'bind', Source: source, Target: target, ReadOnly: readOnly };
}

function baseVariables(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const zone = env['TZ'];
  return { HOME: CONTAINER_HOME, LANG: 'C.UTF-8', TERM: 'dumb', ...(zone === undefined ? {} : { TZ: zone }) };
}
