import { expect } from '@jest/globals';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import path from 'node:path';
import { land, type LandingResult } from '../../../activities/git/landing.ts';
import { LandingJournal, type Landing } from '../../../activities/git/landing-journal.ts';
import { git, gitReading, type Fixture } from './support.ts';

/** A file of a tree, by its content; `link`: a symbolic link to that; `run`: executable. */
export interface Entry {
  kind: 'file' | 'run' | 'link';
  text: string;
}

/** A tree, by the paths of its files. */
export type Tree = Readonly<Record<string, Entry>>;

const MODES = { file: '100644', run: '100755', link: '120000' } as const;

/** A user's checkout that is put into the states in which a killed landing can leave it. */
export class HalfMovedWorld {
  readonly fixture: Fixture;

  constructor(fixture: Fixture) {
    this.fixture = fixture;
  }

  /** Commits exactly a tree, in the user's own repository, where a push would have brought it, and in ours. */
  commitTree(tree: Tree, parent: string): string {
    const { userDirectory, bare, root } = this.fixture;
    const env = { GIT_INDEX_FILE: path.join(root, 'scratch-index') };
    rmSync(env.GIT_INDEX_FILE, { force: true });
    const lines = Object.entries(tree).map(([name, { kind, text }]) => {
      const id = gitReading(userDirectory, text, {}, 'hash-object', '-w', '--stdin');
      return `${MODES[kind]} ${id}\t${name}\n`;
    });
    gitReading(userDirectory, lines.join(''), env, 'update-index', '--index-info');
    const id = gitReading(userDirectory, '', env, 'write-tree');
    const commit = git(userDirectory, 'commit-tree', id, '-p', parent, '-m', 'Next');
    git(userDirectory, 'push', '-q', bare.gitDir, `${commit}:refs/test/${commit}`);
    return commit;
  }

  /** What lies at a path of the user's checkout, not following links; nothing below a file. */
  statOf(name: string): Stats | null {
    try {
      return lstatSync(path.join(this.fixture.userDirectory, name));
    } catch {
      return null;
    }
  }

  /** Is there room for a new file? */
  isFree(name: string): boolean {
    const above = name.split('/').slice(0, -1);
    return (
      this.statOf(name) === null &&
      above.every((_, at) => this.statOf(above.slice(0, at + 1).join('/'))?.isDirectory() !== false)
    );
  }

  /** Puts on disk what a tree has at a path, or the first bytes of it; makes way for it as git would. */
  place(name: string, entry: Entry | undefined, bytes = Infinity): void {
    const file = path.join(this.fixture.userDirectory, name);
    if (this.statOf(name)?.isDirectory() === false) rmSync(file);
    if (entry === undefined) {
      for (let above = path.dirname(name); above !== '.'; above = path.dirname(above)) {
        const directory = path.join(this.fixture.userDirectory, above);
        if (this.statOf(above)?.isDirectory() !== true) continue;
        if (readdirSync(directory).length > 0) break;
        rmdirSync(directory);
      }
      return;
    }
    mkdirSync(path.dirname(file), { recursive: true });
    if (entry.kind === 'link') symlinkSync(entry.text, file);
    else writeFileSync(file, entry.text.slice(0, bytes));
    if (entry.kind === 'run') chmodSync(file, 0o755);
  }

  /** Says in the journal that a landing began. */
  begin(from: string, to: string, gitDir: string | null = this.fixture.user.gitDir): Landing {
    return new LandingJournal(this.fixture.bare, this.fixture.user.commonDir, 'main').begin({
      branch: 'main',
      from,
      to,
      gitDir,
    });
  }

  /** Lands as a worker does. */
  landing(commit: string): Promise<LandingResult> {
    return land({ bare: this.fixture.bare, user: this.fixture.user, branch: 'main', commit });
  }

  /** Is a landing noted? */
  isUnderWay(): boolean {
    return new LandingJournal(this.fixture.bare, this.fixture.user.commonDir, 'main').read() !== null;
  }

  /** All is as a landing of that commit leaves it, besides untracked files. */
  expectAt(commit: string, untracked: readonly string[] = []): void {
    const { userDirectory } = this.fixture;
    expect(git(userDirectory, 'rev-parse', 'main')).toBe(commit);
    expect(git(userDirectory, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main');
    expect(git(userDirectory, 'status', '--porcelain', '-uall')).toBe(untracked.map((name) => `?? ${name}`).join('\n'));
    expect(git(userDirectory, 'diff', 'HEAD')).toBe('');
    expect(readdirSync(path.join(userDirectory, '.git')).filter((name) => /lock|signalbox/.test(name))).toEqual([]);
    expect(this.isUnderWay()).toBe(false);
  }
}
