import { meteredUsage } from '../../core/metered-usage.ts';
import type { Price } from '../../core/prices.ts';
import type { Usage } from '../../core/usage.ts';
import type { Home } from '../home.ts';
import { askStepUse } from './gateway-client.ts';
import { gatewayLayout } from './gateway-layout.ts';

/**
 * What a step used so far, with its costs: what its agent tells, or what the home's gateway counted, if one answers and
 * that is more.
 */
export async function stepUsage(
  home: Home,
  step: string,
  told: Readonly<Usage>,
  model: string | undefined,
  prices: Readonly<Record<string, Price>>,
): Promise<ReturnType<typeof meteredUsage>> {
  return meteredUsage(told, await askStepUse(home, gatewayLayout(home).socket, step), model, prices);
}
