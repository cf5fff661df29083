/**
 * What went wrong, in the words that reach a person. `usage`, `config` and `task_files` end a command with exit code 2,
 * `environment` with 3, the others with 1.
 */
export type FailureCode =
  'usage' | 'config' | 'task_files' | 'not_found' | 'environment' | 'command_failed' | 'refused' | 'internal';

/** Extra facts of a {@link SignalboxError}. */
export interface FailureDetails {
  /** What to do about it: one imperative sentence, or a command to type. */
  hint?: string;
  /** May the same call succeed later without anybody mending anything? Activities retry only then. */
  retryable?: boolean;
  cause?: unknown;
}

/** The base of every failure that Signalbox raises on purpose. Foreign errors are mapped to one, once, by their adapter. */
export class SignalboxError extends Error {
  readonly code: FailureCode;
  readonly hint: string | undefined;
  readonly retryable: boolean;

  constructor(code: FailureCode, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SignalboxError';
    this.code = code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
  }
}

/** A command that ended without success, with what a person needs to understand it. */
export interface CommandFailureFacts {
  /** The command as a person would type it; no secrets, at most a few hundred characters. */
  command: string;
  exitCode: number | null;
  signal: string | null;
  /** Head and tail of each stream, bounded by {@link headAndTail}. */
  stdout: string;
  stderr: string;
}

/** A {@link SignalboxError} for a command of ours (git, docker, go) that failed. */
export class CommandFailedError extends SignalboxError {
  readonly facts: CommandFailureFacts;

  constructor(facts: CommandFailureFacts, details: FailureDetails = {}) {
    const how = facts.signal === null ? `exit code ${String(facts.exitCode)}` : `signal ${facts.signal}`;
    const said = facts.stderr.trim() || facts.stdout.trim();
    super('command_failed', `${facts.command}: ${how}${said === '' ? '' : `: ${said}`}`, details);
    this.name = 'CommandFailedError';
    this.facts = facts;
  }
}

/** The exit code of a command of the CLI that ended with this failure. */
export function exitCodeOf(code: FailureCode): 1 | 2 | 3 {
  if (code === 'usage' || code === 'config' || code === 'task_files' || code === 'not_found') return 2;
  return code === 'environment' ? 3 : 1;
}

/**
 * Keeps the first and the last part of a long text, and says how much was left out between them.
 *
 * @param text any text
 * @param limit the most UTF-16 units to keep, the notice not counted
 */
export function headAndTail(text: string, limit = 4000): string {
  if (text.length <= limit) return text;
  const head = Math.floor(limit / 3);
  const tail = limit - head;
  return `${text.slice(0, head)}\n… ${text.length - limit} characters left out …\n${text.slice(text.length - tail)}`;
}
