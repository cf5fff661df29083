import { runGit } from './git-command.ts';
import { shownPath } from './paths.ts';
import type { UserRepository } from './user-repository.ts';

/** What of a commit's tree is not as a checkout of the user's would have it, where agents and checks work on it. */
export interface TreeFacts {
  /** Paths of submodules: empty directories there. */
  submodules: string[];
  /** Files are in Git LFS: there, only their pointers. */
  largeFiles: boolean;
}

/** Looks at a commit in the user's repository. */
export async function treeFacts(user: UserRepository, commit: string): Promise<TreeFacts> {
  const options = { gitDir: user.commonDir, config: { 'safe.directory': '*' } };
  const { stdout } = await runGit(['ls-tree', '-r', '-z', commit], options);
  const submodules: string[] = [];
  const attributes: string[] = [];
  for (const line of stdout.toString('latin1').split('\0')) {
    const [, mode, id = '', name = ''] = /^(\d+) \w+ (\w+)\t([^]*)$/.exec(line) ?? [];
    if (mode === '160000') submodules.push(shownPath(name));
    else if (/(?:^|\/)\.gitattributes$/.test(name)) attributes.push(`${id}\n`);
  }
  if (attributes.length === 0) return { submodules, largeFiles: false };
  const rules = await runGit(['cat-file', '--batch'], { ...options, input: attributes.join('') });
  return { submodules, largeFiles: rules.stdout.includes('filter=lfs') };
}
