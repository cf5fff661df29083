import type { Config } from '../core/config.ts';
import type { RunImage } from '../core/run-image.ts';
import type { Home } from '../activities/home.ts';
import { containerOptions } from '../activities/sandbox/container-profile.ts';
import type { Redactor } from '../activities/redaction/redactor.ts';
import type { SandboxOptions } from '../activities/sandbox/create-sandbox.ts';
import type { Gateway } from './gateway-process.ts';

/** What a sandbox is made from: a project's configuration on this host. `gateway` is null where no step reaches a model. */
export function sandboxOptions(options: {
  config: Config;
  backend: 'docker' | 'local';
  /** The image that the run is pinned to. */
  pinned?: RunImage | null | undefined;
  home: Home;
  env: Readonly<Record<string, string | undefined>>;
  /** By default what is secret of `env`, and has a well-known shape. */
  redactor?: Redactor;
  gateway: Gateway | null;
  onProgress: (text: string) => void;
}): SandboxOptions {
  const { config, backend, pinned, home, env, redactor, gateway, onProgress } = options;
  const { image, user, runtime, bubblewrap } = config.sandbox;
  return {
    home,
    env,
    backend,
    gatewayUrl: gateway?.url ?? '',
    ...(redactor === undefined ? {} : { redactor }),
    ...(gateway === null ? {} : { gatewaySocket: gateway.socket }),
    ...(image === undefined ? {} : { image }),
    ...(pinned == null ? {} : { pinned: { image: pinned, config } }),
    ...(user === undefined ? {} : { user }),
    ...(runtime === undefined ? {} : { runtime }),
    ...(bubblewrap === undefined ? {} : { bubblewrap }),
    ...containerOptions(config.sandbox),
    onNotice: onProgress,
    onProgress,
  };
}
