import type { AttemptRef } from '../../core/activities.ts';
import { SignalboxError } from '../../core/failures.ts';
import type { InputValue } from '../../core/person.ts';
import { plainInputs } from '../../core/prompt.ts';
import type { Task } from '../../core/task-file.ts';
import type { Home } from '../home.ts';
import { seal, unseal } from './seal.ts';

/** Most bytes of a secret: all the ways to write it must be known to those who keep it out of outputs. */
const MOST_SECRET_BYTES = 4096;

/** The task that an input is for. */
export interface InputOwner {
  project: string;
  run: string;
  task: string;
}

/**
 * Seals a secret input where a person gave it: it opens in the same home, for checks of that task in that run only.
 *
 * @throws SignalboxError `usage` for a value that is too long, or holds a NUL
 */
export function sealInput(home: Home, owner: InputOwner, name: string, value: string): InputValue {
  if (Buffer.byteLength(value) > MOST_SECRET_BYTES || value.includes('\0')) {
    throw new SignalboxError('usage', `the secret ${name} has more than ${MOST_SECRET_BYTES} bytes, or holds a NUL`);
  }
  return { sealed: seal(home, contextOf(owner, name), value) };
}

/** What checks find in their environment of what people gave. */
export interface InputVariables {
  env: Record<string, string>;
  /** Secrets, to be kept out of everything that is stored. */
  secrets: Record<string, string>;
}

/**
 * The variables `SIGNALBOX_INPUT_<NAME>` of a task's checks.
 *
 * @throws SignalboxError `refused` for a secret that was sealed elsewhere or for something else
 */
export function inputVariables(
  home: Home,
  { run, task: id }: Pick<AttemptRef, 'run' | 'task'>,
  task: Task,
  values: Readonly<Record<string, InputValue>>,
): InputVariables {
  const { inputs } = task.manifest;
  const env = plainInputs(inputs, values).map(({ name, value }) => [variableOf(name), value] as const);
  const secrets = inputs.flatMap(({ name, secret }) => {
    const given = Object.hasOwn(values, name) ? values[name] : undefined;
    if (!secret || given === undefined || !('sealed' in given)) return [];
    return [
      [
        variableOf(name),
        unseal(home, contextOf({ project: run.project, run: run.run, task: id }, name), given.sealed),
      ] as const,
    ];
  });
  return { env: Object.fromEntries(env), secrets: Object.fromEntries(secrets) };
}

function contextOf({ project, run, task }: InputOwner, name: string): string[] {
  return [project, run, task, name];
}

function variableOf(name: string): string {
  return `SIGNALBOX_INPUT_${name.toUpperCase()}`;
}
