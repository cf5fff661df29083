import { globAlternatives } from './glob-pattern.ts';
import type { MergeDriver } from './merge-drivers.ts';

/** A `.gitattributes` file of a tree. */
export interface AttributesFile {
  /** Where it lies; empty for the top. */
  directory: string;
  text: string;
}

/** The drivers that git has built in; what else a tree names would be a command, and stands for `text`. */
const BUILT_IN = ['union', 'text', 'binary'];

/**
 * What `.gitattributes` files say of merging, as one file of attributes for a repository that reads none of them: their
 * patterns from the top, and no attribute but `merge`. Nothing in it names a command.
 */
export function mergeAttributes(files: readonly AttributesFile[]): string {
  const depth = (directory: string): number => (directory === '' ? 0 : directory.split('/').length);
  // The deeper file counts, and what comes later in the text.
  const ordered = [...files].sort((a, b) => depth(a.directory) - depth(b.directory));
  const macros = new Set(['binary']);
  return ordered
    .flatMap((file) => file.text.split('\n').flatMap((line) => ownLine(file.directory, line, macros)))
    .join('');
}

/** What `merge.drivers` says, as git's attributes. A command's files are left to it wherever both sides changed them. */
export function driverAttributes(drivers: readonly MergeDriver[]): string {
  return drivers
    .flatMap(({ paths, driver }) => {
      const attribute = driver === undefined || driver === 'binary' ? '-merge' : `merge=${driver}`;
      return paths.flatMap(wildmatchPatterns).map((pattern) => `${quoted(pattern)} ${attribute}\n`);
    })
    .join('');
}

function ownLine(directory: string, line: string, macros: Set<string>): string[] {
  const [, quotedPattern, barePattern, rest = ''] =
    /^[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t"#][^ \t]*))[ \t]+(.*)$/.exec(line) ?? [];
  const pattern = barePattern ?? (quotedPattern === undefined ? undefined : unquoted(quotedPattern));
  if (pattern === undefined || pattern.startsWith('!')) return [];
  const attributes = rest.split(/\s+/).flatMap((word) => ownAttribute(word, macros));
  const macro = /^\[attr\]([A-Za-z0-9_.-]+)$/.exec(pattern)?.[1];
  if (macro !== undefined) {
    if (directory !== '') return [];
    macros.add(macro);
    // Also one that says nothing of merging: it may be what takes the place of another one of that name.
    return [`[attr]${macro} ${attributes.join(' ')}\n`];
  }
  const placed = fromTop(directory, pattern);
  return attributes.length === 0 || placed === null ? [] : [`${quoted(placed)} ${attributes.join(' ')}\n`];
}

function ownAttribute(word: string, macros: ReadonlySet<string>): string[] {
  const [, sign = '', name = '', value] = /^([-!]?)([A-Za-z0-9_.-]+)(?:=(.*))?$/.exec(word) ?? [];
  if (name === 'merge') {
    if (value === undefined) return [`${sign}merge`];
    return [`merge=${BUILT_IN.includes(value) ? value : 'text'}`];
  }
  return macros.has(name) && value === undefined ? [`${sign}${name}`] : [];
}

/** A pattern of a file in `directory`, as a file at the top would say it; `null` for one that no file matches. */
function fromTop(directory: string, pattern: string): string | null {
  if (pattern.endsWith('/')) return null;
  const place = directory === '' ? '' : `/${directory.replaceAll(/[*?[\\]/g, '\\$&')}`;
  if (pattern.startsWith('/')) return `${place}${pattern}`;
  if (pattern.includes('/')) return `${place}/${pattern}`;
  return directory === '' ? pattern : `${place}/**/${pattern}`;
}

/**
 * The patterns of git's attributes that together match what a glob of ours does; but git takes one byte, not one
 * character, for `?` and for a class.
 */
function wildmatchPatterns(glob: string): string[] {
  const patterns = globAlternatives(glob).flatMap((alternative) => {
    const name = alternative.replace(/\/$/, '');
    // A class also stands for its own text.
    const literal = name.replaceAll(/(\\.)|[[\]]/g, (char, escape?: string) => escape ?? `\\${char}`);
    const wild = /[*?[]/.test(name.replaceAll(/\\./g, ''));
    // A plain name covers what lies below it; stars at the end may stand for nothing.
    if (!wild || name !== alternative) return [name, literal, `${name}/**`, `${literal}/**`];
    return [name, literal, name.replace(/\/\*\*$/, '')];
  });
  return [...new Set(patterns)].map((pattern) => `/${pattern}`);
}

function quoted(pattern: string): string {
  return `"${pattern.replaceAll(/["\\]/g, '\\$&')}"`;
}

function unquoted(text: string): string {
  const named: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
  return text.replaceAll(/\\([0-7]{3}|.)/g, (_, escape: string) =>
    escape.length === 3 ? String.fromCharCode(parseInt(escape, 8)) : (named[escape] ?? escape),
  );
}
