import * as z from 'zod';
import { didYouMean } from './nearest.ts';

/** Something that a value has wrong against its schema. */
export interface SchemaProblem {
  /** Keys and indexes from the root to the value, or to the key that is wrong. */
  path: (string | number)[];
  /** `key`: the last part of the path is itself wrong. */
  at: 'key' | 'value';
  message: string;
  hint?: string;
}

/** What a value parses to, or everything that is wrong with it. */
export type Checked<T> = { ok: true; value: T } | { ok: false; problems: SchemaProblem[] };

/** Parses a value, and puts what is wrong into words that name the key as it is written in the file. */
export function checkSchema<T>(schema: z.ZodType<T>, value: unknown): Checked<T> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, problems: result.error.issues.flatMap((issue) => problemsOf(issue, schema, value)) };
}

/** A path as people write it, such as `resources[0].paths`. */
export function formatPath(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

function problemsOf(issue: z.core.$ZodIssue, schema: z.ZodType, root: unknown): SchemaProblem[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const name = formatPath(path);
  if (issue.code === 'unrecognized_keys') {
    const where = name === '' ? '' : ` in ${name}`;
    return issue.keys.map((key) => ({
      path: [...path, key],
      at: 'key',
      message: `unknown key ${JSON.stringify(key)}${where}`,
      ...hint(didYouMean(key, keysAt(schema, path)) ?? listed('the keys are', keysAt(schema, path))),
    }));
  }
  if (issue.code === 'invalid_union') {
    // The form that fits but for something inside of it says more than "none of the forms".
    const fits = issue.errors.find((inner) => inner.length > 0 && inner.every((one) => one.path.length > 0));
    if (fits !== undefined) {
      return fits.flatMap((one) => problemsOf({ ...one, path: [...issue.path, ...one.path] }, schema, root));
    }
  }
  const value = valueAt(root, path);
  const subject = name === '' ? 'the file' : name;
  if (value === undefined && issue.code !== 'custom') return [{ path, at: 'value', message: `${subject} must be set` }];
  return [{ path, at: 'value', ...explain(issue, subject, value) }];
}

function explain(issue: z.core.$ZodIssue, subject: string, value: unknown): { message: string; hint?: string } {
  switch (issue.code) {
    case 'invalid_type': {
      const quote = issue.expected === 'string' && (typeof value === 'number' || typeof value === 'boolean');
      return {
        message: `${subject} must be ${KINDS[issue.expected] ?? issue.expected}, not ${describe(value)}`,
        ...hint(quote ? 'put it in quotes' : value === null ? 'leave the key out for its default' : undefined),
      };
    }
    case 'invalid_value': {
      const options = issue.values.map(String);
      const message =
        options.length === 1
          ? `${subject} must be ${options.join()}, not ${describe(value)}`
          : `${subject} must be one of ${options.join(', ')}, not ${describe(value)}`;
      return { message, ...hint(typeof value === 'string' ? didYouMean(value, options) : undefined) };
    }
    case 'too_small': {
      const bound = issue.inclusive === false ? 'more than' : 'at least';
      // A list that is too short says so itself.
      if (issue.origin === 'array') return { message: `${subject} ${issue.message}` };
      return { message: `${subject} must be ${bound} ${issue.minimum}, not ${describe(value)}` };
    }
    case 'too_big':
      return { message: `${subject} must be at most ${issue.maximum}, not ${describe(value)}` };
    case 'custom':
      // An identifier's or a glob's own message is a whole sentence; the others go on after the key.
      return {
        message: issue.message.startsWith('must') ? `${subject} ${issue.message}` : `${subject}: ${issue.message}`,
      };
    case 'invalid_format':
    case 'invalid_union':
      if (issue.message.startsWith('must not')) return { message: `${subject} ${issue.message}` };
      return { message: `${subject} ${issue.message}, not ${describe(value)}` };
    default:
      return { message: `${subject}: ${issue.message}` };
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
  record: 'a mapping of keys to values',
};

function describe(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'string')
    return `the text ${JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value)}`;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : `a ${typeof value}`;
}

function valueAt(root: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined),
    root,
  );
}

/** The keys that the schema knows in the mapping at a path. */
function keysAt(schema: z.ZodType, path: readonly (string | number)[]): string[] {
  let here: unknown = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  for (const part of path) {
    const at = valueAt(here, typeof part === 'number' ? ['items'] : ['properties', part]);
    here = at ?? valueAt(here, ['additionalProperties']);
  }
  const properties = valueAt(here, ['properties']);
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
}

function listed(intro: string, names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `${intro} ${names.join(', ')}`;
}

function hint(text: string | undefined): { hint?: string } {
  return text === undefined ? {} : { hint: text };
}
