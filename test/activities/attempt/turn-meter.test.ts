import { afterEach, expect, test } from '@jest/globals';

import { CodexAgent } from '../../../activities/agent/codex-agent.ts';
import { TurnMeter } from '../../../activities/attempt/turn-meter.ts';
import { UsageLedger } from '../../../activities/records/usage-ledger.ts';
import { createSandbox } from '../../../activities/sandbox/create-sandbox.ts';
import { NO_USAGE } from '../../../core/usage.ts';
import { makeAgentWorld, type AgentWorld } from '../../support/agent-world.ts';
import { everyTurn } from '../../support/model-scripts.ts';
import { until } from '../../support/until.ts';

let world: AgentWorld;
afterEach(() => world.close());

test('a bound stops the real Codex in the middle of its turn, by what the gateway counted', async () => {
  const never = new Promise<void>(() => undefined);
  world = await makeAgentWorld(everyTurn({ commands: ['true'], hold: { request: 1, until: never } }));
  const { home, gateway, model } = world;
  const at = { gatewayUrl: gateway.url, gatewaySocket: gateway.socket };
  const sandbox = await createSandbox({ home, env: process.env, backend: 'local', ...at });
  const request = world.request(sandbox, 1, { model: 'gpt-5.5' });
  const run = { project: 'demo', run: 'r1' };
  const meter = (): TurnMeter =>
    new TurnMeter({
      home,
      ledger: new UsageLedger(home),
      sandbox,
      run,
      step: request.step.name,
      limits: { taskTime: 60_000, silence: 60_000, tokensPerTask: 107, costPerRun: null, mode: 'block' },
      allowance: 1,
      spent: NO_USAGE,
      spentMs: 0,
      model: request.model,
      prices: {},
    });
  const attending = meter();
  const result = await attending.attend(() => new CodexAgent({ home }).runTurn(request, attending.hooks));
  expect(result).toMatchObject({ outcome: 'ended', usage: { input_tokens: 0 } });
  const settled = await attending.settle(result);
  expect(settled).toEqual({
    usage: { input_tokens: 100, cached_input_tokens: 40, output_tokens: 7, cost_usd: expect.closeTo(0.000_53, 8) },
    warnings: [],
    limit: 'the task used 107 tokens; limits.tokens_per_task is 107 tokens',
  });
  expect(await meter().settle(await new CodexAgent({ home }).runTurn(request))).toEqual(settled);
  // It may be ended while it makes its second request, which nobody ever answers, or just before.
  await until(() => model.aborted === model.requests.length - 1);
  expect([1, 2]).toContain(model.requests.length);
});
