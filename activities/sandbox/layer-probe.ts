import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import { removeAll } from '../git/remove-tree.ts';
import { makePrivateDirectory } from '../home.ts';
import { hardenedHost } from './container-profile.ts';
import { engineStatus, unlessStatus } from './engine.ts';
import { containerName } from './labels.ts';
import { isLayerPath, LAYER_TEST, layerMount, makeTestLayer } from './layer-mount.ts';
import type { ContainerSettings } from './step-container.ts';

/**
 * Tries a layer with the engine: it may run elsewhere and not see our files, its kernel may refuse, or our files may lie on
 * a file system that nothing can be laid over. About half a second.
 */
export async function canLayer(engine: Docker, settings: ContainerSettings): Promise<boolean> {
  const { home, image, user, runtime } = settings;
  if (process.platform !== 'linux' || !isLayerPath(home.root)) return false;
  const name = `layer-probe-${randomUUID().slice(0, 8)}`;
  const directory = path.join(makePrivateDirectory(home.snapshots), name);
  const container = engine.getContainer(containerName(home, name));
  try {
    const layer = { ...makeTestLayer(directory, user), target: '/layer' };
    const labels = { 'signalbox.home': home.root };
    await engine.createContainer({
      name: containerName(home, name),
      Image: image,
      Entrypoint: ['/bin/sh', '-c', LAYER_TEST],
      Cmd: [],
      WorkingDir: layer.target,
      User: `${user.uid}:${user.gid}`,
      Labels: labels,
      HostConfig: {
        ...hardenedHost({ memory: 128 * 1024 ** 2 }, 64 * 1024),
        NetworkMode: 'none',
        Mounts: [layerMount(layer, user, labels)],
        ...(runtime === undefined ? {} : { Runtime: runtime }),
      },
    });
    try {
      await container.start();
    } catch (error) {
      // An answer of the engine is that it cannot; anything else is none.
      if (engineStatus(error) === null) throw error;
      return false;
    }
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    return StatusCode === 0 && readdirSync(layer.source).length === 3;
  } finally {
    await unlessStatus(container.remove({ force: true, v: true }), 404, 409);
    removeAll(directory);
  }
}
