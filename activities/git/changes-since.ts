import { otherWorkOf, USER_JOIN, type OtherWork } from '../../core/other-work.ts';
import type { BareRepository } from './bare-repository.ts';

/** How many commits are looked at. */
const MOST_COMMITS = 500;
/** How many commits that join the user's own with accepted work are looked into. */
const MOST_JOINS = 3;

/** Which range of history is asked about, and which paths. */
interface Range {
  tip: string;
  /** Commits whose history does not count. */
  without: readonly string[];
  paths: readonly string[];
}

/** A change of a path, and whose it is. */
export interface ChangeSince {
  path: string;
  by: OtherWork;
}

/**
 * Whose changes of some paths (or of what is below them) a tip has that a commit has not, the newest first: the tasks and the user's own
 * commits on the first-parent line. Two processes, and two for each join of the user's commits.
 */
export async function changesSince(bare: BareRepository, range: Range): Promise<ChangeSince[]> {
  const found: ChangeSince[] = [];
  let joins = 0;
  const ranges = [range];
  for (const one of ranges) {
    for (const commit of await log(bare, one)) {
      const [first = '', joined] = commit.parents;
      if (joined !== undefined && commit.message.startsWith(USER_JOIN) && (joins += 1) <= MOST_JOINS) {
        ranges.push({ ...range, tip: joined, without: [...range.without, first] });
        continue;
      }
      const by = otherWorkOf(commit.id, commit.message);
      found.push(...commit.paths.map((path) => ({ path, by })));
    }
  }
  return found;
}

interface Commit {
  id: string;
  parents: string[];
  message: string;
  paths: string[];
}

const FIELDS = ['%H', '%P', '%B'];

/** The commits that changed one of the paths, the newest first, each compared with its first parent. */
async function log(bare: BareRepository, { tip, without, paths }: Range): Promise<Commit[]> {
  const format = `--format=${FIELDS.map((field) => `${field}%x00`).join('')}`;
  const line = ['--first-parent', `--max-count=${MOST_COMMITS}`, '--no-commit-header', '--encoding=UTF-8', format];
  const walked = await bare.git(['rev-list', ...line, tip, ...without.map((commit) => `^${commit}`)]);
  const commits = new Map<string, Commit>();
  const fields = walked.stdout.toString('utf8').split('\0');
  for (let at = 0; at + FIELDS.length < fields.length; at += FIELDS.length) {
    const [id = '', parents = '', message = ''] = fields.slice(at, at + FIELDS.length);
    commits.set(id.trim(), { id: id.trim(), parents: parents.split(' '), message, paths: [] });
  }
  // Asked with the walk, git would leave out a merge whose first parent is where the walk ends.
  const pairs = [...commits.values()].map(({ id, parents: [first = ''] }) => `${`${id} ${first}`.trim()}\n`);
  const flags = ['--stdin', '-r', '-z', '--name-only', '--no-renames', '--no-ext-diff'];
  const compared = await bare.git(['diff-tree', ...flags, '--', ...paths], { input: pairs.join('') });
  let current: Commit | undefined;
  for (const field of compared.stdout.toString('utf8').split('\0')) {
    const commit = commits.get(field);
    if (commit !== undefined) current = commit;
    else if (field !== '') current?.paths.push(field);
  }
  return [...commits.values()].filter((commit) => commit.paths.length > 0);
}
