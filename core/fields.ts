import * as z from 'zod';
import { branchNameProblem } from './branch-name.ts';
import { DURATION_PATTERN, durationOf } from './duration.ts';
import { globProblem } from './glob-pattern.ts';
import { identityProblem } from './identity.ts';
import { type IdentifierKind, identifierProblem } from './ids.ts';
import { SIZE_PATTERN, sizeOf } from './size.ts';

/** A written duration, longer than nothing; parses to milliseconds. */
export function duration() {
  return z
    .string()
    .regex(DURATION_PATTERN, 'must be a duration such as 90s, 15m, 2h or 1h30m')
    .transform((text, context) => {
      const milliseconds = durationOf(text);
      if (milliseconds !== null && milliseconds > 0) return milliseconds;
      context.addIssue({ code: 'custom', message: 'must be longer than 0s, and shorter than 200,000 years' });
      return z.NEVER;
    });
}

/** A written size, more than nothing; parses to bytes. */
export function size() {
  return z
    .string()
    .regex(SIZE_PATTERN, 'must be a size such as 512MiB or 2GiB')
    .transform((text, context) => {
      const bytes = sizeOf(text);
      if (bytes !== null && bytes > 0) return bytes;
      context.addIssue({ code: 'custom', message: 'must be more than 0B, and less than 8000TiB' });
      return z.NEVER;
    });
}

/** A text with something besides white space in it, and no NUL. */
export function text() {
  return z
    .string()
    .regex(/\S/, 'must not be empty')
    .refine((value) => !value.includes('\0'), 'must not hold a NUL character');
}

/** A text in one line. */
export function line() {
  // eslint-disable-next-line no-control-regex -- control characters are what it refuses
  return text().regex(/^[^\u0000-\u001f\u007f]*$/, 'must be one line without control characters');
}

/** One shell command line, or several that run in order; parses to the list. */
export function commands() {
  return z
    .union([text(), z.array(text())], 'must be a command line, or a list of command lines')
    .transform((value) => (typeof value === 'string' ? [value] : value));
}

/** A text about which `problem` has nothing to say. */
export function checkedText(problem: (value: string) => string | null) {
  return z.string().superRefine((value, context) => {
    const message = problem(value);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });
}

/** An identifier of the given kind. */
export function identifier(kind: IdentifierKind) {
  return checkedText((value) => identifierProblem(kind, value));
}

/** Globs of paths in the repository. */
export function globs() {
  return z.array(checkedText(globProblem));
}

/** The name of a branch or remote. */
export function branchName() {
  return checkedText(branchNameProblem);
}

/** What the names of branches begin with. */
export function branchPrefix() {
  return checkedText((value) => branchNameProblem(`${value}x`));
}

/** A regular expression, written without slashes and flags. */
export function pattern() {
  return checkedText((value) => {
    try {
      return new RegExp(value).test('') ? 'must not match an empty text' : null;
    } catch {
      return 'must be a regular expression';
    }
  });
}

/** The name of an environment variable. */
export function variableName() {
  return z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable');
}

/** Whom a commit names: `Name <email>`. */
export function identity() {
  return checkedText(identityProblem);
}

/** Who writes commits: `Name <email>`, or `user` for whom the user's git names. */
export function committer() {
  return checkedText((value) => (value === 'user' ? null : identityProblem(value)));
}
