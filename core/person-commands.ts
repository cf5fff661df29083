import type { PersonWait } from './person.ts';

/**
 * What a person types to answer a task that waits, the likeliest first. Only ids are in them, which need no quoting; `…`
 * stands for the person's own words.
 */
export function personCommands(run: string, task: string, wait: Pick<PersonWait, 'kind' | 'inputs'>): string[] {
  const command = (verb: string, rest = ''): string => `signalbox task ${verb} ${task}${rest} --run ${run}`;
  const reject = command('reject', ' --reason "…"');
  switch (wait.kind) {
    case 'start':
      return [command('approve'), reject];
    case 'merge':
    case 'review':
      return [command('approve'), command('retry', ' --with "…"'), reject];
    case 'question':
      return [command('answer', ' "…"'), reject];
    case 'input':
      return [command('answer', wait.inputs.map(inputOption).join('')), reject];
  }
}

/** A secret is never typed where the shell's history keeps it. */
function inputOption({ name, secret }: PersonWait['inputs'][number]): string {
  return secret ? ` --input-file ${name}=…` : ` --input ${name}="…"`;
}
