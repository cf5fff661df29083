import type { Agent } from './agent.ts';
import { CodexPlanner } from './codex-planner.ts';
import { CodexAgent, type CodexAgentOptions } from './codex-agent.ts';
import { CommandAgent } from './command-agent.ts';
import { MockAgent } from './mock-agent.ts';
import { MockPlanner } from './mock-planner.ts';
import type { Planner } from './planner.ts';

/** Makes one agent for each provider. */
export function createAgents(deps: CodexAgentOptions): Readonly<Record<Agent['provider'], Agent>> {
  return { codex: new CodexAgent(deps), command: new CommandAgent(deps.home), mock: new MockAgent() };
}

/** Makes one planner for each provider. */
export function createPlanners(agents: { codex: Agent }): Readonly<Record<Planner['provider'], Planner>> {
  return { codex: new CodexPlanner(agents.codex), mock: new MockPlanner() };
}
