import { afterEach, describe, expect, test } from '@jest/globals';

import { CodexAgent } from '../../../activities/agent/codex-agent.ts';
import { createSandbox } from '../../../activities/sandbox/create-sandbox.ts';
import type { AgentErrorClass } from '../../../core/agent-errors.ts';
import { stopGateway } from '../../../workers/gateway-process.ts';
import { makeAgentWorld, type AgentWorld } from '../../support/agent-world.ts';
import type { ModelReply } from '../../support/scripted-model-server.ts';

let worlds: AgentWorld[] = [];
afterEach(async () => {
  for (const world of worlds) await world.close();
  worlds = [];
});

/** The class of the error with which a turn of the real Codex fails. */
async function errorOf(
  reply: Partial<ModelReply>,
  before: (world: AgentWorld) => Promise<unknown> = () => Promise.resolve(),
): Promise<AgentErrorClass | null> {
  const world = await makeAgentWorld(() => ({ items: [], ...reply }));
  worlds.push(world);
  const { home, gateway } = world;
  const sandbox = await createSandbox({
    home,
    env: process.env,
    backend: 'local',
    gatewayUrl: gateway.url,
    gatewaySocket: gateway.socket,
  });
  await before(world);
  const result = await new CodexAgent({ home }).runTurn(world.request(sandbox, 1));
  expect(result.outcome).toBe('failed');
  return result.error;
}

function refusal(status: number, message: string, code?: string): Partial<ModelReply> {
  return { refuse: { status, message, ...(code === undefined ? {} : { code }) } };
}

describe('the error of a turn of the real Codex', () => {
  test('has the class of what went wrong, after all that Codex tries itself', async () => {
    // All at the same time: some of them Codex tries again for half a minute.
    const found = {
      'wrong key': errorOf(refusal(401, 'Incorrect API key provided: sk-x.', 'invalid_api_key')),
      'rate limit': errorOf(refusal(429, 'Rate limit reached for m on tokens per min.', 'rate_limit_exceeded')),
      'empty account': errorOf(refusal(429, 'You exceeded your current quota.', 'insufficient_quota')),
      'full context': errorOf(refusal(400, 'Your input exceeds the context window.', 'context_length_exceeded')),
      'unknown model': errorOf(refusal(404, 'The model `m` does not exist.', 'model_not_found')),
      'broken server': errorOf(refusal(500, 'The server had an error.')),
      'broken stream': errorOf({ cut: true }),
      'server gone': errorOf({}, (world) => world.model.close()),
      'gateway gone': errorOf({}, (world) => stopGateway(world.home)),
    };
    const classes = await Promise.all(Object.entries(found).map(async ([what, error]) => [what, await error] as const));
    const expected: Record<keyof typeof found, AgentErrorClass> = {
      'wrong key': 'authentication',
      'rate limit': 'rate_limit',
      'empty account': 'quota',
      'full context': 'context',
      'unknown model': 'model',
      'broken server': 'server',
      'broken stream': 'network',
      'server gone': 'network',
      'gateway gone': 'network',
    };
    expect(Object.fromEntries(classes)).toEqual(expected);
  }, 240_000);
});
