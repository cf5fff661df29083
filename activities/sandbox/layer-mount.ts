import { chownSync, mkdirSync } from 'node:fs';
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

/**
 * A layer as an anonymous volume of the container: the engine mounts an overlay when the container starts, unmounts it
 * when it ends, and forgets it with the container. What was written stays in the layer's own directory.
 */
export function layerMount(
  { source, target, changes }: Layer,
  user: ContainerUser,
  labels: Record<string, string>,
): Docker.MountConfig[number] {
  const [upper, work] = [path.join(changes, 'upper'), path.join(changes, 'work')];
  for (const directory of [upper, work]) mkdirSync(directory, { recursive: true, mode: 0o755 });
  // The top of an overlay has the owner and the mode of its upper directory.
  if (process.getuid?.() === 0) chownSync(upper, user.uid, user.gid);
  const options = [`lowerdir=${source}`, `upperdir=${upper}`, `workdir=${work}`, OVERLAY_OPTIONS].join(',');
  return {
    Type: 'volume',
    Source: '',
    Target: target,
    VolumeOptions: {
      NoCopy: true,
      Labels: labels,
      DriverConfig: { Name: 'local', Options: { type: 'overlay', device: 'overlay', o: options } },
    },
  };
}
