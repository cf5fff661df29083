import { readdirSync, readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { CodexAgent } from '../../activities/agent/codex-agent.ts';
import { gatewayLayout } from '../../activities/models/gateway-layout.ts';
import { createSandbox } from '../../activities/sandbox/create-sandbox.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import { ensureGateway, stopGateway } from '../../workers/gateway-process.ts';
import { makeAgentWorld, type AgentWorld } from '../support/agent-world.ts';
import { describeWithDocker } from '../support/docker.ts';
import { everyTurn } from '../support/model-scripts.ts';

let world: AgentWorld;
let logins: Server;
beforeEach(() => {
  logins = createServer((_incoming, response) => {
    response.end(JSON.stringify({ access_token: 'access-canary-2', refresh_token: 'refresh-canary-2' }));
  });
});
afterEach(async () => {
  logins.close();
  await world.close();
});

/** What a command looks for: in its environment, in the agent's home, and in a container anywhere. */
const LOOK =
  'env > env.txt; ls -R "$CODEX_HOME" > home.txt; test -d /signalbox && find / -xdev -name auth.json > found.txt';

async function worksWithLogin(backend: Sandbox['backend']): Promise<void> {
  world = await makeAgentWorld(everyTurn({ commands: [`${LOOK}; true`] }));
  const { home, model } = world;
  await stopGateway(home);
  const { login } = gatewayLayout(home);
  mkdirSync(login, { mode: 0o700 });
  // It has ended long ago: the gateway has to make a new one first.
  const access = ['e30', Buffer.from('{"exp":1}').toString('base64url'), 'access-canary-1'].join('.');
  const tokens = {
    id_token: 'id-canary',
    access_token: access,
    refresh_token: 'refresh-canary-1',
    account_id: 'acc-1',
  };
  writeFileSync(path.join(login, 'auth.json'), JSON.stringify({ OPENAI_API_KEY: null, tokens }), { mode: 0o600 });
  await new Promise<void>((resolve) => logins.listen(0, '127.0.0.1', resolve));
  const gateway = await ensureGateway({
    home,
    env: {
      PATH: process.env['PATH'],
      SIGNALBOX_CHATGPT_URL: `${model.url}/backend-api/codex`,
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: `http://127.0.0.1:${(logins.address() as AddressInfo).port}/oauth/token`,
    },
  });
  const at = { gatewayUrl: gateway.url, gatewaySocket: gateway.socket };
  const sandbox = await createSandbox({ home, env: process.env, backend, ...at });
  const request = world.request(sandbox, 1);
  expect(await new CodexAgent({ home }).runTurn(request)).toMatchObject({ outcome: 'finished' });
  const seen = model.requests.map(({ headers }) => [headers.authorization, headers['chatgpt-account-id']]);
  expect(seen).toEqual(Array(2).fill(['Bearer access-canary-2', 'acc-1']));
  const places = [world.workTree, request.agentHome, home.steps];
  const files = places.flatMap((place) =>
    readdirSync(place, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => readFileSync(path.join(file.parentPath, file.name), 'latin1')),
  );
  expect(files.length).toBeGreaterThan(5);
  expect(files.filter((text) => text.includes('-canary'))).toEqual([]);
  expect(readFileSync(gatewayLayout(home).log, 'utf8')).not.toContain('-canary');
  if (backend === 'docker') expect(readFileSync(path.join(world.workTree, 'found.txt'), 'utf8')).toBe('');
  await sandbox.closeAttempt(request.step.owner);
}

const TITLE = 'the real Codex works with a login at ChatGPT that it never sees';
describe('on the host', () => {
  test(TITLE, () => worksWithLogin('local'), 120_000);
});
describeWithDocker('in a container', () => {
  test(TITLE, () => worksWithLogin('docker'), 120_000);
});
