import type { IncomingHttpHeaders } from 'node:http';

import { z } from 'zod';

/** A request as Codex posts it to `/v1/responses`, with what scripts decide on picked out. */
export interface ModelRequest {
  /** 1 for the first request that the server got. */
  number: number;
  headers: IncomingHttpHeaders;
  /** The model that it asks for; answers name it again. */
  model: string;
  /** The thread's id; the same over the requests of all its turns. */
  thread: string;
  /** The newest prompt: the last message of the user that is not context which the agent adds itself. */
  prompt: string;
  /** Identity of the turn: thread and number of prompts in it. A repeated request has the same. */
  turn: string;
  /** Outputs of the tools that were called since the newest prompt, oldest first. Empty: the turn's first request. */
  toolOutputs: string[];
  /** The whole body as it was posted. */
  text: string;
}

const content = z.array(z.looseObject({ text: z.string().optional() }));
const item = z.looseObject({
  type: z.string().optional(),
  role: z.string().optional(),
  content: z.union([z.string(), content]).optional(),
  output: z.union([z.string(), content]).optional(),
});
const body = z.looseObject({
  model: z.string().default('no-model'),
  input: z.union([z.string(), z.array(item)]),
  prompt_cache_key: z.string().optional(),
});

/** Reads a posted body. @throws ZodError when it is no Responses API request */
export function parseModelRequest(number: number, headers: IncomingHttpHeaders, text: string): ModelRequest {
  const { input, model, prompt_cache_key: thread = 'no-thread' } = body.parse(JSON.parse(text));
  const items: z.infer<typeof item>[] = typeof input === 'string' ? [{ role: 'user', content: input }] : input;
  let prompt = '';
  let prompts = 0;
  let toolOutputs: string[] = [];
  for (const part of items) {
    if (part.role === 'user') {
      const said = plain(part.content);
      if (said.trimStart().startsWith('<environment_context>') || said.startsWith('# AGENTS.md instructions')) continue;
      prompt = said;
      prompts += 1;
      toolOutputs = [];
    } else if (part.type === 'function_call_output' || part.type === 'custom_tool_call_output') {
      toolOutputs.push(plain(part.output));
    }
  }
  return { number, headers, model, thread, prompt, turn: `${thread}#${prompts}`, toolOutputs, text };
}

function plain(value: string | { text?: string | undefined }[] | undefined): string {
  return typeof value === 'string' ? value : (value ?? []).map((part) => part.text ?? '').join('');
}
