import { globProblem, type GlobOptions, matchesGlob } from './globs.ts';

/** Most globs that say what was written outside of a scope. */
export const MOST_UNDECLARED = 20;

/**
 * What was written outside of what a task may write, as at most {@link MOST_UNDECLARED} globs: the paths themselves, or
 * where there are too many their directories, the fullest first. Together with `claims` they cover every changed path.
 *
 * @param changed paths that differ, deleted ones and those whose kind changed included
 * @param claims globs of what the task may write
 */
export function undeclaredWrites(
  changed: readonly string[],
  claims: readonly string[],
  options: Pick<GlobOptions, 'ignoreCase'> = {},
): string[] {
  const cached: GlobOptions = { ...options, cache: new Map() };
  let globs = new Set<string>();
  for (const path of changed) if (!claims.some((glob) => matchesGlob(glob, path, cached))) globs.add(fileGlob(path));
  while (globs.size > MOST_UNDECLARED) globs = withoutCovered(collapsed(globs));
  return [...withoutCovered(globs)].sort();
}

/** Puts directories in the place of what lies directly in them until there are few enough; of each level once. */
function collapsed(globs: ReadonlySet<string>): Set<string> {
  const inside = new Map<string, string[]>();
  for (const glob of globs) {
    const parent = parentGlob(glob);
    const held = inside.get(parent);
    if (held === undefined) inside.set(parent, [glob]);
    else held.push(glob);
  }
  const fullest = [...inside].filter(([parent, { length }]) => length > 1 && parent !== '**');
  fullest.sort(([, a], [, b]) => b.length - a.length);
  // Where every directory holds one, all move up; what lies at the top can only become everything.
  const chosen = fullest.length > 0 ? fullest : [...inside].filter(([parent]) => parent !== '**' || inside.size === 1);
  const result = new Set(globs);
  for (const [parent, held] of chosen) {
    if (result.size <= MOST_UNDECLARED) break;
    for (const glob of held) result.delete(glob);
    result.add(parent);
  }
  return result;
}

/** Leaves out what lies in a directory that is there as a whole. */
function withoutCovered(globs: ReadonlySet<string>): Set<string> {
  const covered = (glob: string): boolean => {
    for (let above = glob; above !== '**';) {
      above = parentGlob(above);
      if (globs.has(above)) return true;
    }
    return false;
  };
  return new Set([...globs].filter((glob) => !covered(glob)));
}

/** `a/**` for `a/b` and for `a/b/**`. No name holds a bare `**`: it would be escaped. */
function parentGlob(glob: string): string {
  const names = glob.replace(/\/\*\*$/, '').split('/');
  return [...names.slice(0, -1), '**'].join('/');
}

/** The glob of one path; of a directory above it where the path is too long for one. */
export function fileGlob(path: string): string {
  let glob = path.split('/').map(escaped).join('/');
  while (glob !== '**' && globProblem(glob) !== null) glob = parentGlob(glob);
  return glob;
}

/** A name as a glob that stands for it alone; a control character, which no glob may hold, as any character. */
function escaped(name: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what it replaces
  return name.replaceAll(/[*?[\]{}"\\]|^!|(?<=[@+!])\(/g, '\\$&').replaceAll(/[\u0000-\u001f\u007f]/g, '?');
}
