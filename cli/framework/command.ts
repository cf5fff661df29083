import type { Context } from './context.ts';
import type { ArgumentSpec, OptionSpec, Values } from './options.ts';

/** What a command came to. */
export interface Outcome {
  /** For `-o json`: the `result` of the envelope. Plain JSON. */
  result: unknown;
  /** For people; printed on standard output. Empty: nothing is printed. */
  text: string;
  /** Everything was printed as events already: print no envelope. */
  printed?: boolean;
  /** By default 0. */
  exitCode?: 0 | 1 | 3 | 4 | 130;
}

/** A line of a command's help that shows how it is used. */
export interface Example {
  command: string;
  help: string;
}

type Specs<Spec> = Readonly<Record<string, Spec>>;

/**
 * A command is data and a handler. The data is the whole truth about the command line: the parser, the help and
 * docs/cli.md are made from it.
 */
export interface CommandDefinition<
  Options extends Specs<OptionSpec<unknown>>,
  Arguments extends Specs<ArgumentSpec<unknown>>,
> {
  /** As it is typed: `init`, `run start`. */
  readonly name: string;
  /** One line, for lists of commands. */
  readonly summary: string;
  /** More, for the command's own help. */
  readonly description?: string;
  /** In the order in which they are typed. */
  readonly arguments?: Arguments;
  readonly options?: Options;
  readonly examples: readonly Example[];
  /** Left out of help and reference. */
  readonly hidden?: boolean;
  /**
   * Does it. Modules that are slow to load are imported inside, so that `--help` stays quick.
   *
   * @throws SignalboxError for what a person can mend; the framework prints it and picks the exit code
   */
  readonly run: (
    context: Context,
    input: { options: Values<Options>; arguments: Values<Arguments> },
  ) => Promise<Outcome>;
}

/** A command with the types of its options forgotten. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly description?: string;
  readonly arguments: Specs<ArgumentSpec<unknown>>;
  readonly options: Specs<OptionSpec<unknown>>;
  readonly examples: readonly Example[];
  readonly hidden: boolean;
  readonly run: (
    context: Context,
    input: { options: Readonly<Record<string, unknown>>; arguments: Readonly<Record<string, unknown>> },
  ) => Promise<Outcome>;
}

/** Makes a command of its definition. */
export function defineCommand<
  const Options extends Specs<OptionSpec<unknown>> = Specs<OptionSpec<unknown>>,
  const Arguments extends Specs<ArgumentSpec<unknown>> = Specs<ArgumentSpec<unknown>>,
>(definition: CommandDefinition<Options, Arguments>): Command {
  return {
    ...definition,
    arguments: definition.arguments ?? {},
    options: definition.options ?? {},
    hidden: definition.hidden ?? false,
    // The parser makes the values of these very definitions, so their types hold.
    run: (context, input) =>
      definition.run(context, {
        options: input.options as Values<Options>,
        arguments: input.arguments as Values<Arguments>,
      }),
  };
}
