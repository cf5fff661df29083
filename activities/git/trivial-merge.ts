import type { BareRepository } from './bare-repository.ts';
import { byName, rememberedTree, TREE_MODE, writeTree, type TreeEntry } from './tree-objects.ts';

/** How many commits are looked at to find out what two commits have in common. */
const NEAR = 500;

/**
 * The tree of a merge that asks for no decision: no path was changed on both sides, not even alike, and where both changed
 * something in a directory, neither took anything out of it, so that no rename matters to what the other side did there.
 * Git then comes to the very same tree; but it has to be started for it. (What git's manual of `read-tree` calls a trivial
 * merge, directory by directory.)
 *
 * @returns `null` where git has to be asked: one of the above does not hold, or the commits' last common ancestor cannot
 *   be told from a few fresh commits
 */
export async function trivialMerge(bare: BareRepository, tip: string, commit: string): Promise<string | null> {
  const base = lastCommonCommit(bare, tip, commit);
  if (base === null) return null;
  const [before, ours, theirs] = await Promise.all([base, tip, commit].map((one) => bare.commitInfo(one)));
  if (before === undefined || ours === undefined || theirs === undefined) return null;
  return await mergeDirectory(bare, before.tree, ours.tree, theirs.tree);
}

/**
 * The last commit that `commit` and the tip have in common, if it is on the tip's line of first parents, and what `commit`
 * adds to it is one line that the tip has nothing of: there is no other one then. `null` if that is not so, or cannot be
 * told without git. No process.
 */
function lastCommonCommit(bare: BareRepository, tip: string, commit: string): string | null {
  const mainline = [...lineOf(bare, tip)];
  const places = new Map(mainline.map((one, place) => [one, place]));
  const own = new Set<string>();
  let base: string | undefined = commit;
  while (base !== undefined && !places.has(base)) {
    own.add(base);
    const parents: readonly string[] = bare.freshCommit(base)?.parents ?? [];
    base = parents.length === 1 && own.size < NEAR ? parents[0] : undefined;
  }
  if (base === undefined) return null;
  // What the base descends from has nothing of what was added to it: history has no circles.
  const below = new Set(mainline.slice(places.get(base)));
  const reached = new Set([tip]);
  for (const one of reached) {
    if (own.has(one) || reached.size > NEAR) return null;
    if (below.has(one)) continue;
    const known = bare.freshCommit(one);
    if (known === null) return null;
    for (const next of known.parents) reached.add(next);
  }
  return base;
}

/** A commit and its first parents, as far as they are known without git. */
function* lineOf(bare: BareRepository, commit: string): Generator<string> {
  let at: string | undefined = commit;
  for (let steps = 0; at !== undefined && steps < NEAR; steps += 1) {
    yield at;
    at = bare.freshCommit(at)?.parents[0];
  }
}

/** The merged tree of a directory, written; `null` if it is not trivial. @param before `null`: both sides made it */
async function mergeDirectory(
  bare: BareRepository,
  before: string | null,
  ours: string,
  theirs: string,
): Promise<string | null> {
  if (before === theirs) return ours;
  if (before === ours) return theirs;
  const [base, mine, other] = await Promise.all(
    [before, ours, theirs].map(async (tree) => (tree === null ? [] : await rememberedTree(bare, tree))),
  );
  const known = byName(base ?? []);
  const merged = byName(mine ?? []);
  const incoming = byName(other ?? []);
  for (const name of known.keys()) if (!merged.has(name) || !incoming.has(name)) return null;
  for (const [name, theirEntry] of incoming) {
    const entry = await mergeEntry(bare, known.get(name), merged.get(name), theirEntry);
    if (entry === null) return null;
    merged.set(name, entry);
  }
  return writeTree(bare, [...merged.values()]);
}

async function mergeEntry(
  bare: BareRepository,
  before: TreeEntry | undefined,
  ours: TreeEntry | undefined,
  theirs: TreeEntry,
): Promise<TreeEntry | null> {
  if (ours === undefined || isSame(ours, before)) return theirs;
  if (isSame(theirs, before)) return ours;
  const all = [ours, theirs, ...(before === undefined ? [] : [before])];
  if (all.some(({ mode }) => mode !== TREE_MODE)) return null;
  const object = await mergeDirectory(bare, before?.object ?? null, ours.object, theirs.object);
  return object === null ? null : { ...ours, object };
}

function isSame(one: TreeEntry, other: TreeEntry | undefined): boolean {
  return one.mode === other?.mode && one.object === other.object;
}
