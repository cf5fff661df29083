import { chownSync, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import { hardenedHost } from './container-profile.ts';
import { unlessStatus } from './engine.ts';
import { attemptLabels, sidecarLabel, stepSidecarName } from './labels.ts';
import type { StepSpec } from './sandbox.ts';
import { bindMount } from './step-container.ts';
import type { ContainerSettings } from './step-container.ts';

/** Where steps reach the gateway, on their loopback. */
export const SIDECAR_PORT = 8790;

/** It runs nothing but a forwarder: what a configuration gives to steps it does not need. */
const SIDECAR_LIMITS = { memory: 256 * 1024 ** 2, cpus: 1, pids: 1024, fileSize: 1024 ** 2 };

/** Whose it is: an attempt's, or also one step's. */
type SidecarOf = Pick<StepSpec, 'owner' | 'execution'> & Partial<Pick<StepSpec, 'name'>>;

/**
 * Makes sure that a sidecar runs: a container without any network but loopback, which forwards one port there
 * to the gateway's socket. Steps that join it have no other way out. The socket's directory is mounted rather than the
 * socket, so that a gateway that starts again is reached again. It runs in the engine's default runtime: others may not
 * mount sockets.
 *
 * @returns the container's id
 */
export async function ensureSidecar(
  engine: Docker,
  settings: ContainerSettings,
  of: SidecarOf,
  name: string,
  socket: string,
): Promise<string> {
  const container = engine.getContainer(name);
  for (;;) {
    const found = await unlessStatus(container.inspect(), 404);
    if (found?.State.Running === true) return found.Id;
    if (found?.State.Status === 'created') {
      await unlessStatus(container.start(), 304, 404);
    } else if (found !== null) {
      await unlessStatus(container.remove({ force: true, v: true }), 404, 409);
    } else {
      admitSidecar(socket, settings);
      await unlessStatus(engine.createContainer(sidecarContainer(settings, of, name, socket)), 409);
    }
  }
}

function sidecarContainer(
  settings: ContainerSettings,
  of: SidecarOf,
  name: string,
  socket: string,
): Docker.ContainerCreateOptions {
  const { home, image, user } = settings;
  const listen = `TCP-LISTEN:${SIDECAR_PORT},bind=127.0.0.1,fork,reuseaddr,backlog=128`;
  return {
    name,
    Image: image,
    Entrypoint: ['socat', listen, `UNIX-CONNECT:/signalbox/gateway/${path.basename(socket)}`],
    Cmd: [],
    WorkingDir: '/',
    User: `${user.uid}:${user.gid}`,
    Labels: {
      ...attemptLabels(home, of),
      ...(of.name !== undefined && name === stepSidecarName(home, of.name) && sidecarLabel(of.name)),
    },
    HostConfig: {
      ...hardenedHost(SIDECAR_LIMITS, 64 * 1024),
      NetworkMode: 'none',
      Mounts: [bindMount(path.dirname(socket), '/signalbox/gateway', true)],
    },
  };
}

/** Gives the socket to the sidecar's user where the worker is root and that user is not, as the gateway itself does. */
function admitSidecar(socket: string, { user }: ContainerSettings): void {
  const directory = path.dirname(socket);
  if (process.getuid?.() !== 0 || statSync(directory).uid === user.uid) return;
  for (const place of [socket, directory]) if (existsSync(place)) chownSync(place, user.uid, user.gid);
}
