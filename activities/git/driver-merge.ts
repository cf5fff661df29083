import { commandFor, type CommandDriver, type MergeDriver } from '../../core/merge-drivers.ts';
import type { BareRepository } from './bare-repository.ts';
import type { ConflictGroup } from './conflict-groups.ts';
import { replaceFiles } from './tree-objects.ts';

/** A file that both sides changed, and that a command of the project may merge; versions are object ids. */
export interface DriverFile {
  path: string;
  driver: CommandDriver;
  /** `null` where both sides added it. */
  base: string | null;
  ours: string;
  theirs: string;
}

/** Why a command did not merge a file. */
export interface DriverFailure {
  /** A sentence without its full stop. */
  reason: string;
  /** What the command said, bounded. */
  output: string;
}

/** What became of a file: the blob with its new content, or why there is none. */
export type Resolution = { object: string } | DriverFailure;

/** Runs the commands of some files one after the other, in a checkout of `tree` where each finds ours. */
export type Resolve = (merge: {
  tip: string;
  commit: string;
  tree: string;
  files: readonly DriverFile[];
}) => Promise<ReadonlyMap<string, Resolution>>;

/** Git's types of conflicts that are about the content of one file. */
const ABOUT_CONTENT = ['CONFLICT (contents)', 'CONFLICT (binary)'];

/**
 * Lets the project's commands merge what is in conflict. They run only where they could solve all of it. `tree` is the
 * merged one if they did; else it is told for each of their files why not.
 */
export async function runDrivers(
  request: {
    bare: BareRepository;
    tip: string;
    commit: string;
    drivers?: readonly MergeDriver[];
    resolve?: Resolve;
    ignoreCase?: boolean;
  },
  tree: string,
  groups: readonly ConflictGroup[],
): Promise<{ tree: string | null; failures: ReadonlyMap<string, DriverFailure> }> {
  const { bare, tip, commit, drivers = [], resolve, ignoreCase = false } = request;
  const files = groups.flatMap((group) => driverFile(group, drivers, ignoreCase) ?? []);
  const failures = new Map<string, DriverFailure>();
  if (files.length === 0) return { tree: null, failures };
  if (resolve === undefined || files.length < groups.length) {
    const reason =
      resolve === undefined ? 'Its command was not run' : 'Its command merges it once nothing else is in conflict';
    for (const { path } of files) failures.set(path, { reason, output: '' });
    return { tree: null, failures };
  }
  const results = await resolve({ tip, commit, tree, files });
  const merged = files.flatMap(({ path, mode }) => {
    const result = results.get(path) ?? { reason: 'Its command gave no result', output: '' };
    if ('object' in result) return [{ path, mode, object: result.object }];
    failures.set(path, result);
    return [];
  });
  return { tree: failures.size > 0 ? null : await replaceFiles(bare, tree, merged), failures };
}

function driverFile(
  { paths, types, entries }: ConflictGroup,
  drivers: readonly MergeDriver[],
  ignoreCase: boolean,
): (DriverFile & { mode: string }) | null {
  const [path = '', ...more] = paths;
  const driver = commandFor(drivers, path, { ignoreCase });
  if (driver === null || more.length > 0 || types.some((type) => !ABOUT_CONTENT.includes(type))) return null;
  const [base, ours, theirs] = ([1, 2, 3] as const).map((stage) => entries.find((entry) => entry.stage === stage));
  const regular = [base, ours, theirs].every((entry) => entry === undefined || entry.mode.startsWith('100'));
  if (ours === undefined || theirs === undefined || !regular) return null;
  const mode = ours.mode === base?.mode ? theirs.mode : ours.mode;
  return { path, driver, base: base?.object ?? null, ours: ours.object, theirs: theirs.object, mode };
}
