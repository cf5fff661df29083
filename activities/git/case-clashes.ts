import type { BareRepository } from './bare-repository.ts';
import { readTree, TREE_MODE, type TreeEntry } from './tree-objects.ts';

/** Two names of one tree that are one file where a file system ignores case. */
export interface CaseClash {
  /** The path that is new. */
  path: string;
  /** The one that it meets. */
  other: string;
  /** Was the other one there before? */
  existed: boolean;
}

/** How many are told. */
const MOST = 20;

/**
 * Names of a tree that differ only in case (or in how accents are composed) from others beside them, if one of the two is
 * new. Git reports none of them. Reads only what differs between the trees.
 */
export async function caseClashes(bare: BareRepository, before: string, after: string): Promise<CaseClash[]> {
  const found: CaseClash[] = [];
  const visit = async (directory: string, old: string | null, now: string): Promise<void> => {
    if (old === now || found.length >= MOST) return;
    const known = new Map((old === null ? [] : await readTree(bare, old)).map((entry) => [entry.name, entry]));
    const entries = await readTree(bare, now);
    const folded = new Map<string, TreeEntry>();
    // Those that were there first, so that the new ones meet them.
    for (const entry of [...entries].sort((a, b) => Number(known.has(b.name)) - Number(known.has(a.name)))) {
      const other = folded.get(fold(entry.name));
      if (other === undefined) folded.set(fold(entry.name), entry);
      else if (!known.has(entry.name)) {
        found.push({ path: directory + entry.name, other: directory + other.name, existed: known.has(other.name) });
      }
    }
    for (const { name, mode, object } of entries) {
      if (mode !== TREE_MODE) continue;
      const former = known.get(name);
      await visit(`${directory}${name}/`, former?.mode === TREE_MODE ? former.object : null, object);
    }
  };
  await visit('', before, after);
  return found;
}

function fold(name: string): string {
  return name.normalize('NFC').toLowerCase();
}
