import { type Script, chooseScript } from './script.ts';

/** The part of a Responses API request that the scripted model looks at. */
export interface ModelRequest {
  instructions: string;
  tools: unknown;
  input: readonly InputItem[];
}

/** One item of a request's input; unknown fields are kept. */
export interface InputItem {
  [field: string]: unknown;
  type?: unknown;
  role?: unknown;
  content?: unknown;
  call_id?: unknown;
}

/** An output item as the Responses API spells it. */
export type OutputItem =
  | {
      type: 'message';
      id: string;
      role: 'assistant';
      content: { type: 'output_text'; text: string; annotations: [] }[];
    }
  | { type: 'function_call'; id: string; call_id: string; name: 'exec_command'; arguments: string };

/** The usage of one response, in tokens. */
export interface Usage {
  input_tokens: number;
  input_tokens_details: { cached_tokens: number };
  output_tokens: number;
  output_tokens_details: { reasoning_tokens: number };
  total_tokens: number;
}

/** What is answered, and under which name `/stats` counts it: `007-time-forms#2`, or `…#done`. */
export interface Reply {
  step: string;
  items: OutputItem[];
  usage: Usage;
}

/** Rough, but it grows as the real number does. */
const CHARACTERS_PER_TOKEN = 4;
/** Prompts are cached in blocks. */
const CACHE_BLOCK = 128;
/** How long Codex waits for a command before it hands the model a running session. */
const PATIENCE_MS = 30_000;

/**
 * The next step of the script that fits the prompts; undefined when none does. Nothing is remembered: how far the
 * script has come is in the request, as the outputs of its own earlier calls, so a restarted server goes on.
 */
export function reply(scripts: readonly Script[], request: ModelRequest): Reply | undefined {
  const script = chooseScript(scripts, promptsOf(request.input));
  if (script === undefined) return undefined;
  const answered = new Set(
    request.input
      .filter((item) => item.type === 'function_call_output')
      .map((item) => String(item.call_id))
      .filter((id) => id.startsWith(`call_${script.name}_`)),
  ).size;
  const step = script.steps[answered];
  const id = `${script.name}_${answered + 1}`;
  const items: OutputItem[] =
    step === undefined ? [message(id, script.done)] : [message(id, step.say), execCommand(id, step.command)];
  return {
    step: `${script.name}#${step === undefined ? 'done' : answered + 1}`,
    items,
    usage: usageOf(request, items),
  };
}

/** The text of all user messages, the prompts of earlier turns included. */
function promptsOf(input: readonly InputItem[]): string {
  return input
    .filter((item) => item.role === 'user')
    .flatMap(({ content }): unknown[] => (Array.isArray(content) ? content : [{ text: content }]))
    .map((part) => (typeof part === 'object' && part !== null && 'text' in part ? String(part.text) : ''))
    .join('\n');
}

function message(id: string, text: string): OutputItem {
  return {
    type: 'message',
    id: `msg_${id}`,
    role: 'assistant',
    content: [{ type: 'output_text', text, annotations: [] }],
  };
}

function execCommand(id: string, cmd: string): OutputItem {
  const args = { cmd, yield_time_ms: PATIENCE_MS };
  return {
    type: 'function_call',
    id: `fc_${id}`,
    call_id: `call_${id}`,
    name: 'exec_command',
    arguments: JSON.stringify(args),
  };
}

/** All before the last call was in the request before, and so in the cache. */
function usageOf({ instructions, tools, input }: ModelRequest, items: readonly OutputItem[]): Usage {
  const prefix = tokensOf([instructions, tools]);
  const lastCall = input.findLastIndex((item) => item.type === 'function_call');
  const before = lastCall < 0 ? 0 : prefix + tokensOf(input.slice(0, lastCall));
  const inputTokens = prefix + tokensOf(input);
  const outputTokens = tokensOf(items);
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: before - (before % CACHE_BLOCK) },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + outputTokens,
  };
}

function tokensOf(value: unknown): number {
  return Math.ceil(JSON.stringify(value).length / CHARACTERS_PER_TOKEN);
}
