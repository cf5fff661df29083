import { SignalboxError } from '../../core/failures.ts';
import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { emptyIndex, GITLINK, matches, type GitIndex } from './index-file.ts';
import { declaredSubmodules } from './submodules.ts';
import { isGitDirectoryName, isGitmodulesName, onDisk, shownPath } from './paths.ts';
import { isRulesName, removeFalseRules, RULES_SIZE, setRulesAside } from './rule-files.ts';

/** What a walk over a work tree found, as byte-string paths. */
export interface Walk {
  /** Tracked paths whose file may differ from the index. */
  changed: string[];
  /** Tracked paths that are gone, or where something now lies that git cannot hold. */
  gone: string[];
  /** New files and symbolic links, not counting those in `large`. */
  untracked: string[];
  /** New directories with too much in them to be listed before it is known whether they are ignored. */
  large: string[];
  /** Path and reason of what a snapshot cannot hold. */
  leftOut: Map<string, string>;
  /** Whether any `.gitignore` was seen. */
  ignoreRules: boolean;
}

/** What a walk leaves out. */
export interface WalkOptions {
  /** In bytes; larger files are left out, a tracked one stays as the index has it. */
  maxFileSize: number;
  /** The most new paths that are listed. */
  maxFiles: number;
  /** Paths that nobody looks at. */
  passOver?: ReadonlySet<string>;
}

/** Bytes of a new path, at most: everybody who checks it out puts a directory of theirs before it. */
export const MOST_PATH = 1000;

/** How many entries of a new directory are listed before asking whether it is ignored as a whole. */
const LARGE = 1000;
const PAUSE_EVERY = 2000;

/**
 * Walks a work tree without git, never through a symbolic link, and compares it with the index. `.git` at the top is
 * the agent's own and passed over; below, git directories are left out and the files beside them are plain files.
 * Modes that keep us from reading are mended, and what would hold up git where it reads rules is put out of its way.
 * Nothing may write to the tree meanwhile.
 *
 * @param written when the index was written, in milliseconds
 * @throws SignalboxError `refused` when there is more of it than `maxFiles`
 */
export async function walkTree(tree: string, index: GitIndex, written: number, options: WalkOptions): Promise<Walk> {
  const walk = new TreeWalk(tree, index, written, options);
  await walk.directory('', true);
  const missing = [...index.entries.values()].filter(({ path }) => !walk.seen.has(path) && !walk.underUnreadable(path));
  // The directory of a submodule is empty here, and easily swept away: it goes only with its declaration.
  const kept = missing.some(({ mode }) => mode === GITLINK) ? declaredSubmodules(tree) : new Set<string>();
  for (const { path, mode } of missing) if (mode !== GITLINK || !kept.has(path)) walk.found.gone.push(path);
  return walk.found;
}

/** Lists the files of new directories, whatever their number. */
export async function walkNew(tree: string, directories: readonly string[], options: WalkOptions): Promise<Walk> {
  const walk = new TreeWalk(tree, emptyIndex(), 0, options);
  for (const directory of directories) await walk.directory(directory, false);
  return walk.found;
}

class TreeWalk {
  readonly found: Walk = { changed: [], gone: [], untracked: [], large: [], leftOut: new Map(), ignoreRules: false };
  readonly seen = new Set<string>();
  private readonly unreadable: string[] = [];
  private readonly tree: string;
  private readonly index: GitIndex;
  private readonly written: number;
  private readonly maxFileSize: number;
  private readonly maxFiles: number;
  private readonly passOver: ReadonlySet<string>;
  private visited = 0;

  constructor(tree: string, index: GitIndex, written: number, { maxFileSize, maxFiles, passOver }: WalkOptions) {
    this.tree = tree;
    this.index = index;
    this.written = written;
    this.maxFileSize = maxFileSize;
    this.maxFiles = maxFiles;
    this.passOver = passOver ?? new Set();
  }

  underUnreadable(path: string): boolean {
    return this.unreadable.some((directory) => path.startsWith(`${directory}/`));
  }

  /** Visits a directory; with `tracked`, its new directories are counted first and set aside when they are large. */
  async directory(directory: string, tracked: boolean): Promise<void> {
    for (const { name, kind } of this.list(directory)) {
      if ((this.visited += 1) % PAUSE_EVERY === 0) await new Promise((resolve) => setImmediate(resolve));
      const path = directory === '' ? name : `${directory}/${name}`;
      if ((name === '.git' && directory === '') || this.passOver.has(path)) continue;
      if (isGitDirectoryName(name)) this.found.leftOut.set(path, 'is, or looks like, a git directory');
      else if (this.isTooLong(path)) this.found.leftOut.set(path, `has a path of more than ${MOST_PATH} bytes`);
      else if (kind === 'directory') await this.subdirectory(path, tracked);
      else if (kind === 'other') this.special(path, name);
      else this.file(path, name, kind);
      if (this.found.untracked.length + this.found.leftOut.size > this.maxFiles) throw tooMany(this.maxFiles);
    }
  }

