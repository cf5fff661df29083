import type { Agent, AgentTurnRequest, AgentTurnResult, RunTurnOptions } from './agent.ts';
import { runAgentStep, turnResult } from './agent-step.ts';

/** Without a script the mock leaves a file behind, so that there is something to check and merge. */
const DEFAULT_SCRIPT = 'printf "Done by the mock agent.\\n" > "mock-${SIGNALBOX_TASK_ID:-task}.md"';

/**
 * An agent without a model, for tests and trials: it runs the first fenced block with the info string `mock` of its prompt
 * (so, of the task's body) as a shell script, through a step like every other agent. The script sees
 * `SIGNALBOX_ATTEMPT` and `SIGNALBOX_TURN`, and may print Codex's event lines. Without such a block it writes
 * `mock-<task>.md`.
 */
export class MockAgent implements Agent {
  readonly provider = 'mock';

  async runTurn(request: AgentTurnRequest, options: RunTurnOptions = {}): Promise<AgentTurnResult> {
    const command = mockScript(request.prompt) ?? DEFAULT_SCRIPT;
    const output = await runAgentStep(request, { command, env: request.env, mounts: [] }, options);
    return await turnResult(request, output, null);
  }
}

/** The script that a prompt holds for the mock agent, or `null`. */
export function mockScript(prompt: string): string | null {
  return /^(`{3,}|~{3,})mock[ \t]*\n([\s\S]*?)^\1/m.exec(prompt)?.[2] ?? null;
}
