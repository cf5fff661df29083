/** A check that failed, with what the next attempt and a person need to understand it. */
export interface CheckFailure {
  /** `lint`, `doctor`, `integration`, … */
  check: string;
  command: string;
  exitCode: number | null;
  signal: string | null;
  timedOut: boolean;
  outOfMemory: boolean;
  /** Why it failed all the same, where its command did not. */
  reason?: string | undefined;
  /** Head and tail of standard output and error, together at most a few KB. */
  output: string;
}

/** What a set of checks said about one tree. */
export interface CheckReport {
  /** `null`: all passed. */
  failure: CheckFailure | null;
  /** How many commands ran; 0 means that nothing was configured, so nothing is proven. */
  commands: number;
  /** Wall time, milliseconds. */
  durationMs: number;
}

/** One sentence about a failed check. */
export function checkFailureSentence(failure: CheckFailure): string {
  if (failure.reason !== undefined) return `${failure.check} check \`${failure.command}\`: ${failure.reason}`;
  return `${failure.check} check \`${failure.command}\` ${endingWords(failure)}`;
}

/** How a command ended that did not succeed: the rest of a sentence that begins with it. */
export function endingWords(ending: Pick<CheckFailure, 'exitCode' | 'signal' | 'timedOut' | 'outOfMemory'>): string {
  if (ending.timedOut) return 'did not end in time';
  if (ending.outOfMemory) return 'ran out of memory';
  if (ending.exitCode === null) return `was ended by ${ending.signal ?? 'something unknown'}`;
  return `ended with exit code ${ending.exitCode}`;
}
