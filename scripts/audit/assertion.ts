/** One thing that the audit looked at. */
export interface Assertion {
  /** What it belongs to, such as `system calls`. */
  area: string;
  name: string;
  /** What it has to be, for people. */
  expected: string;
  found: string;
  passed: boolean;
}

/** What a finding has to be. */
export interface Rule {
  expected: string;
  holds: (found: string) => boolean;
}

/** Exactly this text. */
export function exactly(expected: string): Rule {
  return { expected, holds: (found) => found === expected };
}

/** One of these texts, under a name of its own. */
export function oneOf(expected: string, texts: readonly string[]): Rule {
  return { expected, holds: (found) => texts.includes(found) };
}

/** A text of this shape, under a name of its own. */
export function like(expected: string, pattern: RegExp): Rule {
  return { expected, holds: (found) => pattern.test(found) };
}

/** Judges a finding; one that is missing never holds. */
export function assertion(area: string, name: string, rule: Rule, found: string | undefined): Assertion {
  const passed = found !== undefined && rule.holds(found);
  return { area, name, expected: rule.expected, found: found ?? 'not tried', passed };
}
