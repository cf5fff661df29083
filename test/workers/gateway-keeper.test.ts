import { afterEach, expect, test } from '@jest/globals';

import { CodexAgent } from '../../activities/agent/codex-agent.ts';
import { createSandbox } from '../../activities/sandbox/create-sandbox.ts';
import { GatewayKeeper } from '../../workers/gateway-keeper.ts';
import { makeAgentWorld, type AgentWorld } from '../support/agent-world.ts';
import { finish } from '../support/model-scripts.ts';

let world: AgentWorld;
let keeper: GatewayKeeper;
afterEach(async () => {
  keeper.stop();
  await world.close();
});

test('a gateway that is killed comes back, and the real Codex whose stream it cut finishes its turn', async () => {
  const never = new Promise<void>(() => undefined);
  world = await makeAgentWorld(({ number }) => ({ ...finish('done'), ...(number === 1 && { hold: never }) }));
  const { home, model, gateway } = world;
  const env = { PATH: process.env['PATH'], OPENAI_BASE_URL: `${model.url}/v1`, OPENAI_API_KEY: 'sk-test' };
  keeper = new GatewayKeeper({ home, env });
  const at = { gatewayUrl: gateway.url, gatewaySocket: gateway.socket };
  const sandbox = await createSandbox({ home, env: process.env, backend: 'local', ...at });
  const before = await keeper.gateway();
  const turn = new CodexAgent({ home }).runTurn(world.request(sandbox, 1));
  await model.waitForRequests(1);
  process.kill(before.pid, 'SIGKILL');
  expect(await turn).toMatchObject({ outcome: 'finished', message: 'done' });
  const after = await keeper.gateway();
  expect(after).toEqual({ ...before, pid: after.pid });
  expect(after.pid).not.toBe(before.pid);
}, 60_000);
