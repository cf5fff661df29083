import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { removeAll } from '../git/remove-tree.ts';
import { makePrivateDirectory, type Home } from '../home.ts';
import { packageRoot } from '../package-root.ts';
import { isLayerPath, LAYER_TEST, makeTestLayer, overlayOptions } from './layer-mount.ts';
import type { Layer } from './sandbox.ts';

/**
 * The argument vector that runs a script of `docker/` with layers, in a mount namespace of its own.
 *
 * @param script the path of the script, then its arguments
 */
export function withLayers(layers: readonly Layer[], script: readonly string[]): string[] {
  if (layers.length === 0) return ['/bin/sh', ...script];
  const mounts = layers.flatMap((layer) => [overlayOptions(layer), layer.target]);
  const mounter = path.join(packageRoot(), 'docker', 'step-layers.sh');
  return [
    'unshare',
    '--mount',
    '--propagation',
    'slave',
    '--',
    '/bin/sh',
    mounter,
    String(layers.length),
    ...mounts,
    ...script,
  ];
}

/**
 * Tries a layer on this host. Only root may mount, and not in every container; then nothing can be laid over what lies on
 * some file systems.
 */
export async function canLayerHere(home: Home, searchPath: string | undefined): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !isLayerPath(home.root)) return false;
  const directory = path.join(makePrivateDirectory(home.snapshots), `layer-probe-${randomUUID().slice(0, 8)}`);
  try {
    const layer = { ...makeTestLayer(directory), target: path.join(directory, 'target') };
    mkdirSync(layer.target);
    const [program = '', ...args] = withLayers([layer], ['-c', `cd "$0" && ${LAYER_TEST}`, layer.target]);
    const options = { env: { PATH: searchPath ?? '/usr/bin:/bin' }, timeout: 10_000 };
    const worked = await new Promise<boolean>((resolve) => {
      execFile(program, args, options, (error) => resolve(error === null));
    });
    return worked && readdirSync(layer.source).length === 3 && readdirSync(layer.target).length === 0;
  } finally {
    removeAll(directory);
  }
}
