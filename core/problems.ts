import { type FailureCode, SignalboxError } from './failures.ts';

/** A place in a file; both count from 1, columns in UTF-16 units. */
export interface Place {
  line: number;
  column: number;
}

/** Something wrong in a file that a person wrote. */
export interface Problem extends Place {
  /** The file as a person would type it. */
  file: string;
  /** What is wrong, without a full stop. */
  message: string;
  /** What to do about it, without a full stop. */
  hint?: string;
}

/** One line for a terminal: `file:line:column  message; hint`. */
export function formatProblem({ file, line, column, message, hint }: Problem): string {
  return `${file}:${line}:${column}  ${message}${hint === undefined ? '' : `; ${hint}`}`;
}

/** A failure with all that is wrong in some files. Its message is readable in a terminal, one line for each problem. */
class ProblemsError extends SignalboxError {
  readonly problems: readonly Problem[];

  constructor(code: FailureCode, title: string, problems: readonly Problem[]) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    super(code, [`${count} in ${title}:`, ...problems.map((problem) => `  ${formatProblem(problem)}`)].join('\n'));
    this.problems = problems;
  }
}

/** The configuration is wrong. Carries every problem, in the order of the file. */
export class ConfigError extends ProblemsError {
  constructor(problems: readonly Problem[]) {
    super('config', 'the configuration', problems);
    this.name = 'ConfigError';
  }
}

/** Task files are wrong. Carries every problem of every file. */
export class TaskFilesError extends ProblemsError {
  constructor(problems: readonly Problem[]) {
    super('task_files', 'the task files', problems);
    this.name = 'TaskFilesError';
  }
}
