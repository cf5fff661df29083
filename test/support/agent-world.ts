import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { AgentTurnRequest } from '../../activities/agent/agent.ts';
import { homeOf, type Home } from '../../activities/home.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import { stepName } from '../../core/ids.ts';
import { ensureGateway, stopGateway, type Gateway } from '../../workers/gateway-process.ts';
import { startScriptedModelServer, type ModelScript, type ScriptedModelServer } from './scripted-model-server.ts';

/** A home with a gateway in front of a scripted model, and an attempt's workspace. */
export interface AgentWorld {
  home: Home;
  model: ScriptedModelServer;
  gateway: Gateway;
  workTree: string;
  /** A request for a turn in this world; the same number is the same turn. */
  request(sandbox: Sandbox, turn: number, more?: Partial<AgentTurnRequest>): AgentTurnRequest;
  close(): Promise<void>;
}

/** The key that the scripted model gets to see; no sandbox may. */
export const MODEL_KEY = 'sk-test-canary-4711';

/** Makes a world for one test. */
export async function makeAgentWorld(script: ModelScript): Promise<AgentWorld> {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-agent-')));
  const home = homeOf({ SIGNALBOX_HOME: path.join(root, 'home') });
  const model = await startScriptedModelServer(script);
  const env = { PATH: process.env['PATH'], OPENAI_BASE_URL: `${model.url}/v1`, OPENAI_API_KEY: MODEL_KEY };
  const gateway = await ensureGateway({ home, env });
  const workTree = path.join(root, 'attempt', 'tree');
  const gitObjects = path.join(root, 'objects');
  for (const directory of [workTree, gitObjects]) mkdirSync(directory, { recursive: true });
  execFileSync('git', ['init', '-q', workTree], { env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' } });
  const owner = { project: 'demo', run: 'r1', task: '001', attempt: 1 };
  return {
    home,
    model,
    gateway,
    workTree,
    request: (sandbox, turn, more = {}) => ({
      step: { name: stepName(owner, `turn-${turn}`), owner, execution: 'execution-1' },
      sandbox,
      workTree,
      agentHome: path.join(root, 'attempt', 'agent-home'),
      gitObjects,
      prompt: `Task 001, turn ${turn}: write the file.`,
      threadId: null,
      env: { SIGNALBOX_TASK_ID: '001', SIGNALBOX_ATTEMPT: '1', SIGNALBOX_TURN: String(turn) },
      timeoutMs: 60_000,
      network: 'gateway',
      ...more,
    }),
    close: async () => {
      await stopGateway(home);
      await model.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
