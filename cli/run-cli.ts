import path from 'node:path';
import { exitCodeOf, SignalboxError } from '../core/failures.ts';
import { commands, groups } from './commands.ts';
import { failureOf } from './framework/failure.ts';
import { Input, type Keyboard } from './framework/input.ts';
import { Output, type Screen } from './framework/output.ts';
import { parseCommandLine, wantsJson, type Program } from './framework/program.ts';
import { packageVersion } from './framework/version.ts';

/** The process around a command line, so that tests can be one too. */
export interface CliHost {
  /** Absolute. */
  directory: string;
  env: Readonly<Record<string, string | undefined>>;
  stdin: Keyboard;
  stdout: Screen;
  stderr: Screen;
  /** Aborted by Ctrl+C. */
  interrupted: AbortSignal;
}

/** The program's commands and version. */
export function signalboxProgram(): Program {
  return { commands, groups, version: packageVersion() };
}

/**
 * Runs one command line and prints what it came to. Never throws.
 *
 * @param argv the words after the program's name
 * @returns the exit code
 */
export async function runCli(argv: readonly string[], host: CliHost): Promise<number> {
  const { env, stdin, stdout, stderr, interrupted } = host;
  const json = wantsJson(argv);
  const output = new Output({ json, stdout, stderr, env });
  const input = new Input({ keyboard: stdin, screen: stderr, json, interrupted });
  try {
    const parsed = parseCommandLine(signalboxProgram(), argv, Math.min(output.columns ?? 100, 120));
    if (parsed.kind === 'print') {
      output.outcome({ result: { text: parsed.text }, text: parsed.text });
      return 0;
    }
    const { command, options, arguments: words, directory } = parsed.invocation;
    const from = path.resolve(host.directory, directory ?? '.');
    const outcome = await command.run(
      { directory: from, env, input, output, interrupted },
      { options, arguments: words },
    );
    output.outcome(outcome);
    return outcome.exitCode ?? 0;
  } catch (error) {
    if (interrupted.aborted) {
      output.failure(new SignalboxError('internal', 'interrupted'));
      return 130;
    }
    const { failureWithoutSecrets, textWithoutSecrets } = await import('../workers/without-secrets.ts');
    const failure = failureWithoutSecrets(failureOf(error), env);
    output.failure(failure);
    if (env['SIGNALBOX_DEBUG'] && error instanceof Error) {
      output.progress(textWithoutSecrets(error.stack ?? error.message, env));
    }
    return exitCodeOf(failure.code);
  }
}
