import type { Home } from '../../activities/home.ts';
import type { ContainerLimits } from '../../activities/sandbox/container-profile.ts';
import { createSandbox } from '../../activities/sandbox/create-sandbox.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';

/** A sandbox as the tests use it; with Docker, its image is built if need be. */
export async function sandboxOf(
  backend: 'docker' | 'local',
  home: Home,
  gatewaySocket?: string,
  limits: ContainerLimits = {},
  image?: string,
): Promise<Sandbox> {
  return await createSandbox({
    backend,
    home,
    env: process.env,
    gatewayUrl: 'http://127.0.0.1:9',
    limits,
    ...(gatewaySocket === undefined ? {} : { gatewaySocket }),
    ...(image === undefined ? {} : { image }),
  });
}
