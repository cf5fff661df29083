import { afterEach, expect, test } from '@jest/globals';
import { createAgents, createPlanners } from '../../../activities/agent/agents.ts';
import { LocalSandbox } from '../../../activities/sandbox/local-sandbox.ts';
import { makeAgentWorld, type AgentWorld } from '../../support/agent-world.ts';
import { everyTurn } from '../../support/model-scripts.ts';

let world: AgentWorld;
afterEach(() => world.close());

test('the real Codex, asked to plan, gives task files', async () => {
  const tasks = [
    {
      id: '001',
      name: 'login',
      description: 'Log in.',
      depends_on: [],
      writes: ['src/auth/**'],
      body: 'Users log in.',
    },
    {
      id: '002',
      name: 'logout',
      description: 'Log out.',
      depends_on: ['001'],
      writes: ['src/out/**'],
      body: 'And out.',
    },
  ];
  const message = `Here they are.\n\n\`\`\`json\n${JSON.stringify({ tasks })}\n\`\`\`\n`;
  world = await makeAgentWorld(everyTurn({ commands: ['ls'], message }));
  const sandbox = new LocalSandbox({ home: world.home, gatewayUrl: world.gateway.url, env: process.env });
  const turn = world.request(sandbox, 1);
  const { files, usage } = await createPlanners(createAgents({ home: world.home })).codex.plan({
    plan: '# Sessions',
    turn,
  });
  expect(files.map(({ file }) => file)).toEqual(['001-login.md', '002-logout.md']);
  expect(files[1]?.text).toContain('depends_on:');
  expect(usage.input_tokens).toBeGreaterThan(0);
  expect(world.model.requests[0]?.prompt).toContain('# Sessions');
});
