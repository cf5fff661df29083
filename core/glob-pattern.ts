/** Characters (UTF-16 units) from first to last, both included. */
export type Range = readonly [number, number];

/** One piece of a segment: a character out of ranges, or `*`, any number of any characters. */
export type Atom = readonly Range[] | '*';

/** What stands between two slashes: `**`, a name without wildcards, or alternatives that one must match. */
export type Segment = { kind: 'globstar' } | { kind: 'name'; name: string } | { kind: 'atoms'; choices: Atom[][] };

/** One way to read a glob's braces, ready to be compared. */
export interface Alternative {
  segments: Segment[];
  /** The directories that every matching path is in, as far as they are plain, each with its slash. */
  prefix: string;
}

/** A glob ready to be compared: a path matches it that matches one of the alternatives. */
export type CompiledGlob = readonly Alternative[];

const SLASH = 0x2f;
const ANY: Atom = [
  [0, SLASH - 1],
  [SLASH + 1, 0xffff],
];
const MOST_ALTERNATIVES = 256;
const MOST_CHOICES = 16;
const LONGEST = 1024;
/** What a backslash may precede: everything with a meaning of its own here or in picomatch. */
const ESCAPABLE = '*?[]{}()!@+,"\\|^$#~-';

/** Says what is wrong with a glob, or `null`. What is refused would mean something else than most readers expect. */
export function globProblem(pattern: string): string | null {
  const shown = `glob ${JSON.stringify(pattern.length > 80 ? `${pattern.slice(0, 77)}…` : pattern)}`;
  if (pattern === '') return 'a glob must not be empty';
  if (pattern.length > LONGEST) return `${shown} has ${pattern.length} characters; at most ${LONGEST} are allowed`;
  // eslint-disable-next-line no-control-regex -- control characters are what it refuses
  if (/[\u0000-\u001f\u007f]/.test(pattern)) return `${shown} must not hold control characters`;
  if (pattern.startsWith('!')) return `${shown}: negation is not supported; name the paths that are meant`;
  if (pattern.startsWith('/')) return `${shown} must be relative to the repository, without a leading "/"`;
  const problem = syntaxProblem(pattern);
  if (problem !== null) return `${shown}: ${problem}`;
  const expanded = expandBraces(pattern);
  if (expanded === null) return `${shown} has more than ${MOST_ALTERNATIVES} alternatives`;
  for (const alternative of expanded) {
    const wrong = segmentsProblem(alternative);
    if (wrong !== null) return `${shown}: ${wrong}`;
  }
  return null;
}

/** Goes over the characters once: escapes, classes, braces, and syntax of other glob dialects. */
function syntaxProblem(pattern: string): string | null {
  const braces: { commas: number }[] = [];
  for (let i = 0; i < pattern.length; i += 1) {
    const char = pattern.charAt(i);
    const next = pattern.charAt(i + 1);
    if (char === '\\') {
      if (next === '' || !ESCAPABLE.includes(next))
        return 'a "\\" may only precede a special character; separators are "/"';
      i += 1;
    } else if (char === '[') {
      // POSIX negates by it, picomatch does not.
      if (next === '!') return 'write "[^…]" for all characters but some';
      const body = classBody(pattern, i);
      if (body === null)
        return 'a "[" needs its "]", with plain characters or ranges between them; write "\\[" for the character';
      i += body.length + 1;
      if (pattern[i + 1] === '+') return 'a "+" after a class does not repeat it; write "\\+" for the character';
    } else if (char === ']') return 'a "]" without its "["; write "\\]" for the character';
    else if (char === '{') braces.push({ commas: 0 });
    else if (char === ',') {
      const open = braces.at(-1);
      if (open !== undefined) open.commas += 1;
    } else if (char === '}') {
      const open = braces.pop();
      if (open === undefined) return 'a "}" without its "{"; write "\\}" for the character';
      if (open.commas === 0) return 'braces need alternatives, such as "{a,b}"; write "\\{" for the character';
      if (next === '+') return 'a "+" after braces does not repeat them; write "\\+" for the character';
    } else if ('@+!?*'.includes(char) && next === '(')
      return `"${char}(…)" is not supported; use braces, such as "{a,b}"`;
    else if (char === '"') return 'quotes do not quote here; write "\\"" for the character';
    else if (char === '.' && next === '.' && braces.length > 0)
      return 'ranges in braces are not supported; name the alternatives';
  }
  return braces.length > 0 ? 'a "{" without its "}"; write "\\{" for the character' : null;
}

