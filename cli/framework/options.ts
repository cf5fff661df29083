import { SignalboxError } from '../../core/failures.ts';

/** A flag of a command: how it is written, what it means, and how its text becomes a value. */
export interface OptionSpec<Value> {
  /** As commander reads it: `--detach`, `--tasks <ids>`, `-f, --follow`. */
  readonly flags: string;
  readonly help: string;
  /** Turns the text into the value; absent for a flag that is there or not. @throws SignalboxError `usage` */
  readonly parse?: (text: string) => Value;
  /** The only texts allowed; they are shown in the help. */
  readonly choices?: readonly string[];
  readonly required?: boolean;
  /** It may be given several times; its values are lists, which are joined. */
  readonly repeated?: boolean;
  readonly hidden?: boolean;
  /** Never read; carries the type of the value. */
  readonly value?: Value;
}

/** A positional argument: `run` is required, `[run]` may be left out. */
export interface ArgumentSpec<Value> {
  readonly name: string;
  readonly help: string;
  /** Never read; carries the type of the value. */
  readonly value?: Value;
}

/** The values of options or arguments, by their keys. */
export type Values<Specs> = {
  [Key in keyof Specs]: Specs[Key] extends { readonly value?: infer Value } ? Value : never;
};

/** A flag that is there or not. */
export function flag(flags: string, help: string, more: { hidden?: boolean } = {}): OptionSpec<boolean> {
  return { flags, help, ...more };
}

/** An option with a text that may be left out. */
export function text(flags: string, help: string, more: { hidden?: boolean } = {}): OptionSpec<string | undefined> {
  return { flags, help, parse: (value) => value, ...more };
}

/** An option with a text that must be given. */
export function requiredText(flags: string, help: string): OptionSpec<string> {
  return { flags, help, parse: (value) => value, required: true };
}

/** An option that takes one of a few words. */
export function choice<const Word extends string>(
  flags: string,
  help: string,
  choices: readonly Word[],
): OptionSpec<Word | undefined> {
  const parse = (value: string): Word => {
    const found = choices.find((word) => word === value);
    if (found === undefined)
      throw new SignalboxError('usage', `${JSON.stringify(value)} is none of ${choices.join(', ')}`);
    return found;
  };
  return { flags, help, parse, choices };
}

/** An option with a whole number of at least 1. */
export function count(flags: string, help: string): OptionSpec<number | undefined> {
  return { flags, help, parse: wholeCount };
}

/** An option with a whole number of at least 1 that must be given. */
export function requiredCount(flags: string, help: string): OptionSpec<number> {
  return { flags, help, parse: wholeCount, required: true };
}

function wholeCount(value: string): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : 0;
  if (number < 1) throw new SignalboxError('usage', `${JSON.stringify(value)} is no whole number of at least 1`);
  return number;
}

/** An option with a list, separated by commas. */
export function list(flags: string, help: string): OptionSpec<string[] | undefined> {
  const parse = (value: string): string[] => {
    const items = value.split(',').map((item) => item.trim());
    if (items.includes(''))
      throw new SignalboxError('usage', `${JSON.stringify(value)} has an empty item; write it like a,b`);
    return items;
  };
  return { flags, help, parse };
}

/** An option with a whole number, which may be negative, that must be given. */
export function integer(flags: string, help: string): OptionSpec<number> {
  const parse = (value: string): number => {
    if (!/^[+-]?\d{1,9}$/.test(value)) throw new SignalboxError('usage', `${JSON.stringify(value)} is no whole number`);
    return Number(value);
  };
  return { flags, help, parse, required: true };
}

/** A name with a text. */
export interface Named {
  name: string;
  text: string;
}

/** An option that may be given several times, each with a name, `=` and a text. */
export function named(flags: string, help: string): OptionSpec<Named[] | undefined> {
  const parse = (value: string): Named[] => {
    const [, name, text] = /^([^=]+)=([^]*)$/.exec(value) ?? [];
    // Without repeating the text, which may be a secret.
    if (name === undefined || text === undefined) throw new SignalboxError('usage', 'it is written like name=value');
    return [{ name, text }];
  };
  return { flags, help, parse, repeated: true };
}

/** A positional argument that must be given. */
export function argument(name: string, help: string): ArgumentSpec<string> {
  return { name: `<${name}>`, help };
}

/** A positional argument that may be left out. */
export function optionalArgument(name: string, help: string): ArgumentSpec<string | undefined> {
  return { name: `[${name}]`, help };
}

/** Positional arguments, at least one. */
export function someArguments(name: string, help: string): ArgumentSpec<string[]> {
  return { name: `<${name}...>`, help };
}
