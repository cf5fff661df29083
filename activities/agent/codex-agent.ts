import { chown } from 'node:fs/promises';

import type { Home } from '../home.ts';
import { makePrivateDirectory } from '../home.ts';
import { stepToken } from '../models/gateway-secret.ts';
import type { Mount, Sandbox } from '../sandbox/sandbox.ts';
import type { Agent, AgentTurnRequest, AgentTurnResult, RunTurnOptions } from './agent.ts';
import { runAgentStep, turnResult, type AgentStep } from './agent-step.ts';
import { codexCommand, codexEnvironment, type CodexSandboxMode } from './codex-command.ts';
import type { CodexTranscript } from './codex-events.ts';
import { findCodex } from './codex-installation.ts';
import { probeCodexSandbox } from './codex-sandbox.ts';
import { ThreadUsage } from './thread-usage.ts';

/** Where a container sees Codex and the agent's home. */
const CODEX_IN_CONTAINER = '/opt/codex';
const HOME_IN_CONTAINER = '/opt/agent-home';

/** What {@link CodexAgent} needs. */
export interface CodexAgentOptions {
  /** Its secret signs the steps' tokens. */
  home: Home;
  /** Called once, when commands of Codex run on the host without a sandbox of its own, since that does not start there. */
  onUnsandboxed?: (reason: string) => void;
}

/** The real Codex, `codex exec`, as a step. Its threads are kept in the attempt's `agentHome`, their counts beside it. */
export class CodexAgent implements Agent {
  readonly provider = 'codex';
  readonly #options: CodexAgentOptions;
  readonly #localSandboxes = new WeakMap<Sandbox, Promise<boolean>>();

  constructor(options: CodexAgentOptions) {
    this.#options = options;
  }

  async runTurn(request: AgentTurnRequest, options: RunTurnOptions = {}): Promise<AgentTurnResult> {
    await this.#makeHome(request);
    const step = request.sandbox.backend === 'docker' ? this.#inContainer(request) : await this.#onHost(request);
    const counted = new ThreadUsage(`${request.agentHome}-usage.json`);
    const before = counted.before(request.threadId, request.step.name);
    const output = await runAgentStep(request, step, options, before);
    const { threadId, total } = output.transcript;
    if (threadId !== null && total !== null) counted.record(threadId, request.step.name, total);
    return await turnResult(request, output, problemOf(output.transcript, output.result.stdoutTruncated));
  }

  async #makeHome({ agentHome, sandbox }: AgentTurnRequest): Promise<void> {
    makePrivateDirectory(agentHome);
    const owner = sandbox.fileOwner;
    if (owner !== undefined) await chown(agentHome, owner.uid, owner.gid);
  }

  #inContainer(request: AgentTurnRequest): AgentStep {
    const { root } = findCodex('linux');
    const mounts: Mount[] = [
      { source: root, target: CODEX_IN_CONTAINER, readOnly: true },
      { source: request.agentHome, target: HOME_IN_CONTAINER, readOnly: false },
    ];
    return {
      command: codexCommand(`${CODEX_IN_CONTAINER}/bin/codex`, request),
      env: this.#environment(request, HOME_IN_CONTAINER, 'danger-full-access'),
      mounts,
    };
  }

  async #onHost(request: AgentTurnRequest): Promise<AgentStep> {
    const { binary, root } = findCodex();
    const known = this.#localSandboxes.get(request.sandbox) ?? this.#probe(binary, request.sandbox);
    this.#localSandboxes.set(request.sandbox, known);
    const works = await known;
    const wanted = request.access === 'read' ? 'read-only' : 'workspace-write';
    return {
      command: codexCommand(binary, request),
      env: this.#environment(request, request.agentHome, works ? wanted : 'danger-full-access'),
      mounts: [
        { source: root, target: root, readOnly: true },
        { source: request.agentHome, target: request.agentHome, readOnly: false },
      ],
    };
  }

  #environment(request: AgentTurnRequest, home: string, sandbox: CodexSandboxMode): Record<string, string> {
    const token = stepToken(this.#options.home, request.step.name);
    const { gatewayUrl } = request.sandbox;
    return { ...request.env, ...codexEnvironment({ home, gatewayUrl, token, sandbox }) };
  }

  async #probe(binary: string, sandbox: Sandbox): Promise<boolean> {
    const { works, confined, reason } = await probeCodexSandbox(binary, sandbox);
    if (!works && !confined)
      this.#options.onUnsandboxed?.(`Codex's commands run without a sandbox of its own: ${reason ?? 'unknown'}`);
    return works;
  }
}

/** Codex leaves with exit code 0 only after a completed turn; but when its output was cut, we may not have seen that. */
function problemOf(transcript: CodexTranscript, truncated: boolean): string | null {
  if (transcript.completed || truncated) return null;
  return transcript.error ?? '';
}
