import type { Input } from './input.ts';
import type { Output } from './output.ts';

/** Everything of the outside world that a command gets; nothing else is read by a handler. */
export interface Context {
  /** Absolute; the project is looked for from here. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input: Input;
  readonly output: Output;
  /** Aborted by the first Ctrl+C, which a command that waits for something takes as the wish to end. */
  readonly interrupted: AbortSignal;
}
