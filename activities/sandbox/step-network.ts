import type { Home } from '../home.ts';
import { grantEgress } from '../models/egress-grant.ts';
import { stepToken } from '../models/gateway-secret.ts';
import type { StepSpec } from './sandbox.ts';
import type { StepDirectory } from './step-directory.ts';

/** What never goes through the proxy: the gateway itself, and servers that a step starts for itself. */
const DIRECT = 'localhost,127.0.0.1,::1';

/**
 * Lets the gateway carry a claimed step's connections to the hosts that its network allows, and tells the step so, in the
 * variables that clients of all kinds look at. Does nothing for other networks.
 *
 * @param gatewayUrl where the step reaches the gateway
 * @returns the step, to be started
 */
export function withAllowedHosts(home: Home, directory: StepDirectory, spec: StepSpec, gatewayUrl: string): StepSpec {
  if (typeof spec.network === 'string' || gatewayUrl === '') return spec;
  grantEgress(directory, spec.network);
  const proxy = new URL(gatewayUrl);
  proxy.username = 'signalbox';
  proxy.password = stepToken(home, spec.name, 'egress');
  const address = proxy.href.replace(/\/$/, '');
  const variables = Object.entries({ HTTP_PROXY: address, HTTPS_PROXY: address, NO_PROXY: DIRECT });
  const both = variables.flatMap(([name, value]) => [[name, value] as const, [name.toLowerCase(), value] as const]);
  // For Node's own fetch and https, which look at them only when they are told to.
  return { ...spec, env: { ...spec.env, ...Object.fromEntries(both), NODE_USE_ENV_PROXY: '1' } };
}
