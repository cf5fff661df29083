/** What is wrong with a variable in a text, and at which offset of its source. */
export interface VariableProblem {
  offset: number;
  message: string;
  hint: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Puts the environment's values in the place of `${NAME}`; `$${` stands for `${`. A variable without a value is a
 * problem, an empty value is not.
 *
 * @param source the text as it is written in the file, where the offsets of problems count
 */
export function interpolate(
  value: string,
  source: string,
  env: Readonly<Record<string, string | undefined>>,
): { value: string } | { problems: VariableProblem[] } {
  const problems: VariableProblem[] = [];
  let from = 0;
  const result = value.replaceAll(/\$\$\{|\$\{([^}]*)\}?/g, (whole: string, name: string | undefined) => {
    if (name === undefined) return '${';
    const offset = Math.max(0, source.indexOf(whole, from));
    from = offset + 1;
    const known = NAME.test(name) && whole.endsWith('}') ? env[name] : undefined;
    if (known !== undefined) return known;
    problems.push(
      NAME.test(name) && whole.endsWith('}')
        ? {
            offset,
            message: `the environment variable ${name} is not set`,
            hint: `set it, or write $\${${name}} for the text itself`,
          }
        : { offset, message: `${whole} is no variable`, hint: 'write ${NAME}, or $${ for the text itself' },
    );
    return whole;
  });
  return problems.length > 0 ? { problems } : { value: result };
}
