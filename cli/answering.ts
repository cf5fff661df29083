import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { SignalboxError } from '../core/failures.ts';
import type { WaitingTask } from '../core/waiting.ts';
import type { Context } from './framework/context.ts';
import type { Named } from './framework/options.ts';
import { questionLines } from './views/waiting-view.ts';

/** What a command line says of an answer. */
export interface GivenAnswer {
  text: string | undefined;
  file: string | undefined;
  /** Inputs in clear, from files and from variables. */
  values: readonly Named[];
  files: readonly Named[];
  variables: readonly Named[];
}

/**
 * The answer to a question: from the command line, a file, or whoever sits at the terminal.
 *
 * @returns `null` if the person does not want to
 * @throws SignalboxError `usage` for none, an empty one, or one too many
 */
export async function answerText(context: Context, waiting: WaitingTask, given: GivenAnswer): Promise<string | null> {
  const { task_id: task } = waiting;
  if (given.values.length + given.files.length + given.variables.length > 0) {
    throw new SignalboxError('usage', `${task} asks a question, and for no inputs`, {
      hint: `Answer it with: signalbox task answer ${task} "…"`,
    });
  }
  if (given.text !== undefined && given.file !== undefined) {
    throw new SignalboxError('usage', 'an answer is given twice: as an argument, and by --file');
  }
  const file = given.text === '-' ? '-' : given.file;
  const said = file === undefined ? (given.text ?? (await askFor(context, waiting))) : await contentOf(context, file);
  if (said === null) return null;
  if (said.trim() !== '') return said.trim();
  throw new SignalboxError('usage', 'the answer is empty');
}

/**
 * The inputs that a task asks for, by name: from the command line, files, variables, and whoever sits at the terminal.
 *
 * @returns `null` if the person does not want to
 * @throws SignalboxError `usage` for an input that is not asked for, given twice, or secret and in clear; or for none
 */
export async function givenInputs(
  context: Context,
  waiting: WaitingTask,
  given: GivenAnswer,
): Promise<Map<string, string> | null> {
  const { inputs, task_id: task } = waiting;
  if (given.text !== undefined || given.file !== undefined) {
    throw new SignalboxError('usage', `${task} asks for inputs, not for an answer`, { hint: howTo(waiting) });
  }
  const values = new Map<string, string>();
  const take = (name: string, value: string): void => {
    if (!inputs.some((input) => input.name === name)) {
      const known = inputs.map((input) => input.name).join(', ');
      throw new SignalboxError('usage', `${task} does not ask for ${JSON.stringify(name)}`, {
        hint: `It asks for ${known}.`,
      });
    }
    if (values.has(name)) throw new SignalboxError('usage', `the input ${name} is given twice`);
    values.set(name, value);
  };
  for (const { name, text } of given.values) {
    if (inputs.some((input) => input.name === name && input.secret)) {
      throw new SignalboxError('usage', `${name} is secret, and a command line is no place for secrets`, {
        hint: `Use --input-file ${name}=PATH or --input-env ${name}=VARIABLE, or leave it out to be asked for it. What you typed may be in your shell's history.`,
      });
    }
    take(name, text);
  }
  for (const { name, text } of given.files) take(name, (await contentOf(context, text)).replace(/\r?\n$/, ''));
  for (const { name, text } of given.variables) {
    const value = context.env[text];
    if (value === undefined) throw new SignalboxError('usage', `the variable ${text} for the input ${name} is not set`);
    take(name, value);
  }
  if (context.input.canAsk) {
    for (const { name, prompt, secret } of inputs) {
      if (values.has(name)) continue;
      const typed = await context.input.ask(`${name}: ${prompt}`, secret);
      if (typed === null) return null;
      if (typed !== '') values.set(name, typed);
    }
  }
  if (values.size > 0) return values;
  throw new SignalboxError('usage', `no input is given; ${task} asks for ${names(waiting)}`, {
    hint: howTo(waiting),
  });
}

async function askFor({ input, output }: Context, waiting: WaitingTask): Promise<string | null> {
  const { task_id: task, name, question } = waiting;
  if (!input.canAsk) {
    throw new SignalboxError('usage', `no answer is given; ${task} asks: ${question}`, {
      hint: `Type it after the task, or use --file PATH; "-" is standard input.`,
    });
  }
  output.progress([`${task} ${name} asks:`, ...questionLines(waiting)].join('\n'));
  return await input.ask('Answer:');
}

async function contentOf({ directory, input }: Context, file: string): Promise<string> {
  if (file === '-') return await input.readAll();
  try {
    return await readFile(path.resolve(directory, file), 'utf8');
  } catch (cause) {
    throw new SignalboxError('usage', `${file} cannot be read`, { cause });
  }
}

function names({ inputs }: WaitingTask): string {
  return inputs.map(({ name }) => name).join(', ');
}

function howTo({ inputs }: WaitingTask): string {
  const options = inputs.map(({ name, secret }) =>
    secret ? `--input-file ${name}=PATH (or --input-env ${name}=VARIABLE)` : `--input ${name}=VALUE`,
  );
  return `Give them with ${options.join(' ')}.`;
}
