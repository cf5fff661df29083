import { randomUUID } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import { removeAll } from '../git/remove-tree.ts';
import { makePrivateDirectory, type Home } from '../home.ts';
import { hardenedHost } from './container-profile.ts';
import { answerOf, engineStatus, unlessStatus } from './engine.ts';
import { containerName, probeLabels } from './labels.ts';
import { isLayerPath, LAYER_TEST, layerMount, makeTestLayer } from './layer-mount.ts';
import type { ContainerSettings } from './step-container.ts';

const PREFIX = 'layer-probe-';
/** A probe that is older was left behind by a worker that died, in seconds. */
const LEFT_BEHIND = 600;

/**
 * Tries a layer with the engine: it may run elsewhere and not see our files, its kernel may refuse, or our files may lie on
 * a file system that nothing can be laid over. About half a second.
 */
export async function canLayer(engine: Docker, settings: ContainerSettings): Promise<boolean> {
  const { home, image, user, runtime } = settings;
  if (process.platform !== 'linux' || !isLayerPath(home.root)) return false;
  const name = `${PREFIX}${randomUUID().slice(0, 8)}`;
  const directory = path.join(makePrivateDirectory(home.snapshots), name);
  const container = engine.getContainer(containerName(home, name));
  const labels = probeLabels(home, 'layer');
  removeFormerDirectories(home);
  try {
    const layer = { ...makeTestLayer(directory, user), target: '/layer' };
    await engine.createContainer({
      name: containerName(home, name),
      Image: image,
      Entrypoint: ['/bin/sh', '-c', LAYER_TEST],
      Cmd: [],
      WorkingDir: layer.target,
      User: `${user.uid}:${user.gid}`,
      Labels: labels,
      HostConfig: {
        ...hardenedHost({ memory: 128 * 1024 ** 2, cpus: 1 }, 64 * 1024),
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
    const { StatusCode } = (await answerOf(container.wait())) as { StatusCode: number };
    return StatusCode === 0 && readdirSync(layer.source).length === 3;
  } finally {
    await unlessStatus(container.remove({ force: true, v: true }), 404, 409);
    removeAll(directory);
  }
}

/** Containers that a worker left behind are found with other remnants. */
function removeFormerDirectories(home: Home): void {
  const oldest = Date.now() / 1000 - LEFT_BEHIND;
  for (const name of readdirSync(home.snapshots).filter((entry) => entry.startsWith(PREFIX))) {
    const directory = path.join(home.snapshots, name);
    if ((statSync(directory, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) / 1000 < oldest) removeAll(directory);
  }
}
