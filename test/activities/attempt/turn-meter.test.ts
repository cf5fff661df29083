import { afterEach, expect, test } from '@jest/globals';

import { CodexAgent } from '../../../activities/agent/codex-agent.ts';
import { TurnMeter } from '../../../activities/attempt/turn-meter.ts';
import { UsageLedger } from '../../../activities/records/usage-ledger.ts';
import { createSandbox } from '../../../activities/sandbox/create-sandbox.ts';
import type { Sandbox } from '../../../activities/sandbox/sandbox.ts';
import { NO_USAGE } from '../../../core/usage.ts';
import { makeAgentWorld, type AgentWorld } from '../../support/agent-world.ts';
import { everyTurn } from '../../support/model-scripts.ts';

let world: AgentWorld;
afterEach(() => world.close());

async function localSandbox({ home, gateway }: AgentWorld): Promise<Sandbox> {
  const at = { gatewayUrl: gateway.url, gatewaySocket: gateway.socket };
  return await createSandbox({ home, env: process.env, backend: 'local', ...at });
}

function meterOf(sandbox: Sandbox, step: string, tokensPerTask: number, allowance = 1): TurnMeter {
  return new TurnMeter({
    home: world.home,
    ledger: new UsageLedger(world.home),
    sandbox,
    run: { project: 'demo', run: 'r1' },
    step,
    limits: { taskTime: 60_000, silence: 60_000, tokensPerTask, costPerRun: null, mode: 'block' },
    allowance,
    spent: NO_USAGE,
    spentMs: 0,
    model: 'gpt-5.5',
    prices: {},
  });
}

test('a bound stops the real Codex in the middle of its turn: the gateway lets no more requests through', async () => {
  world = await makeAgentWorld(everyTurn({ commands: ['echo half > half.txt'] }));
  const sandbox = await localSandbox(world);
  const request = world.request(sandbox, 1, { model: 'gpt-5.5' });
  const attending = meterOf(sandbox, request.step.name, 107);
  const result = await attending.attend(() => new CodexAgent({ home: world.home }).runTurn(request, attending.hooks));
  const sentence = 'the task used 107 tokens; limits.tokens_per_task is 107 tokens';
  expect(result.usage).toEqual(NO_USAGE);
  // Codex is mostly quicker than the meter, which looks once a second: it asks again, and is refused. Else the meter ends it.
  if (result.outcome === 'failed')
    expect(result).toMatchObject({ error: 'limit', reason: expect.stringContaining(sentence) });
  else expect(result.outcome).toBe('ended');
  const settled = await attending.settle(result);
  expect(settled).toEqual({
    usage: { input_tokens: 100, cached_input_tokens: 40, output_tokens: 7, cost_usd: expect.closeTo(0.000_53, 8) },
    warnings: [],
    limit: sentence,
  });
  const again = await new CodexAgent({ home: world.home }).runTurn(request);
  expect(await meterOf(sandbox, request.step.name, 107).settle(again)).toEqual(settled);
  expect(world.model.requests).toHaveLength(1);
});

test('a person who lets a stopped task go on lets its agent ask again', async () => {
  world = await makeAgentWorld(everyTurn({ commands: ['true'] }));
  const sandbox = await localSandbox(world);
  const request = world.request(sandbox, 1, { model: 'gpt-5.5' });
  const attending = meterOf(sandbox, request.step.name, 107, 2);
  const result = await attending.attend(() => new CodexAgent({ home: world.home }).runTurn(request, attending.hooks));
  // Its second request reaches the wider bound: on a busy machine the meter may see that before Codex ends by itself.
  expect(['finished', 'ended']).toContain(result.outcome);
  expect(world.model.requests).toHaveLength(2);
});
