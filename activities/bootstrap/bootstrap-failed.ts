import { checkFailureSentence, type CheckFailure } from '../../core/checks.ts';
import { SignalboxError } from '../../core/failures.ts';

/**
 * The dependencies of a commit could not be installed: its commands, or what they left, are to blame. Asking again for the
 * same commit does not help at once.
 */
export class BootstrapFailed extends SignalboxError {
  readonly failure: CheckFailure;

  constructor(failure: CheckFailure) {
    const said = failure.output.trim();
    super('command_failed', `${checkFailureSentence(failure)}${said === '' ? '' : `:\n${said}`}`);
    this.name = 'BootstrapFailed';
    this.failure = failure;
  }
}

/** A failure that the output of no command tells. */
export function failedBecause(command: string, reason: string): BootstrapFailed {
  const nothing = { exitCode: 0, signal: null, timedOut: false, outOfMemory: false, output: '' };
  return new BootstrapFailed({ check: 'bootstrap', command, ...nothing, reason });
}