/** The text between the brackets of a class that starts at `start`, or `null` if it is no plain class. */
function classBody(pattern: string, start: number): string | null {
  const body = /^\[(\^?[^[\]\\/!^:]+)\]/.exec(pattern.slice(start))?.[1];
  if (body === undefined) return null;
  const ranges = classRanges(body.replace(/^\^/, ''));
  return ranges.every(([first, last]) => first <= last && (last < SLASH || first > SLASH)) ? body : null;
}

function classRanges(items: string): Range[] {
  const ranges: Range[] = [];
  for (let i = 0; i < items.length; i += 1) {
    const spans = items[i + 1] === '-' && i + 2 < items.length;
    ranges.push([items.charCodeAt(i), items.charCodeAt(spans ? i + 2 : i)]);
    if (spans) i += 2;
  }
  return ranges;
}

function segmentsProblem(pattern: string): string | null {
  const segments = trimmed(pattern).split('/');
  for (const segment of segments) {
    if (segment === '') return 'empty names between slashes';
    if (segment === '.') return 'a "." segment; for everything write "**"';
    if (segment === '..') return 'must not leave the repository by ".."';
    if (segment !== '**' && segment.replaceAll(/\\./g, '').includes('**')) {
      return '"**" must stand alone between slashes, as in "src/**/*.ts"; elsewhere write "*"';
    }
  }
  return null;
}

