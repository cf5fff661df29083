import { SignalboxError } from '../../core/failures.ts';
import type { Home } from '../home.ts';
import { stepToken } from '../models/gateway-secret.ts';
import type { Agent, AgentTurnRequest, AgentTurnResult, RunTurnOptions } from './agent.ts';
import { runAgentStep, turnResult } from './agent-step.ts';

/**
 * Any CLI agent: a shell command with the prompt on standard input, the work tree as its directory, done when it exits
 * with 0. Codex's event lines on its standard output are counted like Codex's own. `OPENAI_BASE_URL` and
 * `OPENAI_API_KEY`, and Anthropic's variables of these names, lead to the gateway, unless the configuration lists them itself.
 */
export class CommandAgent implements Agent {
  readonly provider = 'command';
  readonly #home: Home;

  /** @param home its secret signs the steps' tokens */
  constructor(home: Home) {
    this.#home = home;
  }

  async runTurn(request: AgentTurnRequest, options: RunTurnOptions = {}): Promise<AgentTurnResult> {
    if (request.command === undefined || request.command.trim() === '') {
      throw new SignalboxError('config', 'the `command` agent has no command', { hint: 'Set agent.command.' });
    }
    const token = stepToken(this.#home, request.step.name);
    const { gatewayUrl } = request.sandbox;
    const gateway = {
      OPENAI_BASE_URL: `${gatewayUrl}/v1`,
      OPENAI_API_KEY: token,
      ANTHROPIC_BASE_URL: `${gatewayUrl}/anthropic`,
      ANTHROPIC_API_KEY: token,
    };
    const env = { ...(request.network === 'none' ? {} : gateway), ...request.env };
    const output = await runAgentStep(request, { command: request.command, env, mounts: [] }, options);
    return await turnResult(request, output, output.result.exitCode === 0 ? null : output.transcript.error);
  }
}
