import { type Atom, atomsOf, type CompiledGlob, compileGlob, compilePath, type Segment } from './glob-pattern.ts';

export { globProblem } from './glob-pattern.ts';

/** The paths that somebody relies on and changes, as globs relative to the repository. Plain JSON. */
export interface Claims {
  reads: string[];
  writes: string[];
}

/** How globs are compared. */
export interface GlobOptions {
  /** The file system takes `A` and `a` for one name. */
  ignoreCase?: boolean;
  /** Keeps compiled globs between calls with the same `ignoreCase`; worth it for more than a few comparisons. */
  cache?: Map<string, CompiledGlob>;
}

/** Compiled globs for {@link GlobOptions.cache}, with regard to case and without. */
export interface GlobCaches {
  exact: Map<string, CompiledGlob>;
  folded: Map<string, CompiledGlob>;
}

/** Empty caches. */
export function newGlobCaches(): GlobCaches {
  return { exact: new Map(), folded: new Map() };
}

/**
 * May some path match both globs? Never wrongly no: a glob that {@link globProblem} refuses meets everything.
 *
 * Globs mean what they mean to picomatch with `dot: true`, but parentheses and bars stand for themselves, and a name
 * without wildcards covers what lies below it: `src/auth` also means `src/auth/**`.
 */
export function canMeet(a: string, b: string, options: GlobOptions = {}): boolean {
  return compiledMeet(compiled(a, options), compiled(b, options));
}

/** Does the glob match the path (relative, `/` between names)? Exact, but for `ignoreCase`, where it may wrongly say yes. */
export function matchesGlob(glob: string, path: string, options: GlobOptions = {}): boolean {
  const segments = compilePath(path, options.ignoreCase ?? false);
  return compiled(glob, options).some((alternative) => pathsMeet(alternative.segments, segments));
}

/** Do two claims clash: does one write what the other reads or writes? Readers share. */
export function claimsMeet(a: Claims, b: Claims, options: GlobOptions = {}): boolean {
  return firstClash(a, b, options) !== null;
}

/** The first globs of two claims that clash, the one of `a` first; `null` if the claims go together. */
export function firstClash(a: Claims, b: Claims, options: GlobOptions = {}): [string, string] | null {
  const first = (left: readonly string[], right: readonly string[]): [string, string] | null => {
    for (const one of left) {
      const other = right.find((glob) => canMeet(one, glob, options));
      if (other !== undefined) return [one, other];
    }
    return null;
  };
  return first(a.writes, b.writes) ?? first(a.writes, b.reads) ?? first(a.reads, b.writes);
}

function compiledMeet(a: CompiledGlob, b: CompiledGlob): boolean {
  return a.some((one) =>
    b.some(
      (other) =>
        (one.prefix.startsWith(other.prefix) || other.prefix.startsWith(one.prefix)) &&
        pathsMeet(one.segments, other.segments),
    ),
  );
}

function compiled(glob: string, { ignoreCase = false, cache }: GlobOptions): CompiledGlob {
  const known = cache?.get(glob);
  if (known !== undefined) return known;
  const fresh = compileGlob(glob, ignoreCase);
  cache?.set(glob, fresh);
  return fresh;
}

const pathsMeet = (a: readonly Segment[], b: readonly Segment[]): boolean =>
  sequencesMeet(a, b, (segment) => segment.kind === 'globstar', segmentsMeet);

const atomsMeet = (a: readonly Atom[], b: readonly Atom[]): boolean =>
  sequencesMeet(a, b, (atom) => atom === '*', rangesMeet);

/**
 * Can two sequences stand for one word? `isStar` elements stand for any number of letters, all others for one letter
 * out of a set. This is the product of two automata, walked by rows: a place (i, j) is reachable if the first i
 * elements of `a` and the first j of `b` can have read the same word.
 */
function sequencesMeet<T>(
  a: readonly T[],
  b: readonly T[],
  isStar: (item: T) => boolean,
  meet: (left: T, right: T) => boolean,
): boolean {
  const width = b.length + 1;
  let row = new Array<boolean>(width).fill(false);
  row[0] = true;
  for (let i = 0; i <= a.length; i += 1) {
    const left = a[i];
    const next = new Array<boolean>(width).fill(false);
    let alive = false;
    for (let j = 0; j < width; j += 1) {
      if (row[j] !== true) continue;
      alive = true;
      const right = b[j];
      const leftStar = left !== undefined && isStar(left);
      const rightStar = right !== undefined && isStar(right);
      if (leftStar) next[j] = true;
      if (rightStar) row[j + 1] = true;
      if (leftStar && right !== undefined) row[j + 1] = true;
      if (rightStar && left !== undefined) next[j] = true;
      if (left !== undefined && right !== undefined && !leftStar && !rightStar && meet(left, right)) next[j + 1] = true;
    }
    if (!alive) return false;
    if (i < a.length) row = next;
  }
  return row[b.length] === true;
}

function segmentsMeet(a: Segment, b: Segment): boolean {
  if (a.kind === 'name' && b.kind === 'name') return a.name === b.name;
  return choicesOf(a).some((left) => choicesOf(b).some((right) => atomsMeet(left, right)));
}

function choicesOf(segment: Segment): Atom[][] {
  if (segment.kind === 'atoms') return segment.choices;
  if (segment.kind === 'globstar') return [['*']];
  return [atomsOf(segment.name)];
}

function rangesMeet(a: Atom, b: Atom): boolean {
  if (a === '*' || b === '*') return true;
  return a.some(([first, last]) => b.some(([from, to]) => first <= to && from <= last));
}
