import type { Config } from './config.ts';
import type { Egress } from './egress.ts';

/**
 * What a step reaches. `gateway`: the model gateway and nothing else; `none`: nothing; `bridge`: the engine's ordinary
 * network; an {@link Egress}: the gateway, and through its proxy the hosts that are allowed.
 */
export type StepNetwork = 'gateway' | 'none' | 'bridge' | Egress;

/** Runs that were started before there was an allow-list have none in their pinned configuration. */
type Settings = Pick<Config['sandbox'], 'network' | 'allow' | 'allow_private'>;

/** What agents reach by a configuration. */
export function agentNetwork({ network, ...settings }: Settings): StepNetwork {
  return network === 'gateway' ? (allowed(settings) ?? network) : network;
}

/** What checks reach by a configuration: no models. */
export function checkNetwork({ network, ...settings }: Settings): StepNetwork {
  if (network === 'bridge') return network;
  return (network === 'gateway' ? allowed(settings) : null) ?? 'none';
}

/**
 * What the installation of dependencies reaches: the package registries, and what the configuration allows besides;
 * everything where everything is allowed to agents anyway, since no host can be named then.
 */
export function bootstrapNetwork(sandbox: Settings, network: 'registries' | 'none'): StepNetwork {
  if (network === 'none') return network;
  if (sandbox.network === 'bridge') return sandbox.network;
  return { allow: ['registries', ...(sandbox.allow ?? [])], private: sandbox.allow_private ?? [] };
}

function allowed({ allow = [], allow_private = [] }: Omit<Settings, 'network'>): Egress | null {
  return allow.length === 0 ? null : { allow, private: allow_private };
}
