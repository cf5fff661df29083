import { SignalboxError } from '../../core/failures.ts';
import { environmentSecrets } from '../redaction/environment-secrets.ts';
import type { StepSpec } from './sandbox.ts';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Looks at a spec before anything is written.
 *
 * @throws SignalboxError `usage` for a variable that a shell would drop, a NUL, or an empty command
 */
export function checkSpec(spec: StepSpec): void {
  const secrets = Object.entries(spec.secrets ?? {});
  if (spec.kind === 'agent' && secrets.length > 0) {
    throw new SignalboxError('internal', `step ${spec.name} is an agent's: it must not get secrets`);
  }
  for (const [name, value] of [...Object.entries(spec.env), ...secrets]) {
    if (!VARIABLE.test(name) || value.includes('\0')) {
      throw new SignalboxError('usage', `${JSON.stringify(name)} cannot be set in a step's environment`);
    }
  }
  const args = argumentsOf(spec.command);
  if (args.length === 0 || args[0] === '' || args.join('').includes('\0')) {
    throw new SignalboxError('usage', `step ${spec.name} has no command that could be run`);
  }
}

/** What a step adds to its backend's variables. Its own name is set by the backend when the command starts. */
export function stepVariables(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name !== 'SIGNALBOX_STEP'));
}

/** What a step gets and must not show: its secrets, and what looks like a key in the rest of its environment. */
export function stepSecrets({ env, secrets = {} }: Pick<StepSpec, 'env' | 'secrets'>): string[] {
  return [...Object.values(secrets), ...environmentSecrets(env)];
}

/** The argument vector of a step's command: a command line is a shell's business. */
export function argumentsOf(command: string | readonly string[]): readonly string[] {
  return typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
}
