import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Config } from '../../core/config.ts';
import type { Home } from '../home.ts';
import { hardenedHost, writablePlaces } from './container-profile.ts';
import type { ContainerLimits, ContainerLoosening, ContainerUser } from './container-profile.ts';
import { engineFailure, engineStatus, unlessStatus } from './engine.ts';
import { containerName, probeLabels } from './labels.ts';
import { SIDECAR_PORT } from './sidecar.ts';

/** How long the container may take, milliseconds. */
const PATIENCE_MS = 30_000;

/** Exit codes of the script below. */
const [ANOTHER_USER, NO_GATEWAY] = [3, 4];

/** Its arguments: the user that it is to be, and whether there is a gateway to reach. */
const SCRIPT = `[ "$(id -u):$(id -g)" = "$1" ] || exit ${ANOTHER_USER}
[ "$2" = false ] || [ "$(socat -T 2 - TCP:127.0.0.1:${SIDECAR_PORT},retry=20,interval=0.1 </dev/null)" = gateway ] || exit ${NO_GATEWAY}`;

/** What came of a container that was really run. */
export interface ContainerTrial {
  /** Why no step can run so; `null` if one can. */
  problem: string | null;
  /** Does a step reach the gateway, through another container's loopback? Not where it was tried without. */
  gateway: boolean;
}

/** What is tried. */
export interface TriedContainer {
  home: Home;
  image: string;
  user: ContainerUser;
  limits: ContainerLimits;
  /** Without `gateway`, nothing stands for one: the image need not have what leads to it. */
  network: Config['sandbox']['network'];
  loosened?: ContainerLoosening;
  runtime?: string;
}

/**
 * Runs a container as a step's would be, beside one that stands for the gateway's sidecar if steps reach that. About a
 * second.
 *
 * @throws SignalboxError `environment` if the engine does not answer
 */
export async function tryContainer(engine: Docker, tried: TriedContainer): Promise<ContainerTrial> {
  const name = containerName(tried.home, `trial-${randomUUID().slice(0, 8)}`);
  const withGateway = tried.network === 'gateway';
  const sidecar = engine.getContainer(`${name}.sidecar`);
  const step = engine.getContainer(name);
  try {
    if (withGateway) {
      await engine.createContainer({ ...common(tried, `${name}.sidecar`), ...sidecarPart() });
      await sidecar.start();
    }
    try {
      const network = withGateway ? `container:${name}.sidecar` : 'none';
      await engine.createContainer({ ...common(tried, name), ...stepPart(tried, network) });
      await step.start();
    } catch (error) {
      // An answer of the engine is that it cannot; anything else is none.
      if (engineStatus(error) === null) throw error;
      return { problem: error instanceof Error ? oneLine(error.message) : String(error), gateway: false };
    }
    const ended = (step.wait() as Promise<{ StatusCode: number }>).then(({ StatusCode }) => StatusCode);
    const code = await Promise.race([ended, sleep(PATIENCE_MS, null, { ref: false })]);
    ended.catch(() => undefined);
    return trialOf(code, withGateway);
  } catch (error) {
    throw engineFailure(error, 'trying a container');
  } finally {
    for (const container of [step, sidecar]) await unlessStatus(container.remove({ force: true, v: true }), 404, 409);
  }
}

function trialOf(code: number | null, withGateway: boolean): ContainerTrial {
  if (code === null) return { problem: `it did not end within ${PATIENCE_MS / 1000} s`, gateway: false };
  if (code === ANOTHER_USER) return { problem: 'its processes are another user than they should be', gateway: false };
  if (code === 0 || code === NO_GATEWAY) return { problem: null, gateway: code === 0 && withGateway };
  return { problem: `a shell in it ended with exit code ${code}`, gateway: false };
}

function common({ home, image, user }: TriedContainer, name: string): Docker.ContainerCreateOptions {
  return {
    name,
    Image: image,
    Cmd: [],
    WorkingDir: '/',
    User: `${user.uid}:${user.gid}`,
    Labels: probeLabels(home, 'trial'),
  };
}

function sidecarPart(): Docker.ContainerCreateOptions {
  return {
    Entrypoint: ['socat', `TCP-LISTEN:${SIDECAR_PORT},bind=127.0.0.1,fork,reuseaddr`, 'SYSTEM:echo gateway'],
    HostConfig: { ...hardenedHost({ memory: 128 * 1024 ** 2, cpus: 1 }, 64 * 1024), NetworkMode: 'none' },
  };
}

function stepPart(tried: TriedContainer, network: string): Docker.ContainerCreateOptions {
  const { user, limits, loosened, runtime } = tried;
  return {
    Entrypoint: ['/bin/sh', '-c', SCRIPT, 'sh', `${user.uid}:${user.gid}`, String(tried.network === 'gateway')],
    HostConfig: {
      ...hardenedHost(limits, 64 * 1024, loosened),
      NetworkMode: network,
      Tmpfs: writablePlaces(user, limits.tmpfs),
      ...(runtime === undefined ? {} : { Runtime: runtime }),
    },
  };
}

function oneLine(text: string): string {
  return text
    .replace(/^\(HTTP code \d+\) [\w ]+ - /, '')
    .replace(/\s+/g, ' ')
    .trim();
}
