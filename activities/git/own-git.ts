import { copyFileSync, lchownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ATTRIBUTES, type BareRepository } from './bare-repository.ts';
import type { Owner } from './tree-scan.ts';
import { removeAll } from './remove-tree.ts';

/**
 * Writes the `.git` that an agent or a check finds in its tree: a real directory of its own, which borrows the bare
 * repository's objects and links to nothing else. With the host's index copied, `git status` there is clean at once.
 */
export function writeOwnGit(git: {
  bare: BareRepository;
  tree: string;
  indexFile: string;
  commit: string;
  /** `null` for a detached `HEAD`. */
  branch: string | null;
  owner?: Owner;
}): void {
  const directory = path.join(git.tree, '.git');
  removeAll(directory);
  const put = (name: string, text: string): void => {
    mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
    writeFileSync(path.join(directory, name), text);
  };
  // Git makes the other directories when it needs them.
  mkdirSync(path.join(directory, 'refs'), { recursive: true });
  put('config', '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n[gc]\n\tauto = 0\n');
  put('objects/info/alternates', `${git.bare.objectStore}\n`);
  put('info/attributes', ATTRIBUTES);
  if (git.branch !== null) put(path.join('refs/heads', git.branch), `${git.commit}\n`);
  copyFileSync(git.indexFile, path.join(directory, 'index'));
  put('HEAD', git.branch === null ? `${git.commit}\n` : `ref: refs/heads/${git.branch}\n`);
  const { owner } = git;
  if (owner === undefined) return;
  const own = (file: string): void => lchownSync(file, owner.uid, owner.gid);
  own(directory);
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) own(path.join(directory, name));
}
