import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import type { ContainerUser } from './container-profile.ts';
import type { Layer } from './sandbox.ts';

/**
 * How the kernel keeps track of what a layer changes. With redirects a directory of the shared part can be renamed, which
 * would otherwise fail with EXDEV.
 */
const OVERLAY_OPTIONS = 'redirect_dir=on';

/** Can a path be written into an overlay's options, which separate paths by commas and colons? */
export function isLayerPath(file: string): boolean {
  return /^[^,:\\]*$/.test(file);
}

/** The options of the overlay that a layer is, and its directories, made. */
export function overlayOptions({ source, changes }: Omit<Layer, 'target'>, owner?: ContainerUser): string {
  const [upper, work] = [path.join(changes, 'upper'), path.join(changes, 'work')];
  for (const directory of [upper, work]) mkdirSync(directory, { recursive: true, mode: 0o755 });
  // The top of an overlay has the owner and the mode of its upper directory.
  if (owner !== undefined && process.getuid?.() === 0) chownSync(upper, owner.uid, owner.gid);
  return [`lowerdir=${source}`, `upperdir=${upper}`, `workdir=${work}`, OVERLAY_OPTIONS].join(',');
}

/**
 * A layer as an anonymous volume of the container: the engine mounts an overlay when the container starts, unmounts it
 * when it ends, and forgets it with the container. What was written stays in the layer's own directory.
 */
export function layerMount(
  layer: Layer,
  user: ContainerUser,
  labels: Record<string, string>,
): Docker.MountConfig[number] {
  return {
    Type: 'volume',
    Source: '',
    Target: layer.target,
    VolumeOptions: {
      NoCopy: true,
      Labels: labels,
      DriverConfig: {
        Name: 'local',
        Options: { type: 'overlay', device: 'overlay', o: overlayOptions(layer, user) },
      },
    },
  };
}

/** A shell command that does in a layer of {@link makeTestLayer} what steps may do. */
export const LAYER_TEST =
  'test -e kept && rm gone && mv old new && echo changed > kept && test ! -e gone && test -e new/file';

/** Makes what is needed to try a layer. Nothing but the layer's own directory may look different afterwards. */
export function makeTestLayer(directory: string, owner?: ContainerUser): Omit<Layer, 'target'> {
  const source = path.join(directory, 'shared');
  mkdirSync(path.join(source, 'old'), { recursive: true, mode: 0o755 });
  const files = ['kept', 'gone', 'old/file'];
  for (const file of files) writeFileSync(path.join(source, file), '');
  if (owner !== undefined && process.getuid?.() === 0)
    for (const file of [...files, 'old', '.']) chownSync(path.join(source, file), owner.uid, owner.gid);
  return { source, changes: path.join(directory, 'changes') };
}
