import { afterEach, describe, expect, test } from '@jest/globals';

import { CodexAgent } from '../../activities/agent/codex-agent.ts';
import { createSandbox } from '../../activities/sandbox/create-sandbox.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import { GatewayKeeper } from '../../workers/gateway-keeper.ts';
import { makeAgentWorld, type AgentWorld } from '../support/agent-world.ts';
import { describeWithDocker } from '../support/docker.ts';
import { finish } from '../support/model-scripts.ts';

let world: AgentWorld;
let keeper: GatewayKeeper;
afterEach(async () => {
  keeper.stop();
  await world.close();
});

/** In a container, the sidecar finds the next gateway at the same socket. */
async function killedInMidTurn(backend: Sandbox['backend']): Promise<void> {
  const never = new Promise<void>(() => undefined);
  world = await makeAgentWorld(({ number }) => ({ ...finish('done'), ...(number === 1 && { hold: never }) }));
  const { home, model, gateway } = world;
  const env = { PATH: process.env['PATH'], OPENAI_BASE_URL: `${model.url}/v1`, OPENAI_API_KEY: 'sk-test' };
  keeper = new GatewayKeeper({ home, env });
  const at = { gatewayUrl: gateway.url, gatewaySocket: gateway.socket };
  const sandbox = await createSandbox({ home, env: process.env, backend, ...at });
  const before = await keeper.gateway();
  const turn = new CodexAgent({ home }).runTurn(world.request(sandbox, 1));
  await model.waitForRequests(1);
  process.kill(before.pid, 'SIGKILL');
  expect(await turn).toMatchObject({ outcome: 'finished', message: 'done' });
  const after = await keeper.gateway();
  expect(after).toEqual({ ...before, pid: after.pid });
  expect(after.pid).not.toBe(before.pid);
  expect(model.requests).toHaveLength(2);
  await sandbox.closeAttempt(world.request(sandbox, 1).step.owner);
}

const TITLE = 'a gateway that is killed comes back, and the real Codex whose stream it cut finishes its turn';
describe('on the host', () => {
  test(TITLE, () => killedInMidTurn('local'), 120_000);
});
describeWithDocker('in a container', () => {
  test(TITLE, () => killedInMidTurn('docker'), 120_000);
});
