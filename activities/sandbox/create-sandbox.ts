import type Docker from 'dockerode';
import type { Config } from '../../core/config.ts';
import { SignalboxError } from '../../core/failures.ts';
import type { RunImage } from '../../core/run-image.ts';
import type { Home } from '../home.ts';
import { environmentRedactor } from '../redaction/environment-secrets.ts';
import type { Redactor } from '../redaction/redactor.ts';
import type { ContainerLimits, ContainerLoosening } from './container-profile.ts';
import { DockerSandbox } from './docker-sandbox.ts';
import { connectEngine, probeEngine } from './engine.ts';
import { engineLimits, requireDevices, requireRuntime, requireUser } from './engine-demands.ts';
import { ensureImage } from './image.ts';
import { LocalSandbox } from './local-sandbox.ts';
import { restoreImage } from './project-image.ts';
import type { Sandbox } from './sandbox.ts';

/** What {@link createSandbox} makes a sandbox from. */
export interface SandboxOptions {
  home: Home;
  /** The worker's environment. */
  env: Readonly<Record<string, string | undefined>>;
  /** Absent: Docker where an engine answers, else local, said through `onNotice`. */
  backend?: 'docker' | 'local';
  /** Where the gateway listens on loopback, for the local backend. */
  gatewayUrl: string;
  /** The gateway's Unix socket, for steps with a network of their own. */
  gatewaySocket?: string;
  /** An image instead of Signalbox's own. */
  image?: string;
  /** Exactly this image, whatever its name means by now; `config` says what it may be made from again. */
  pinned?: { image: RunImage; config: Pick<Config, 'sandbox'> };
  /** `uid` or `uid:gid` of the processes in containers. */
  user?: string;
  limits?: ContainerLimits;
  loosened?: ContainerLoosening;
  runtime?: string;
  /** On this host only. `off`: not in bubblewrap, even where that works. */
  bubblewrap?: 'auto' | 'off';
  /** Called with what a person should know, such as a fall-back to the local backend. */
  onNotice?: (line: string) => void;
  /** Called with the progress of building the image. */
  onProgress?: (line: string) => void;
  /** Keeps secrets out of what steps print; by default those of `env` and of well-known shapes. */
  redactor?: Redactor;
  /** An engine instead of the one that the environment names. */
  engine?: Docker;
}

/**
 * Makes the sandbox that a configuration asks for, its image included.
 *
 * @throws SignalboxError `environment` if Docker is asked for by name and no engine answers, or no image can be had
 */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { home, env, gatewayUrl, onNotice, redactor = environmentRedactor(env), limits = {}, bubblewrap } = options;
  const { gatewaySocket } = options;
  const local = () =>
    new LocalSandbox({
      ...{ home, gatewayUrl, env, redactor, limits },
      ...(bubblewrap === undefined ? {} : { bubblewrap }),
      ...(gatewaySocket === undefined ? {} : { gatewaySocket }),
    });
  if (options.backend === 'local') return local();
  const engine = options.engine ?? connectEngine(env);
  const probe = await probeEngine(engine);
  if (!probe.available) {
    // A worker may start before the engine does, as after the machine did.
    const { reason, hint, passing: retryable } = probe;
    if (options.backend === 'docker') throw new SignalboxError('environment', reason, { hint, retryable });
    onNotice?.(`${reason}: steps run on this host instead, without protection from what agents do`);
    return local();
  }
  const { onProgress, runtime, loosened, pinned } = options;
  requireRuntime(probe, runtime);
  requireDevices(loosened?.devices);
  const user = requireUser(probe, options.user);
  const progress = onProgress === undefined ? {} : { onProgress };
  const image = pinned?.image.id ?? options.image ?? (await ensureImage({ engine, ...progress })).reference;
  return new DockerSandbox({
    engine,
    home,
    env,
    redactor,
    image,
    user,
    limits: engineLimits(probe, limits),
    ...(loosened === undefined ? {} : { loosened }),
    ...(pinned === undefined
      ? {}
      : { restoreImage: () => restoreImage(engine, pinned.image, pinned.config, progress) }),
    ...(gatewaySocket === undefined ? {} : { gatewaySocket }),
    ...(runtime === undefined ? {} : { runtime }),
  });
}
