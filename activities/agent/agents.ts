import type { Agent } from './agent.ts';
import { CodexAgent, type CodexAgentOptions } from './codex-agent.ts';
import { CommandAgent } from './command-agent.ts';
import { MockAgent } from './mock-agent.ts';

/** Makes one agent for each provider. */
export function createAgents(deps: CodexAgentOptions): Readonly<Record<Agent['provider'], Agent>> {
  return { codex: new CodexAgent(deps), command: new CommandAgent(deps.home), mock: new MockAgent() };
}
