import { containerOptions } from '../activities/sandbox/container-profile.ts';
import { LocalProtection } from '../activities/sandbox/local-protection.ts';
import { protectionFacts, type ProtectionFacts } from '../activities/sandbox/protection-facts.ts';
import { gatewayLayout } from '../activities/models/gateway-layout.ts';
import type { Home } from '../activities/home.ts';
import type { Config } from '../core/config.ts';
import type { RunManifest } from '../core/run-manifest.ts';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * What keeps steps within bounds that run on this host, and what does not, each tried here and now.
 *
 * @param gateway whether the steps of agents find a model gateway
 */
export async function localProtection(options: {
  home: Home;
  env: Env;
  config: Pick<Config, 'sandbox' | 'checks'>;
  gateway: boolean;
}): Promise<ProtectionFacts> {
  const { home, env, config, gateway } = options;
  const { sandbox } = config;
  const { bubblewrap } = sandbox;
  const protection = await LocalProtection.find({
    ...{ home, env, limits: containerOptions(sandbox).limits },
    ...(bubblewrap === undefined ? {} : { bubblewrap }),
    // Nobody need listen there yet.
    ...(gateway ? { gatewayUrl: 'http://127.0.0.1:8790', gatewaySocket: gatewayLayout(home).socket } : {}),
  });
  return protectionFacts(protection, config);
}

/** Do agents or checks of a run reach models or allowed hosts, by the gateway? */
export function wantsGateway({ backend, config, tasks }: RunManifest): boolean {
  const { agent, sandbox } = config;
  const usesCodex = tasks.some((task) => (task.manifest.agent.provider ?? agent.provider) === 'codex');
  return backend === 'docker' || usesCodex || (sandbox.allow ?? []).length > 0;
}
