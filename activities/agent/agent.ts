import type { AgentErrorClass } from '../../core/agent-errors.ts';
import type { StepOwner } from '../../core/ids.ts';
import type { Usage } from '../../core/usage.ts';
import type { Layer, Mount, Sandbox, StepSpec } from '../sandbox/sandbox.ts';

/** One prompt for an agent, and where it works. The same request, made again, attaches to the turn that it started. */
export interface AgentTurnRequest {
  /** Identity of the turn, see `StepSpec`. */
  step: { name: string; owner: StepOwner; execution: string };
  sandbox: Sandbox;
  /** Host path of the work tree. */
  workTree: string;
  /** Host path of a directory private to the attempt and outside the work tree: the agent's threads live there. */
  agentHome: string;
  /** Host path of the git object store, mounted read-only at the same path. */
  gitObjects: string;
  /** What else the agent may see, such as its task file. */
  mounts?: readonly Mount[];
  /** Directories of the work tree that are laid over shared ones. */
  layers?: readonly Layer[];
  prompt: string;
  /** The thread to go on with; `null` starts one. It must have been started with the same `agentHome`. */
  threadId: string | null;
  model?: string | undefined;
  reasoningEffort?: string | undefined;
  /** The command line of a `command` agent. */
  command?: string | undefined;
  /** `read`: the agent is asked for an answer only; where it can be, it is kept from writing. Default: `write`. */
  access?: 'write' | 'read';
  /** Most characters kept of the agent's last message. Default: 4,000. */
  messageLimit?: number;
  /** Environment of the step besides what the backend and the agent supply. */
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
  network: StepSpec['network'];
}

/** How a turn went. Usage and thread are what the agent said of itself. */
export interface AgentTurnResult {
  /** `ended`: somebody ended the step. */
  outcome: 'finished' | 'failed' | 'timed_out' | 'ended';
  /** Why it did not finish: one sentence, with head and tail of what was said; `null` if it finished. */
  reason: string | null;
  /** For `failed`: what kind of error it was. */
  error: AgentErrorClass | null;
  /** The thread for the next turn, `null` for agents that have none. */
  threadId: string | null;
  usage: Usage;
  /** The agent's last message; head and tail of it, when it is longer than `messageLimit`. */
  message: string;
  /** How many events the agent printed. */
  events: number;
  /** How long the agent worked, milliseconds; of one that was lost, as far as anybody saw it work. */
  durationMs: number;
  /** True when the turn was found and not started by this call. */
  attached: boolean;
}

/** What is known of a turn that still runs. */
export interface AgentProgress {
  events: number;
  lastMessage?: string;
  usage: Usage;
}

/** Options of {@link Agent.runTurn}. */
export interface RunTurnOptions {
  /** Aborting it stops reading and rejects with the signal's reason; the turn goes on. */
  signal?: AbortSignal;
  /** Called whenever events were read, from the turn's first event on, for each reader. */
  onProgress?: (progress: AgentProgress) => void;
  /** Called whenever the agent printed anything on its standard output. */
  onOutput?: () => void;
}

/** Something that works on a prompt in a sandbox. Without state of its own: any worker can attend to any turn. */
export interface Agent {
  readonly provider: 'codex' | 'command' | 'mock';
  /**
   * Starts a turn, or attaches to it, and resolves when it is over. A turn that goes wrong is a result, not an error.
   *
   * @throws SignalboxError for what the sandbox throws, and `environment` when the agent's program is missing
   */
  runTurn(request: AgentTurnRequest, options?: RunTurnOptions): Promise<AgentTurnResult>;
}
