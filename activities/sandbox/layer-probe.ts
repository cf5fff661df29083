import { randomUUID } from 'node:crypto';
import { chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import { removeAll } from '../git/clean-tree.ts';
import { makePrivateDirectory } from '../home.ts';
import { hardenedHost } from './container-profile.ts';
import { engineStatus, unlessStatus } from './engine.ts';
import { containerName } from './labels.ts';
import { isLayerPath, layerMount } from './layer-mount.ts';
import type { ContainerSettings } from './step-container.ts';

/** What a step may do in a layer, on one that holds `kept`, `gone` and the directory `old`. */
const SCRIPT = 'test -e kept && rm gone && mv old new && echo changed > kept && test ! -e gone && test -e new/file';

/**
 * Tries a layer with the engine: it may run elsewhere and not see our files, its kernel may refuse, or our files may lie on
 * a file system that nothing can be laid over. About half a second.
 */
export async function canLayer(engine: Docker, settings: ContainerSettings): Promise<boolean> {
  const { home, image, user, runtime } = settings;
  if (process.platform !== 'linux' || !isLayerPath(home.root)) return false;
  const name = `layer-probe-${randomUUID().slice(0, 8)}`;
  const directory = path.join(makePrivateDirectory(home.snapshots), name);
  const [source, changes] = [path.join(directory, 'shared'), path.join(directory, 'changes')];
  const container = engine.getContainer(containerName(home, name));
  try {
    mkdirSync(path.join(source, 'old'), { recursive: true, mode: 0o755 });
    for (const file of ['kept', 'gone', 'old/file']) writeFileSync(path.join(source, file), '');
    for (const file of ['kept', 'gone', 'old/file', 'old', '.'])
      if (process.getuid?.() === 0) chownSync(path.join(source, file), user.uid, user.gid);
    const labels = { 'signalbox.home': home.root };
    await engine.createContainer({
      name: containerName(home, name),
      Image: image,
      Entrypoint: ['/bin/sh', '-c', SCRIPT],
      Cmd: [],
      WorkingDir: '/layer',
      User: `${user.uid}:${user.gid}`,
      Labels: labels,
      HostConfig: {
        ...hardenedHost({ memory: 128 * 1024 ** 2 }, 64 * 1024),
        NetworkMode: 'none',
        Mounts: [layerMount({ source, target: '/layer', changes }, user, labels)],
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
    return StatusCode === 0 && readdirSync(source).length === 3;
  } finally {
    await unlessStatus(container.remove({ force: true, v: true }), 404, 409);
    removeAll(directory);
  }
}
