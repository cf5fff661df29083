import { Command as Parser, CommanderError, InvalidArgumentError, Option } from 'commander';
import { SignalboxError } from '../../core/failures.ts';
import type { Command } from './command.ts';
import type { OptionSpec } from './options.ts';

/** What the command line asked for. */
export interface Invocation {
  command: Command;
  options: Record<string, unknown>;
  arguments: Record<string, unknown>;
  /** From `-C`: where to look for the project. */
  directory: string | null;
}

/** What a command line came to: something to run, or a text that it asked for (help, the version). */
export type Parsed = { kind: 'run'; invocation: Invocation } | { kind: 'print'; text: string };

/** The nouns, in the order in which the help lists them. */
export interface Group {
  name: string;
  summary: string;
}

/** What the program is made of. */
export interface Program {
  commands: readonly Command[];
  groups: readonly Group[];
  version: string;
}

const OUTPUT = new Option('-o, --output <format>', 'text for people, or json: one object on standard output')
  .choices(['text', 'json'])
  .default('text', 'text');

/** Does the command line ask for JSON? Looked at before parsing, since a usage error is answered in JSON as well. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  return own.some(
    (word, index) =>
      word === '-ojson' ||
      word === '--output=json' ||
      (word === 'json' && /^(?:-o|--output)$/.test(own[index - 1] ?? '')),
  );
}

/**
 * Reads a command line.
 *
 * @param argv the words after the program's name
 * @param columns the width of the help
 * @throws SignalboxError `usage`, with the nearest valid word where there is one
 */
export function parseCommandLine(program: Program, argv: readonly string[], columns = 100): Parsed {
  const asked: Invocation[] = [];
  let printed = '';
  const root = buildParser(program, columns, (invocation) => {
    asked.push(invocation);
  });
  forEachParser(root, (parser) => {
    parser.exitOverride();
    parser.configureOutput({
      writeOut: (text) => (printed += text),
      writeErr: (text) => (printed += text),
      outputError: () => undefined,
      getOutHelpWidth: () => columns,
      getErrHelpWidth: () => columns,
    });
  });
  try {
    root.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed' || error.code === 'commander.version') {
      return { kind: 'print', text: printed };
    }
    throw usageError(error, argv, root);
  }
  const [invocation] = asked;
  return invocation === undefined ? { kind: 'print', text: root.helpInformation() } : { kind: 'run', invocation };
}

function usageError(error: CommanderError, argv: readonly string[], root: Parser): SignalboxError {
  const words = argv.filter((word) => !word.startsWith('-'));
  if (error.code === 'commander.help') {
    return new SignalboxError(
      'usage',
      words.length === 0 ? 'no command is given' : `"signalbox ${words[0] ?? ''}" needs a verb`,
      {
        hint: words.length === 0 ? 'See "signalbox --help".' : `See "signalbox ${words[0] ?? ''} --help".`,
      },
    );
  }
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const nearest = suggestion?.replace(/^\((.*)\)$/, '$1');
  return new SignalboxError('usage', message, {
    hint: nearest ?? `See "${[root.name(), ...commandIn(root, words)].join(' ')} --help".`,
  });
}

/** The words that name a command, or its noun where the verb is unknown. */
function commandIn(root: Parser, words: readonly string[]): string[] {
  const path: string[] = [];
  let parser = root;
  for (const word of words) {
    const next = parser.commands.find((child) => child.name() === word);
    if (next === undefined) continue;
    path.push(word);
    parser = next;
  }
  return path;
}

/** Every parser of the program, the root first. */
function forEachParser(parser: Parser, visit: (parser: Parser) => void): void {
  visit(parser);
  parser.commands.forEach((child) => forEachParser(child, visit));
}

function buildParser(program: Program, columns: number, onRun: (invocation: Invocation) => void): Parser {
  const root = new Parser('signalbox')
    .description('Runs many coding agents on one repository at once, and lets only proven work reach its branch.')
    .version(program.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .addOption(new Option('-C <directory>', 'look for the project from there').default(undefined))
    .addOption(OUTPUT)
    .configureHelp({ helpWidth: columns })
    .addHelpText(
      'after',
      '\nExamples:\n  signalbox init && signalbox doctor\n  signalbox run start\n  signalbox run describe -o json\n\n' +
        'Exit codes: 0 done, 1 ended without success, 2 bad usage, configuration or task file,\n' +
        '3 the environment is not usable, 4 waiting for a person, 130 interrupted, the run goes on.',
    );
  const parents = new Map<string, Parser>();
  for (const group of program.groups) {
    parents.set(
      group.name,
      root
        .command(group.name)
        .description(group.summary)
        .helpOption('-h, --help', 'print this help')
        .helpCommand(false),
    );
  }
  for (const command of program.commands) {
    const [first = '', verb] = command.name.split(' ');
    const parent = verb === undefined ? root : parents.get(first);
    if (parent === undefined) throw new SignalboxError('internal', `the command ${command.name} has no group`);
    addCommand(parent, command, verb ?? first, onRun);
  }
  return root;
}

function addCommand(parent: Parser, command: Command, word: string, onRun: (invocation: Invocation) => void): void {
  const parser = parent
    .command(word, { hidden: command.hidden })
    .summary(command.summary)
    .description(command.description === undefined ? command.summary : `${command.summary}\n\n${command.description}`)
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', examplesOf(command));
  for (const spec of Object.values(command.arguments)) parser.argument(spec.name, spec.help);
  const keys = new Map<string, string>();
  for (const [key, spec] of Object.entries(command.options)) {
    const option = toOption(spec);
    keys.set(option.attributeName(), key);
    parser.addOption(option);
  }
  parser.addOption(OUTPUT);
  parser.action(() => {
    // Texts, and lists of them; no parser of commander's own is involved.
    const values: readonly unknown[] = parser.processedArgs;
    const given = parser.opts<Record<string, unknown>>();
    const directory = parser.optsWithGlobals<Record<string, unknown>>()['C'];
    onRun({
      command,
      options: Object.fromEntries(
        [...keys].map(([name, key]) => [key, given[name] ?? (isFlag(command.options[key]) ? false : undefined)]),
      ),
      arguments: Object.fromEntries(Object.keys(command.arguments).map((key, index) => [key, values[index]])),
      directory: typeof directory === 'string' ? directory : null,
    });
  });
}

function isFlag(spec: OptionSpec<unknown> | undefined): boolean {
  return spec?.parse === undefined;
}

function toOption(spec: OptionSpec<unknown>): Option {
  const option = new Option(spec.flags, spec.help);
  if (spec.choices !== undefined) option.choices(spec.choices);
  if (spec.parse !== undefined) {
    const { parse } = spec;
    option.argParser((value: string, before: unknown) => {
      try {
        const parsed = parse(value);
        return spec.repeated === true && Array.isArray(before) ? before.concat(parsed) : parsed;
      } catch (error) {
        // Commander repeats the text, which may be a secret where it is a name with a value.
        if (error instanceof SignalboxError && spec.repeated === true)
          throw new SignalboxError('usage', `option '${spec.flags}': ${error.message}`);
        if (error instanceof SignalboxError) throw new InvalidArgumentError(error.message);
        throw error;
      }
    });
  }
  option.makeOptionMandatory(spec.required ?? false);
  return option.hideHelp(spec.hidden ?? false);
}

function examplesOf(command: Command): string {
  if (command.examples.length === 0) return '';
  const width = Math.max(...command.examples.map((example) => example.command.length));
  const lines = command.examples.map((example) => `  ${example.command.padEnd(width)}  # ${example.help}`);
  return `\nExamples:\n${lines.join('\n')}`;
}
