import { createHash, randomUUID } from 'node:crypto';
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { driverAttributes, mergeAttributes, type AttributesFile } from '../../core/merge-attributes.ts';
import type { MergeDriver } from '../../core/merge-drivers.ts';
import { diskFailure } from '../system-errors.ts';
import type { BareRepository } from './bare-repository.ts';
import { readLooseObject } from './objects.ts';
import { freshTree, TREE_MODE } from './tree-objects.ts';

const NAME = '.gitattributes';
/** As git itself bounds it, in bytes. */
const LARGEST = 1024 * 1024;
/** How many trees are remembered for a repository. */
const REMEMBERED = 200_000;

/** A `.gitattributes` below some tree. */
interface Found {
  directory: string;
  object: string;
}

const NONE: readonly Found[] = [];
const finders = new WeakMap<BareRepository, MergeAttributes>();

/**
 * What counts when git merges onto a tree: what its `.gitattributes` and the project's drivers say of merging, as a file
 * in the repository's `info` that is named by its content; `null` if they say nothing. So each merge has its own, whatever
 * else merges in the repository. No process but for the first tree.
 */
export async function attributesFileOf(
  bare: BareRepository,
  tree: string,
  drivers: readonly MergeDriver[],
): Promise<string | null> {
  const finder = finders.get(bare) ?? new MergeAttributes(bare);
  finders.set(bare, finder);
  const text = (await finder.of(tree)) + driverAttributes(drivers);
  if (text === '') return null;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 32);
  const file = path.join(bare.gitDir, 'info', `merge-${digest}`);
  if (!existsSync(file)) publish(file, text);
  return file;
}

function publish(file: string, text: string): void {
  const draft = `${file}.${randomUUID().slice(0, 8)}`;
  try {
    writeFileSync(draft, text, { mode: 0o600 });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw diskFailure(error) ?? error;
  }
}

/** Finds the `.gitattributes` of trees. Trees that were seen are remembered: the next tip differs in a few of them. */
class MergeAttributes {
  private readonly bare: BareRepository;
  /** By tree, with directories relative to it. */
  private readonly seen = new Map<string, readonly Found[]>();
  private readonly texts = new Map<string, string>();

  constructor(bare: BareRepository) {
    this.bare = bare;
  }

  /** What the files of a tree say of merging. */
  async of(tree: string): Promise<string> {
    if (this.seen.size > REMEMBERED) this.seen.clear();
    const found = this.fresh(tree) ?? (await this.list(tree));
    if (found.length === 0) return '';
    const files: AttributesFile[] = [];
    for (const { directory, object } of found) files.push({ directory, text: await this.text(object) });
    return mergeAttributes(files);
  }

  /** As far as trees are remembered or not packed; `null` if that does not suffice. */
  private fresh(tree: string): readonly Found[] | null {
    const known = this.seen.get(tree);
    if (known !== undefined) return known;
    const entries = freshTree(this.bare, tree);
    if (entries === null) return null;
    const found: Found[] = [];
    for (const { mode, name, object } of entries) {
      if (mode === TREE_MODE) {
        const below = this.fresh(object);
        if (below === null) return null;
        for (const file of below) found.push({ ...file, directory: joined(name, file.directory) });
      } else if (isAttributes(mode, name)) found.push({ directory: '', object });
    }
    return this.remember(tree, found);
  }

  private async list(tree: string): Promise<readonly Found[]> {
    const { stdout } = await this.bare.git(['ls-tree', '-r', '-t', '-z', '--full-tree', tree]);
    const trees = new Map<string, { object: string; found: Found[] }>([['', { object: tree, found: [] }]]);
    for (const record of stdout.toString('utf8').split('\0')) {
      const tab = record.indexOf('\t');
      const [mode = '', type = '', object = ''] = record.slice(0, Math.max(tab, 0)).split(' ');
      const where = record.slice(tab + 1);
      if (type === 'tree') trees.set(where, { object, found: [] });
      const slash = where.lastIndexOf('/');
      if (type !== 'blob' || !isAttributes(mode, where.slice(slash + 1))) continue;
      const home = where.slice(0, Math.max(slash, 0));
      for (let above: string | null = home; above !== null; above = parentOf(above)) {
        const directory = above === '' ? home : home.slice(above.length + 1);
        trees.get(above)?.found.push({ directory, object });
      }
    }
    for (const { object, found } of trees.values()) this.remember(object, found);
    return this.seen.get(tree) ?? NONE;
  }

  private remember(tree: string, found: readonly Found[]): readonly Found[] {
    const kept = found.length === 0 ? NONE : found;
    this.seen.set(tree, kept);
    return kept;
  }

  private async text(object: string): Promise<string> {
    const known = this.texts.get(object);
    if (known !== undefined) return known;
    const loose = readLooseObject(this.bare.gitDir, object);
    const content = loose?.content ?? (await this.bare.git(['cat-file', 'blob', object])).stdout;
    const text = content.length > LARGEST ? '' : content.toString('utf8');
    if (this.texts.size > 1000) this.texts.clear();
    this.texts.set(object, text);
    return text;
  }
}

/** A symbolic link of that name is none for git either. */
function isAttributes(mode: string, name: string): boolean {
  return name === NAME && mode.startsWith('100');
}

function joined(name: string, directory: string): string {
  return directory === '' ? name : `${name}/${directory}`;
}

function parentOf(directory: string): string | null {
  if (directory === '') return null;
  return directory.slice(0, Math.max(directory.lastIndexOf('/'), 0));
}
