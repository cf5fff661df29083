import { z } from 'zod';
import type { Output } from '../framework/output.ts';
import { scriptOf } from './shell-words.ts';
import { displayLines } from './text.ts';

type Colors = Output['colors'];

/** Lines of a command, and of its output, that are shown at most. */
const MOST_LINES = 40;

const text = z.string().catch('');
const itemSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('agent_message'), text }),
  z.looseObject({ type: z.literal('reasoning'), text }),
  z.looseObject({
    type: z.literal('command_execution'),
    command: text,
    aggregated_output: text,
    exit_code: z.number().nullish(),
  }),
  z.looseObject({
    type: z.literal('file_change'),
    changes: z.array(z.looseObject({ path: text, kind: text })).catch([]),
  }),
  z.looseObject({ type: z.literal('mcp_tool_call'), server: text, tool: text }),
  z.looseObject({ type: z.literal('web_search'), query: text }),
  z.looseObject({
    type: z.literal('todo_list'),
    items: z.array(z.looseObject({ text, completed: z.boolean() })).catch([]),
  }),
  z.looseObject({ type: z.literal('error'), message: text }),
]);
const count = z.number().catch(0);
const eventSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('item.completed'), item: itemSchema }),
  z.looseObject({
    type: z.literal('turn.completed'),
    usage: z.looseObject({ input_tokens: count, cached_input_tokens: count, output_tokens: count }),
  }),
  z.looseObject({ type: z.literal('turn.failed'), error: z.looseObject({ message: text }) }),
  z.looseObject({ type: z.literal('error'), message: text }),
]);
const anyEvent = z.looseObject({ type: z.string() });

/**
 * One line of an agent's transcript for people: Codex's JSON events in words, any other line as it is.
 *
 * @returns `null` for an event that says nothing to a person
 */
export function transcriptLine(line: string, colors: Colors): string | null {
  if (!line.startsWith('{')) return displayLines(line);
  const parsed = parseJson(line);
  const event = eventSchema.safeParse(parsed);
  if (!event.success) return anyEvent.safeParse(parsed).success ? null : displayLines(line);
  switch (event.data.type) {
    case 'item.completed':
      return itemText(event.data.item, colors);
    case 'turn.completed': {
      const { input_tokens, cached_input_tokens, output_tokens } = event.data.usage;
      return colors.dim(
        `turn completed: ${input_tokens} tokens in (${cached_input_tokens} cached), ${output_tokens} out`,
      );
    }
    case 'turn.failed':
      return colors.red(`turn failed: ${displayLines(event.data.error.message)}`);
    case 'error':
      return colors.red(`error: ${displayLines(event.data.message)}`);
  }
}

function itemText(item: z.infer<typeof itemSchema>, colors: Colors): string {
  switch (item.type) {
    case 'agent_message':
      return displayLines(item.text);
    case 'reasoning':
      return colors.dim(displayLines(item.text));
    case 'command_execution': {
      const [first = '', ...more] = firstLines(scriptOf(item.command));
      const output = firstLines(item.aggregated_output);
      const code = item.exit_code ?? 0;
      const end = code === 0 ? [] : [colors.red(`exit code ${code}`)];
      return [colors.bold(`$ ${first}`), ...more.map((line) => colors.bold(line)), ...output, ...end].join('\n');
    }
    case 'file_change':
      return item.changes.map((change) => `${change.kind} ${displayLines(change.path)}`).join('\n');
    case 'mcp_tool_call':
      return colors.dim(`tool ${displayLines(item.server)}/${displayLines(item.tool)}`);
    case 'web_search':
      return colors.dim(`search: ${displayLines(item.query)}`);
    case 'todo_list':
      return item.items.map((todo) => `[${todo.completed ? 'x' : ' '}] ${displayLines(todo.text)}`).join('\n');
    case 'error':
      return colors.red(displayLines(item.message));
  }
}

function firstLines(text: string): string[] {
  const shown = displayLines(text).trimEnd();
  const lines = shown === '' ? [] : shown.split('\n');
  const hidden = lines.length - MOST_LINES;
  return hidden > 0 ? [...lines.slice(0, MOST_LINES), `… ${hidden} more lines`] : lines;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