  private isTooLong(path: string): boolean {
    return path.length > MOST_PATH && !this.index.entries.has(path) && !this.index.directories.has(path);
  }

  private special(path: string, name: string): void {
    this.found.leftOut.set(path, 'is neither a file, a directory nor a symbolic link');
    if (isRulesName(name)) removeFalseRules(this.tree, path);
  }

  private async subdirectory(path: string, tracked: boolean): Promise<void> {
    if (this.index.entries.get(path)?.mode === GITLINK) {
      this.seen.add(path);
      if (this.list(path).length > 0) this.found.leftOut.set(path, 'is a submodule; its pointer stays as it was');
    } else if (this.index.directories.has(path) || !tracked) await this.directory(path, tracked);
    else if (this.count(path, 0) > LARGE) this.found.large.push(path);
    else await this.directory(path, false);
  }

  private file(path: string, name: string, kind: 'file' | 'link'): void {
    const entry = this.index.entries.get(path);
    const stat = lstatSync(onDisk(this.tree, path));
    if (name === '.gitignore' && kind === 'file') this.found.ignoreRules = true;
    if (kind === 'link' && isGitmodulesName(name)) {
      this.found.leftOut.set(path, 'is a symbolic link in the place of .gitmodules');
      return;
    }
    const known = entry !== undefined && entry.mode !== GITLINK && matches(this.index, entry, stat, this.written);
    if (kind === 'file' && isRulesName(name) && stat.size > RULES_SIZE && !known) {
      const aside = setRulesAside(this.tree, path);
      this.found.leftOut.set(path, `is larger than ${RULES_SIZE} bytes, and was renamed to ${shownPath(aside)}`);
      this.file(aside, '', 'file');
      return;
    }
    if (entry !== undefined) this.seen.add(path);
    if (known) return;
    if (kind === 'file' && stat.size > this.maxFileSize) {
      this.found.leftOut.set(path, `is larger than ${this.maxFileSize} bytes`);
      return;
    }
    if (kind === 'file' && (stat.mode & 0o400) === 0 && !this.mend(path, (stat.mode & 0o777) | 0o600)) return;
    if (entry === undefined) this.found.untracked.push(path);
    else this.found.changed.push(path);
  }

  private list(directory: string): { name: string; kind: 'directory' | 'file' | 'link' | 'other' }[] {
    const read = (): ReturnType<typeof TreeWalk.read> => TreeWalk.read(onDisk(this.tree, directory));
    try {
      return read();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code === 'EACCES' || code === 'EPERM') && this.mend(directory, 0o755)) return read();
      // Without its top there is no state to take: it must not pass for a tree from which all was deleted.
      if (directory === '') throw error;
      this.found.leftOut.set(directory, `cannot be read (${code ?? String(error)})`);
      this.unreadable.push(directory);
      return [];
    }
  }

  private static read(directory: string | Buffer): { name: string; kind: 'directory' | 'file' | 'link' | 'other' }[] {
    return readdirSync(directory, { withFileTypes: true, encoding: 'buffer' }).map((entry) => ({
      name: entry.name.toString('latin1'),
      kind: entry.isDirectory() ? 'directory' : entry.isFile() ? 'file' : entry.isSymbolicLink() ? 'link' : 'other',
    }));
  }

  private mend(path: string, mode: number): boolean {
    try {
      chmodSync(onDisk(this.tree, path), mode);
      return true;
    } catch (error) {
      this.found.leftOut.set(path, `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
      return false;
    }
  }

  private count(directory: string, sofar: number): number {
    let entries = sofar;
    for (const { name, kind } of this.list(directory)) {
      const path = `${directory}/${name}`;
      if (this.passOver.has(path)) continue;
      entries += 1;
      if (entries > LARGE) break;
      if (kind === 'directory' && !isGitDirectoryName(name) && !this.isTooLong(path))
        entries = this.count(path, entries);
    }
    return entries;
  }
}

function tooMany(most: number): SignalboxError {
  return new SignalboxError('refused', `the work tree holds more than ${most} new files`, {
    hint: 'Have what is built or downloaded there covered by a .gitignore.',
  });
}
