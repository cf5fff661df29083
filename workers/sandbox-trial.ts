import { containerOptions } from '../activities/sandbox/container-profile.ts';
import { connectEngine, probeEngine } from '../activities/sandbox/engine.ts';
import { engineLimits, requireUser } from '../activities/sandbox/engine-demands.ts';
import { tryContainer } from '../activities/sandbox/try-container.ts';
import { homeOf } from '../activities/home.ts';
import { SignalboxError } from '../core/failures.ts';
import type { RunImage } from '../core/run-image.ts';
import type { RunManifest } from '../core/run-manifest.ts';

/** What makes a runtime that has a network of its own share the loopback of the gateway's sidecar. */
export const GATEWAY_HINT =
  'for gVisor, add "runtimeArgs": ["--network=host"] to the runtime in the engine’s daemon.json and restart the engine: ' +
  'the network that steps then share is their sidecar’s loopback. Or set sandbox.network to none or bridge';

/**
 * Runs a container as a run's steps would be, where the configuration asks for what an engine may not be able to do: another
 * runtime, devices, other protections.
 *
 * @throws SignalboxError `environment`, with what to do
 */
export async function tryRunSandbox(
  { backend, config: { sandbox } }: RunManifest,
  env: Readonly<Record<string, string | undefined>>,
  image: RunImage | null,
): Promise<void> {
  const { runtime, devices = [], security_opt: options = [], cap_add: capabilities = [] } = sandbox;
  if (backend !== 'docker' || image === null) return;
  if (runtime === undefined && devices.length + options.length + capabilities.length === 0) return;
  const engine = connectEngine(env);
  const probe = await probeEngine(engine);
  if (!probe.available) throw new SignalboxError('environment', probe.reason, { hint: probe.hint });
  const { limits, loosened } = containerOptions(sandbox);
  const trial = await tryContainer(engine, {
    home: homeOf(env),
    image: image.id,
    user: requireUser(probe, sandbox.user),
    limits: engineLimits(probe, limits),
    loosened,
    network: sandbox.network,
    ...(runtime === undefined ? {} : { runtime }),
  });
  const what = `a step with this sandbox${runtime === undefined ? '' : ` (runtime ${runtime})`}`;
  if (trial.problem !== null) {
    throw new SignalboxError('environment', `${what} cannot run: ${trial.problem}`, {
      hint: 'mend what the engine complains of, or leave it out of the section sandbox; "signalbox doctor" tries runtimes',
    });
  }
  if (sandbox.network === 'gateway' && !trial.gateway)
    throw new SignalboxError('environment', `${what} does not reach the model gateway`, { hint: GATEWAY_HINT });
}
