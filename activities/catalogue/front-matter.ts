/** A Markdown file in two parts. */
export interface FrontMatter {
  /** The YAML between the `---` lines; empty when the file has none. */
  yaml: string;
  /** How many lines of the file come before the YAML. */
  linesBefore: number;
  /** Everything after it, without empty lines around. */
  body: string;
  /** The line of the file, counted from 1, where the body would start. */
  bodyLine: number;
}

/** Splits a Markdown file (without byte order mark, any line ends); `null` if a first `---` line has no second. */
export function splitFrontMatter(text: string): FrontMatter | null {
  const opening = /^---[ \t]*(?:\r?\n|$)/.exec(text);
  if (opening === null) return { yaml: '', linesBefore: 0, body: text.trim(), bodyLine: 1 };
  const rest = text.slice(opening[0].length);
  const closing = /^---[ \t]*\r?$/m.exec(rest);
  if (closing === null) return null;
  const yaml = rest.slice(0, closing.index);
  const body = rest.slice(closing.index + closing[0].length);
  return { yaml, linesBefore: 1, body: body.trim(), bodyLine: yaml.split('\n').length + 2 };
}
