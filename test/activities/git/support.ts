import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BareRepository } from '../../../activities/git/bare-repository.ts';
import { removeAll } from '../../../activities/git/remove-tree.ts';
import { inspectUserRepository } from '../../../activities/git/inspect-user-repository.ts';
import type { UserRepository } from '../../../activities/git/user-repository.ts';
import { createWorkspace, type Workspace } from '../../../activities/git/workspace.ts';

/** The author of every commit that tests make. */
export const author = { name: 'Signalbox', email: 'signalbox@example.org', time: 1_700_000_000 };

const env = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'User',
  GIT_AUTHOR_EMAIL: 'user@example.org',
  GIT_COMMITTER_NAME: 'User',
  GIT_COMMITTER_EMAIL: 'user@example.org',
};

/** After so long, in milliseconds, a git that waits for something is taken for hung. */
const PATIENCE = 60_000;

/** Runs git as a person or an agent would, in a directory, with whatever configuration lies there. */
export function git(cwd: string, ...args: string[]): string {
  const options = { cwd, env, encoding: 'utf8', timeout: PATIENCE } as const;
  return execFileSync('git', args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] }).trimEnd();
}

/** Like {@link git}, with standard input and more environment. */
export function gitReading(cwd: string, input: string, more: Record<string, string>, ...args: string[]): string {
  const options = { cwd, env: { ...env, ...more }, encoding: 'utf8', timeout: PATIENCE } as const;
  return execFileSync('git', args, { ...options, input, stdio: 'pipe' }).trimEnd();
}

/** Writes files below a directory, making theirs. */
export function put(root: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
}

/** A digest of every file below a directory but `except`: names, kinds, modes and contents. */
export function digest(root: string, except?: string): string {
  const hash = createHash('sha256');
  const visit = (directory: string): void => {
    for (const name of readdirSync(directory).sort()) {
      const file = path.join(directory, name);
      if (path.relative(root, file) === except) continue;
      const stat = lstatSync(file);
      hash.update(`${path.relative(root, file)}\0${stat.mode}\0`);
      if (stat.isDirectory()) visit(file);
      else hash.update(stat.isSymbolicLink() ? readlinkSync(file) : readFileSync(file));
    }
  };
  visit(root);
  return hash.digest('hex');
}

/** Makes a directory for one test; {@link removeRoot} removes it. */
export function makeRoot(): string {
  return realpathSync(mkdtempSync(path.join(tmpdir(), 'signalbox-git-')));
}

/** Removes a directory with all it holds, whatever its modes. */
export function removeRoot(root: string): void {
  removeAll(root);
}

/** A user's repository with one commit on `main`, a bare repository that imported it, and places for the rest. */
export interface Fixture {
  root: string;
  userDirectory: string;
  user: UserRepository;
  bare: BareRepository;
  base: string;
  /** Makes a workspace at `commit` (by default the base). */
  workspace(name?: string, commit?: string): Promise<Workspace & { directory: string }>;
  /** Commits files on top of a commit, as if an agent's snapshot had been taken, scripts executable; returns the commit. */
  commitFiles(parent: string, files: Record<string, string>): string;
  remove(): void;
}

export async function makeFixture(
  files: Record<string, string> = { 'README.md': 'hello\n', 'src/a.txt': 'a\n' },
): Promise<Fixture> {
  const root = makeRoot();
  const userDirectory = path.join(root, 'user');
  mkdirSync(userDirectory);
  git(userDirectory, 'init', '-q', '-b', 'main');
  put(userDirectory, files);
  git(userDirectory, 'add', '-A');
  git(userDirectory, 'commit', '-q', '-m', 'Begin');
  const user = await inspectUserRepository(userDirectory);
  const bare = await BareRepository.open(path.join(root, 'bare.git'));
  const base = await bare.importBranch(user, 'main');
  let clones = 0;
  return {
    root,
    userDirectory,
    user,
    bare,
    base,
    async workspace(name = 'w1', commit = base) {
      const directory = path.join(root, name);
      return { directory, ...(await createWorkspace({ bare, directory, commit, branch: `signalbox/${name}` })) };
    },
    commitFiles(parent, changes) {
      const clone = path.join(root, `clone-${(clones += 1)}`);
      git(root, 'clone', '-q', '--no-checkout', bare.gitDir, clone);
      git(clone, 'fetch', '-q', 'origin', '+refs/*:refs/all/*');
      git(clone, 'checkout', '-q', '--detach', parent);
      put(clone, changes);
      for (const [name, text] of Object.entries(changes))
        if (text.startsWith('#!')) chmodSync(path.join(clone, name), 0o755);
      git(clone, 'add', '-A');
      git(clone, 'commit', '-q', '-m', 'Change');
      git(clone, 'push', '-q', 'origin', `HEAD:refs/test/${clones}`);
      return git(clone, 'rev-parse', 'HEAD');
    },
    remove: () => removeAll(root),
  };
}
