import { LiquidError } from 'liquidjs';
import { SignalboxError } from '../../core/failures.ts';
import { type PromptFacts, type PromptTemplates, promptVariables } from '../../core/prompt.ts';
import { promptEngine } from './engine.ts';

/**
 * The text that an agent is given for a turn. The same facts give the same text: a turn is found again by it.
 *
 * @param resumed the agent goes on with its thread, and knows what it was told there
 * @throws SignalboxError `config` where a template that passed its checks cannot be filled in after all
 */
export function renderPrompt(templates: PromptTemplates, facts: PromptFacts, resumed: boolean): string {
  const name = resumed ? 'continue' : 'task';
  try {
    const text: unknown = promptEngine().parseAndRenderSync(templates[name], promptVariables(facts));
    return `${String(text).trim()}\n`;
  } catch (error) {
    if (!LiquidError.is(error)) throw error;
    throw new SignalboxError('config', `the prompt ${name}.md cannot be filled in: ${error.message}`, { cause: error });
  }
}
