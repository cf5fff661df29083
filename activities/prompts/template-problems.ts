import { type Liquid, LiquidError } from 'liquidjs';
import { didYouMean } from '../../core/nearest.ts';
import type { Problem } from '../../core/problems.ts';
import { everyBranchEngine, FILE_TAGS, promptEngine } from './engine.ts';
import { BARE_VARIABLES, FULL_VARIABLES } from './sample-variables.ts';

/** What is found in a block whose beginning could not be read; on its own it is wrong, too. */
const PART_OF_BLOCK = /^unknown tag "(?:end\w*|else|elsif|when)"$/;

/**
 * All that is wrong with a template: its syntax, tags, filters and variables, those of branches that are rarely taken
 * included. What uses the first of a list that may be empty is wrong, too.
 *
 * @param file as a person would type it
 */
export function templateProblems(file: string, text: string): Problem[] {
  const every = everyBranchEngine();
  const problems = attempted(every, file, text, FULL_VARIABLES);
  if (problems.length > 0) return problems;
  const missing = attempted(promptEngine(), file, text, BARE_VARIABLES);
  const hint = 'it is not there in every turn: put an `{% if %}` around it';
  return missing.map((problem) => ({ ...problem, hint }));
}

function attempted(engine: Liquid, file: string, text: string, variables: object): Problem[] {
  try {
    engine.parseAndRenderSync(text, variables);
    return [];
  } catch (error) {
    const problems = errorsIn(error).map((one) => problemOf(engine, file, one));
    const all = [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
    const causes = all.filter(({ message }) => !PART_OF_BLOCK.test(message));
    return (causes.length > 0 ? causes : all).sort((a, b) => a.line - b.line || a.column - b.column);
  }
}

/** The errors that an error gathers, however deep. @throws what is no error of a template */
function errorsIn(error: unknown): LiquidError[] {
  if (error instanceof AggregateError) return error.errors.flatMap(errorsIn);
  if (!LiquidError.is(error)) throw error;
  if (error.originalError instanceof AggregateError) return errorsIn(error.originalError);
  return 'errors' in error && Array.isArray(error.errors) ? error.errors.flatMap(errorsIn) : [error];
}

function problemOf(engine: Liquid, file: string, error: LiquidError): Problem {
  const [line = 1, column = 1] = error.token.getPosition();
  const message = (error.originalError?.message ?? error.message).replace(/, line:\d+, col:\d+$/, '');
  const at = { file, line, column };
  const [, variable] = /^undefined variable: (.*)$/.exec(message) ?? [];
  if (variable !== undefined) {
    const names = variable.includes('.') ? propertiesOf(FULL_VARIABLES) : Object.keys(FULL_VARIABLES);
    const hint = didYouMean(variable.split('.').at(-1) ?? '', names);
    return { ...at, message: `unknown variable "${variable}"`, ...(hint === undefined ? {} : { hint }) };
  }
  const [, filter] = /^undefined filter: (.*)$/.exec(message) ?? [];
  if (filter !== undefined) {
    const hint = didYouMean(filter, Object.keys(engine.filters));
    return { ...at, message: `unknown filter "${filter}"`, ...(hint === undefined ? {} : { hint }) };
  }
  const [, tag] = /^tag "(.*)" not found$/.exec(message) ?? [];
  if (tag === undefined) return { ...at, message };
  const hint = FILE_TAGS.includes(tag) ? 'a template cannot read files' : didYouMean(tag, Object.keys(engine.tags));
  return { ...at, message: `unknown tag "${tag}"`, ...(hint === undefined ? {} : { hint }) };
}

/** The names of all properties, at any depth: what a variable of a loop has is among them. */
function propertiesOf(value: unknown): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap(propertiesOf))];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...propertiesOf(inner)]);
}