/** Without a leading `./` and one trailing `/`. */
function trimmed(pattern: string): string {
  return pattern.replace(/^\.\//, '').replace(/\/$/, '');
}

/** All texts that braces stand for, or `null` if they are too many. The pattern's syntax must be right. */
function expandBraces(pattern: string): string[] | null {
  const open = findBrace(pattern);
  if (open === null) return [pattern];
  const head = pattern.slice(0, open.start);
  const results: string[] = [];
  for (const option of open.options) {
    const expanded = expandBraces(head + option + pattern.slice(open.end));
    if (expanded === null || results.length + expanded.length > MOST_ALTERNATIVES) return null;
    results.push(...expanded);
  }
  return results;
}

/** The patterns without braces that a glob stands for, of stars, `?`, classes and escapes; none for a refused one. */
export function globAlternatives(pattern: string): string[] {
  const expanded = globProblem(pattern) === null ? expandBraces(pattern) : null;
  return (expanded ?? []).map((alternative) => alternative.replace(/^\.\//, ''));
}

/** The first brace of the outermost level: where it starts, where the text goes on, and its alternatives. */
function findBrace(pattern: string): { start: number; end: number; options: string[] } | null {
  let start = -1;
  let depth = 0;
  let from = 0;
  const options: string[] = [];
  for (let i = 0; i < pattern.length; i += 1) {
    const char = pattern.charAt(i);
    if (char === '\\') i += 1;
    else if (char === '[') i += (classBody(pattern, i)?.length ?? 0) + 1;
    else if (char === '{') {
      depth += 1;
      if (depth === 1) [start, from] = [i, i + 1];
    } else if (char === ',' && depth === 1) {
      options.push(pattern.slice(from, i));
      from = i + 1;
    } else if (char === '}') {
      depth -= 1;
      if (depth === 0) return { start, end: i + 1, options: [...options, pattern.slice(from, i)] };
    }
  }
  return null;
}

/**
 * Compiles a glob. A refused one (see {@link globProblem}) becomes `**`, so that it meets everything.
 *
 * @param ignoreCase for file systems that ignore case, and perhaps how accents are composed
 */
export function compileGlob(pattern: string, ignoreCase: boolean): CompiledGlob {
  const expanded = globProblem(pattern) === null ? expandBraces(pattern) : null;
  if (expanded === null) return [{ segments: [{ kind: 'globstar' }], prefix: '' }];
  return expanded
    .flatMap((alternative) => withoutEmptyName(pattern, alternative))
    .map((alternative) => {
      const segments = trimmed(alternative)
        .split('/')
        .map((segment): Segment => compileSegment(segment, ignoreCase));
      // A name without wildcards means a file, or a directory with all below it.
      const wild = segments.some((segment) => segment.kind !== 'name');
      if (!wild || alternative.endsWith('/')) segments.push({ kind: 'globstar' });
      return { segments, prefix: plainPrefix(segments) };
    });
}

/**
 * With an empty alternative in a brace, picomatch lets the stars at the end of `a/**\/{,b}*` stand for no name at all, so
 * that it matches `a`. Few people expect that; but to meet more than is meant does no harm.
 */
function withoutEmptyName(pattern: string, alternative: string): string[] {
  const stars = /[{,][,}]/.test(pattern) ? /^(.*\/\*\*)\/\*+$/.exec(alternative)?.[1] : undefined;
  return stars === undefined ? [alternative] : [alternative, stars];
}

/** Compiles a path: every character stands for itself. */
export function compilePath(path: string, ignoreCase: boolean): Segment[] {
  return path.split('/').map((name) => (ignoreCase ? foldSegment([atomsOf(name)]) : { kind: 'name', name }));
}

function plainPrefix(segments: readonly Segment[]): string {
  const end = segments.findIndex((segment) => segment.kind !== 'name');
  const names = segments.slice(0, end === -1 ? segments.length : end);
  return names.map((segment) => (segment.kind === 'name' ? `${segment.name}/` : '')).join('');
}

function compileSegment(segment: string, ignoreCase: boolean): Segment {
  if (segment === '**') return { kind: 'globstar' };
  let choices: Atom[][] = [[]];
  const append = (...options: readonly Atom[][]): void => {
    choices = choices.flatMap((choice) => options.map((atoms) => [...choice, ...atoms]));
  };
  let plain = true;
  for (let i = 0; i < segment.length; i += 1) {
    const char = segment.charAt(i);
    if (char === '*') append(['*']);
    else if (char === '?') append([ANY]);
    else if (char === '[') {
      const body = classBody(segment, i) ?? '';
      i += body.length + 1;
      // picomatch, too, lets a class match its own text: `app/[id]/page.tsx` names a file of some frameworks.
      append([classAtom(body)], atomsOf(`[${body}]`));
    } else {
      if (char === '\\') i += 1;
      append(atomsOf(segment.charAt(i)));
      continue;
    }
    plain = false;
    if (choices.length > MOST_CHOICES) return { kind: 'atoms', choices: [['*']] };
  }
  if (ignoreCase) return foldSegment(choices);
  return plain ? { kind: 'name', name: segment.replaceAll(/\\(.)/g, '$1') } : { kind: 'atoms', choices };
}

/** One atom for each UTF-16 unit of a plain text. */
export function atomsOf(text: string): Atom[] {
  return Array.from({ length: text.length }, (_, i) => [[text.charCodeAt(i), text.charCodeAt(i)]]);
}

function classAtom(body: string): Atom {
  const negated = body.startsWith('^');
  const ranges = classRanges(negated ? body.slice(1) : body);
  if (!negated) return ranges;
  const rest: Range[] = [];
  let from = 0;
  for (const [first, last] of [...ranges, [SLASH, SLASH] as const].sort((a, b) => a[0] - b[0])) {
    if (first > from) rest.push([from, first - 1]);
    from = Math.max(from, last + 1);
  }
  if (from <= 0xffff) rest.push([from, 0xffff]);
  return rest;
}

/**
 * Lower-cases what is plain ASCII, and lets all else match anything: how a file system folds and composes other
 * characters (and so how many there are) is its own business.
 */
function foldSegment(choices: readonly Atom[][]): Segment {
  const folded = choices.map((atoms) =>
    atoms.map((atom): Atom => {
      if (atom === '*' || atom.some(([, last]) => last > 0x7f)) return '*';
      return atom.flatMap(([first, last]) => {
        const chars = Array.from({ length: last - first + 1 }, (_, offset) => String.fromCharCode(first + offset));
        return chars.map((char): Range => {
          const code = char.toLowerCase().charCodeAt(0);
          return [code, code];
        });
      });
    }),
  );
  const only = folded.length === 1 ? folded[0] : undefined;
  const name = only?.map((atom) => (atom !== '*' && atom.length === 1 ? String.fromCharCode(atom[0]?.[0] ?? 0) : null));
  if (name !== undefined && !name.includes(null)) return { kind: 'name', name: name.join('') };
  return { kind: 'atoms', choices: folded };
}
