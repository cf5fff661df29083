import { statSync } from 'node:fs';
import { classifyAgentError } from '../../core/agent-errors.ts';
import { NO_USAGE, type Usage } from '../../core/usage.ts';
import type { StepResult, StepSpec } from '../sandbox/sandbox.ts';
import type { AgentTurnRequest, AgentTurnResult, RunTurnOptions } from './agent.ts';
import { CodexTranscript } from './codex-events.ts';
import { fileExcerpt } from './file-excerpt.ts';
import { usageSince } from './thread-usage.ts';

/** Bytes kept of each output stream of a turn. Codex prints a few KB an event. */
const OUTPUT_LIMIT = 64 * 1024 * 1024;

/** What makes an agent's step: all else is the same for every agent. */
export type AgentStep = Pick<StepSpec, 'command' | 'env' | 'mounts'>;

/** What was read from a step that is over. */
export interface AgentStepOutput {
  result: StepResult;
  transcript: CodexTranscript;
  /** What this turn used. */
  usage: Usage;
}

/**
 * Runs a turn's step, or attaches to it, and reads the events that it prints on standard output, each once.
 *
 * @param before what the agent's totals already held when the turn began
 */
export async function runAgentStep(
  request: AgentTurnRequest,
  step: AgentStep,
  options: RunTurnOptions,
  before: Usage = NO_USAGE,
): Promise<AgentStepOutput> {
  const transcript = new CodexTranscript(request.messageLimit);
  const { gitObjects, mounts = [], layers = [] } = request;
  const result = await request.sandbox.run(
    {
      ...request.step,
      kind: 'agent',
      command: step.command,
      stdin: request.prompt,
      workTree: request.workTree,
      mounts: [{ source: gitObjects, target: gitObjects, readOnly: true }, ...mounts, ...step.mounts],
      layers,
      env: { ...step.env },
      timeoutMs: request.timeoutMs,
      outputLimit: OUTPUT_LIMIT,
      network: request.network,
    },
    {
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      onStdout: (chunk) => {
        options.onOutput?.();
        if (!transcript.push(chunk)) return;
        const { events, message, total } = transcript;
        const usage = used(total, before);
        options.onProgress?.({ events, usage, ...(message === '' ? {} : { lastMessage: message }) });
      },
    },
  );
  transcript.end();
  const { total } = transcript;
  return { result, transcript, usage: used(total, before) };
}

function used(total: Usage | null, before: Usage): Usage {
  return total === null ? { ...NO_USAGE } : usageSince(total, before);
}

/** The turn's result; `problem` is what the agent itself says went wrong, if it knows. */
export async function turnResult(
  request: AgentTurnRequest,
  { result, transcript, usage }: AgentStepOutput,
  problem: string | null,
): Promise<AgentTurnResult> {
  const { message, events } = transcript;
  const threadId = transcript.threadId ?? request.threadId;
  const durationMs = durationOf(result);
  const told = { threadId, usage, message, events, durationMs, attached: result.attached, error: null };
  if (result.ended) return { outcome: 'ended', reason: 'the turn was ended by request', ...told };
  if (result.timedOut) {
    return { outcome: 'timed_out', reason: `the agent was not done after ${seconds(request.timeoutMs)}`, ...told };
  }
  if (result.exitCode === 0 && problem === null) return { outcome: 'finished', reason: null, ...told };
  const stderr = (await fileExcerpt(result.stderrPath)).trim();
  const said = problem || stderr || (await fileExcerpt(result.stdoutPath)).trim();
  // What a model said on standard output may be about errors, and is none.
  const error = classifyAgentError({ lost: result.lost, text: problem || lastLines(stderr) });
  return { outcome: 'failed', reason: `${howItEnded(result)}${said === '' ? '' : `: ${said}`}`, ...told, error };
}

/** Programs tell last why they ended; before that they may have printed anything. */
function lastLines(text: string): string {
  return text.split('\n').slice(-3).join('\n');
}

/**
 * A lost step may have ended days before it was looked for: its last output is a sign of life, and an engine may know when it
 * ended it.
 */
function durationOf({ lost, startedAt, endedAt, stdoutPath }: StepResult): number {
  const recorded = Date.parse(endedAt);
  const end = lost ? Math.min(recorded, statSync(stdoutPath).mtimeMs) : recorded;
  return Math.max(0, Math.round(end - Date.parse(startedAt)));
}

function howItEnded(result: StepResult): string {
  if (result.lost) return 'the agent was lost: its machine restarted, or its process or container was removed';
  if (result.outOfMemory) return 'the agent ran out of memory';
  if (result.exitCode === null) return `the agent was ended by ${result.signal ?? 'something unknown'}`;
  return result.exitCode === 0
    ? 'the agent did not finish its turn'
    : `the agent ended with exit code ${result.exitCode}`;
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}
