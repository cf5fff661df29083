import type { Sides } from '../../core/conflict-words.ts';
import type { MergeConflict } from '../../core/merge-conflict.ts';
import type { MergeDriver } from '../../core/merge-drivers.ts';
import { otherWorkWords } from '../../core/other-work.ts';
import type { BareRepository } from './bare-repository.ts';
import { caseClashes } from './case-clashes.ts';
import { changesSince } from './changes-since.ts';
import { explainConflicts } from './conflict-facts.ts';
import { conflictGroups } from './conflict-groups.ts';
import { runDrivers, type Resolve } from './driver-merge.ts';
import { attributesFileOf } from './merge-attributes.ts';
import { runMergeTree } from './merge-tree.ts';
import { trivialMerge } from './trivial-merge.ts';

/** Two commits to be merged, and how. */
export interface TreeMerge {
  bare: BareRepository;
  /** The one side, on which the other is to come. */
  tip: string;
  commit: string;
  /** How the project merges certain files; `.gitattributes` of the tip count, too, but name no commands. */
  drivers?: readonly MergeDriver[];
  /** Runs the commands of {@link drivers}; without it, their files are conflicts. */
  resolve?: Resolve;
  /** Are names that differ only in case a conflict? */
  ignoreCase?: boolean;
  /** What the sides are called in descriptions; by default the current tip and this work. */
  sides?: Sides;
  /** In bytes, of {@link MergeConflict.hunks}; by default 32 KiB. */
  hunksLimit?: number;
  signal?: AbortSignal;
}

const SIDES: Sides = { ours: 'the current tip', theirs: 'this work' };

/**
 * The tree of a merge, or its conflicts in words. No process where `commit` was made on that very tip, or nothing was
 * changed on both sides; a few for a conflict.
 *
 * @param trees of the two commits; `direct`: the tip is a parent of the commit
 */
export async function mergeTrees(
  request: TreeMerge,
  trees: { ours: string; theirs: string; direct: boolean },
): Promise<{ tree: string; conflict: MergeConflict | null }> {
  const merged = trees.direct ? { tree: trees.theirs, conflict: null } : await mergeContents(request, trees.ours);
  if (merged.conflict !== null || request.ignoreCase !== true) return merged;
  return { tree: merged.tree, conflict: await caseConflict(request, trees.ours, merged.tree) };
}

async function mergeContents(
  request: TreeMerge,
  ours: string,
): Promise<{ tree: string; conflict: MergeConflict | null }> {
  const { bare, tip, commit, drivers = [], sides = SIDES, hunksLimit = 32 * 1024, signal } = request;
  const trivial = await trivialMerge(bare, tip, commit);
  if (trivial !== null) return { tree: trivial, conflict: null };
  const attributesFile = await attributesFileOf(bare, ours, drivers);
  const merge = await runMergeTree(bare, tip, commit, { attributesFile, signal });
  if (merge.clean) return { tree: merge.tree, conflict: null };
  const groups = conflictGroups(merge, { ours: tip, theirs: commit }, sides);
  const driven = await runDrivers(request, merge.tree, groups);
  if (driven.tree !== null) return { tree: driven.tree, conflict: null };
  const abort = signal === undefined ? {} : { signal };
  const told = await explainConflicts({ bare, tip, commit, tree: merge.tree, groups, sides, hunksLimit, ...abort });
  const files = told.files.map((file) => {
    const failure = driven.failures.get(file.path);
    if (failure === undefined) return file;
    return { ...file, kind: 'driver' as const, description: `${file.description} ${failure.reason}.` };
  });
  const outputs = [...driven.failures].flatMap(([path, { output }]) =>
    output === '' ? [] : [`What the command for ${path} said:\n${output}\n`],
  );
  return { tree: merge.tree, conflict: { kind: 'conflict', files, hunks: [...outputs, told.hunks].join('\n') } };
}

async function caseConflict(request: TreeMerge, ours: string, tree: string): Promise<MergeConflict | null> {
  const { bare, tip, commit, sides = SIDES } = request;
  const clashes = await caseClashes(bare, ours, tree);
  if (clashes.length === 0) return null;
  const changes = await changesSince(bare, { tip, without: [commit], paths: clashes.map(({ other }) => other) });
  const files = clashes.map(({ path, other, existed }) => {
    const where = `${other} of ${existed ? sides.ours : sides.theirs}`;
    const words = `${path}: new in ${sides.theirs}, is the same file as ${where} wherever names ignore case`;
    const others = otherWorkWords(changes.filter((change) => change.path === other).map(({ by }) => by));
    return { path, kind: 'case' as const, description: `${words}. ${others}`.trimEnd() };
  });
  return { kind: 'conflict', files, hunks: '' };
}
