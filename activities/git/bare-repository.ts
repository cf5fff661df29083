import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CommandFailedError, SignalboxError } from '../../core/failures.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import { RecentMap } from '../recent-map.ts';
import { requireGit, runGit, type GitOptions, type GitResult } from './git-command.ts';
import { diskFailure } from '../system-errors.ts';
import { parseCommit, readLooseObject, type CommitInfo } from './objects.ts';
import { RefWriter } from './ref-writer.ts';
import { readRef, readRefs } from './refs.ts';
import { branchTip, requireBranchName, requireSupported, type UserRepository } from './user-repository.ts';

const CONFIG = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogallrefupdates = false
\tprotectHFS = true
\tprotectNTFS = true
[gc]
\tauto = 0
[index]
\tversion = 2
[advice]
\tdetachedHead = false
`;

/**
 * Attributes of highest precedence for every tree that we check out or take in: no filter drivers and no re-encoding,
 * whatever `.gitattributes` says. Line endings stay as the project wants them.
 */
export const ATTRIBUTES = '* -filter -working-tree-encoding\n';

/** How often the user's branch is brought over while other processes do the same. */
const MOST_IMPORTS = 5;

/** How many commits are looked at in this process before native git is asked. */
const NEAR = 50;

/** How many commits are remembered. */
const REMEMBERED = 2000;

/**
 * The bare repository that holds everything of one project. `refs/heads/<branch>` are the accepted tips,
 * `refs/user/heads/<branch>` the user's own as last seen, `refs/signalbox/<run>/<task>/<attempt>` what agents wrote.
 * Reads of refs and of fresh commits cost no process; every write of a ref is native git.
 */
export class BareRepository {
  readonly gitDir: string;
  private readonly refWriter: RefWriter;
  private readonly imports = new KeyedMutex();
  private readonly commits = new RecentMap<string, CommitInfo>(REMEMBERED);

  private constructor(gitDir: string) {
    this.gitDir = gitDir;
    this.refWriter = new RefWriter(gitDir);
  }

  /** Opens the repository at `gitDir`, making it if it is not there; several processes may do so at once. */
  static async open(gitDir: string): Promise<BareRepository> {
    if (!existsSync(path.join(gitDir, 'HEAD'))) {
      await requireGit();
      create(gitDir);
    }
    return new BareRepository(gitDir);
  }

  /** The directory that clones borrow objects from (`objects/info/alternates`); sandboxes see it read-only. */
  get objectStore(): string {
    return path.join(this.gitDir, 'objects');
  }

  /** Runs git in this repository; see {@link runGit}. */
  git(args: readonly string[], options: Omit<GitOptions, 'gitDir'> = {}): Promise<GitResult> {
    return runGit(args, { ...options, gitDir: this.gitDir });
  }

  /**
   * Brings the user's branch over as `refs/user/heads/<branch>`, and makes it the accepted tip if there is none yet.
   * No process when nothing changed since the last time. Returns the user's tip. Many may ask at once.
   */
  async importBranch(user: UserRepository, branch: string): Promise<string> {
    requireSupported(user);
    return await this.imports.run(branch, async () => {
      for (let tries = 1; ; tries += 1) {
        const before = readRef(this.gitDir, `refs/user/heads/${branch}`);
        try {
          return await this.importNow(user, branch);
        } catch (error) {
          // Another process brought the branch over meanwhile: git moves a ref only from where it saw it.
          const moved = readRef(this.gitDir, `refs/user/heads/${branch}`) !== before;
          if (!moved || tries === MOST_IMPORTS) throw error;
        }
      }
    });
  }

  private async importNow(user: UserRepository, branch: string): Promise<string> {
    const tip = branchTip(user, branch);
    const seen = `refs/user/heads/${branch}`;
    const before = readRef(this.gitDir, seen);
    const accepted = this.tip(branch);
    if (before !== tip && accepted !== null && this.isNearAncestor(tip, accepted)) {
      // Landed from here: all of it is here already.
      await this.moveRef(seen, tip, before);
    } else if (before !== tip) {
      const uploadPack = "git -c safe.directory='*' upload-pack";
      const options = [
        '--quiet',
        '--no-tags',
        '--no-write-fetch-head',
        '--no-auto-maintenance',
        '--no-recurse-submodules',
      ];
      const refspec = `+refs/heads/${branch}:${seen}`;
      await this.git(['fetch', ...options, `--upload-pack=${uploadPack}`, '--', user.commonDir, refspec], {
        config: { 'core.alternateRefsCommand': 'true', 'fetch.unpackLimit': '200' },
      });
    }
    const now = readRef(this.gitDir, seen) ?? tip;
    if (this.tip(branch) === null) await this.moveTip(branch, now, null);
    return now;
  }

  /** The accepted tip of a branch, or `null`. */
  tip(branch: string): string | null {
    return readRef(this.gitDir, `refs/heads/${branch}`);
  }

  /**
   * Moves the accepted tip by compare-and-swap. True when the branch now is at `commit` by this call or already was;
   * false when somebody else moved it.
   */
  moveTip(branch: string, commit: string, expected: string | null): Promise<boolean> {
    requireBranchName(branch);
    return this.moveRef(`refs/heads/${branch}`, commit, expected);
  }

  /** {@link moveTip} for any ref, by its full name. No reflog is written. */
  async moveRef(name: string, commit: string, expected: string | null): Promise<boolean> {
    if (readRef(this.gitDir, name) === commit) return true;
    try {
      await this.refWriter.move(name, commit, expected);
      return true;
    } catch (error) {
      const now = readRef(this.gitDir, name);
      if (now === commit) return true;
      if (now !== expected && error instanceof CommandFailedError) return false;
      throw error;
    }
  }

  /** The commit that a full ref name stands for, or `null`. */
  ref(name: string): string | null {
    return readRef(this.gitDir, name);
  }

  refExists(name: string): boolean {
    return this.ref(name) !== null;
  }

  /** Refs whose names start with `prefix`, which ends in `/`, with their commits. */
  listRefs(prefix: string): Map<string, string> {
    return readRefs(this.gitDir, prefix);
  }

  /** The highest attempt of a task in a run that has a ref, 0 when none has. */
  highestAttempt(run: string, task: string): number {
    const prefix = `refs/signalbox/${run}/${task}/`;
    const attempts = [...this.listRefs(prefix).keys()].map((name) =>
      Number(/^\d+/.exec(name.slice(prefix.length))?.[0] ?? 0),
    );
    return Math.max(0, ...attempts);
  }

  /** @throws CommandFailedError when there is no such commit */
  async commitInfo(commit: string): Promise<CommitInfo> {
    const fresh = this.freshCommit(commit);
    return fresh ?? this.remember(commit, parseCommit((await this.git(['cat-file', 'commit', commit])).stdout));
  }

  /** A commit that is not packed, or was read before, or `null`; costs no process. */
  freshCommit(commit: string): CommitInfo | null {
    const known = this.commits.get(commit);
    if (known !== undefined) return known;
    const loose = readLooseObject(this.gitDir, commit);
    if (loose?.type !== 'commit') return null;
    return this.remember(commit, parseCommit(loose.content));
  }

  private remember(commit: string, info: CommitInfo): CommitInfo {
    this.commits.set(commit, info);
    return info;
  }

  /** True when `descendant` contains `ancestor` by few and fresh commits; false may also mean "not known". No process. */
  isNearAncestor(ancestor: string, descendant: string): boolean {
    const reached = new Set([descendant]);
    for (const commit of reached) {
      if (commit === ancestor) return true;
      if (reached.size > NEAR) return false;
      for (const parent of this.freshCommit(commit)?.parents ?? []) reached.add(parent);
    }
    return false;
  }

  /** Does `descendant` contain `ancestor`? */
  async isAncestor(ancestor: string, descendant: string): Promise<boolean> {
    if (this.isNearAncestor(ancestor, descendant)) return true;
    // The other way round, and they are not the same: history has no circles.
    if (this.isNearAncestor(descendant, ancestor)) return false;
    const { exitCode } = await this.git(['merge-base', '--is-ancestor', ancestor, descendant], {
      allowedExitCodes: [0, 1],
    });
    return exitCode === 0;
  }
}

function create(gitDir: string): void {
  const draft = `${gitDir}.new-${randomUUID().slice(0, 8)}`;
  try {
    for (const directory of ['objects/info', 'objects/pack', 'refs/heads', 'info'])
      mkdirSync(path.join(draft, directory), { recursive: true, mode: 0o700 });
    writeFileSync(path.join(draft, 'config'), CONFIG);
    // A file system that ignores case answers to another spelling; git wants to know.
    if (existsSync(path.join(draft, 'CoNfIg')))
      writeFileSync(path.join(draft, 'config'), `${CONFIG}[core]\n\tignorecase = true\n\tprecomposeunicode = true\n`);
    writeFileSync(path.join(draft, 'info', 'attributes'), ATTRIBUTES);
    writeFileSync(path.join(draft, 'HEAD'), 'ref: refs/heads/main\n');
    renameSync(draft, gitDir);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    // Somebody else was first: a rename never replaces a directory that holds something.
    if (existsSync(path.join(gitDir, 'HEAD'))) return;
    throw (
      diskFailure(error) ??
      new SignalboxError('environment', `the repository ${gitDir} cannot be made: ${String(error)}`, { cause: error })
    );
  }
}
