import type { Sides } from '../../core/conflict-words.ts';
import type { ConflictEntry, MergedTrees } from './merge-tree.ts';

/** What belongs to one conflict: entries and messages that speak of the same paths. */
export interface ConflictGroup {
  /** As git names them, the first one first, and as they were before git made room for a file and a directory. */
  paths: string[];
  types: string[];
  message: string;
  entries: ConflictEntry[];
}

/**
 * Sorts what git says into conflicts.
 *
 * @param commits by which git calls the sides
 * @param sides what we call them
 */
export function conflictGroups(merge: MergedTrees, commits: Sides, sides: Sides): ConflictGroup[] {
  const groups = new Map<string, ConflictGroup>();
  const conflicts = merge.messages.filter(({ type }) => type.startsWith('CONFLICT'));
  const join = (paths: readonly string[]): ConflictGroup => {
    const known = new Set(paths.flatMap((path) => groups.get(path) ?? []));
    const [first = { paths: [], types: [], message: '', entries: [] }, ...others] = known;
    for (const other of others) {
      first.paths.push(...other.paths);
      first.types.push(...other.types);
      first.message += ` ${other.message}`;
      for (const path of other.paths) groups.set(path, first);
    }
    for (const path of paths) {
      if (groups.get(path) !== first) first.paths.push(path);
      groups.set(path, first);
    }
    return first;
  };
  for (const { paths, type, text } of conflicts) {
    const group = join(paths);
    group.types.push(type);
    group.message = `${group.message} ${text}`.trim();
  }
  for (const entry of merge.entries) join([entry.path]).entries.push(entry);
  return [...new Set(groups.values())].map((group) => ({
    ...group,
    paths: [...new Set(group.paths.map((path) => withoutSide(path, commits)))],
    message: group.message.replaceAll(commits.ours, sides.ours).replaceAll(commits.theirs, sides.theirs),
  }));
}

/** Where a file and something else want one name, git gives it another one: the name, `~`, and the side. */
function withoutSide(path: string, { ours, theirs }: Sides): string {
  for (const side of [ours, theirs]) {
    const at = path.lastIndexOf(`~${side}`);
    if (at > 0 && /^(?:_\d+)?$/.test(path.slice(at + side.length + 1))) return path.slice(0, at);
  }
  return path;
}
