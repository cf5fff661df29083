/** A process that attends to one Codex turn, for tests that kill it. Its argument: the turn as JSON, without a sandbox. */
import type { AgentTurnRequest } from '../../activities/agent/agent.ts';
import { CodexAgent } from '../../activities/agent/codex-agent.ts';
import { homeOf } from '../../activities/home.ts';
import { createSandbox } from '../../activities/sandbox/create-sandbox.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';

/** What {@link process.argv} holds. */
export interface TurnReaderInput {
  root: string;
  backend: Sandbox['backend'];
  gatewayUrl: string;
  gatewaySocket: string;
  request: Partial<AgentTurnRequest>;
}

const input = JSON.parse(process.argv[2] ?? '') as TurnReaderInput & { request: AgentTurnRequest };
const home = homeOf({ SIGNALBOX_HOME: input.root });
const { backend, gatewayUrl, gatewaySocket } = input;
const sandbox = await createSandbox({ home, env: process.env, backend, gatewayUrl, gatewaySocket });
await new CodexAgent({ home }).runTurn({ ...input.request, sandbox });
