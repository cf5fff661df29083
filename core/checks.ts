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
  const how = failure.timedOut
    ? 'did not end in time'
    : failure.outOfMemory
      ? 'ran out of memory'
      : failure.exitCode === null
        ? `was ended by ${failure.signal ?? 'something unknown'}`
        : `ended with exit code ${failure.exitCode}`;
  return `${failure.check} check \`${failure.command}\` ${how}`;
}
