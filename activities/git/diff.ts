import type { BareRepository } from './bare-repository.ts';

/** How a path differs between two trees; `type`: a file, symbolic link or submodule took the place of another kind. */
export type ChangeKind = 'added' | 'modified' | 'deleted' | 'type';

/** A path that differs. */
export interface Change {
  /** As git shows it, decoded as UTF-8. */
  path: string;
  kind: ChangeKind;
}

const KINDS: Readonly<Record<string, ChangeKind>> = { A: 'added', M: 'modified', D: 'deleted', T: 'type' };

/** The paths that differ between two commits or trees, in git's order; a rename is a deletion and an addition. */
export async function changedPaths(bare: BareRepository, from: string, to: string): Promise<Change[]> {
  if (from === to) return [];
  const { stdout } = await bare.git(['diff-tree', '-r', '-z', '--no-renames', '--name-status', from, to]);
  const fields = stdout.toString('utf8').split('\0');
  const changes: Change[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2)
    changes.push({ kind: KINDS[fields[at] ?? ''] ?? 'modified', path: fields[at + 1] ?? '' });
  return changes;
}

/** A patch, cut at `limit` bytes (1 MiB by default). Runs no external diff and no text conversion. */
export async function patch(
  bare: BareRepository,
  from: string,
  to: string,
  options: { limit?: number; paths?: readonly string[]; signal?: AbortSignal } = {},
): Promise<{ text: string; truncated: boolean }> {
  const { bytes, truncated } = await showChanges(bare, from, to, { as: 'patch', limit: 1024 * 1024, ...options });
  return { text: bytes.toString('utf8'), truncated };
}

/** How {@link showChanges} shows what differs. */
export interface DiffStyle {
  as: 'patch' | 'stat' | 'names';
  /** Bytes after which it is cut. */
  limit: number;
  colors?: boolean;
  /** The width of `stat`. */
  columns?: number;
  paths?: readonly string[];
  signal?: AbortSignal;
}

/** What differs between two commits or trees as git prints it. Runs no external diff and no text conversion. */
export async function showChanges(
  bare: BareRepository,
  from: string,
  to: string,
  { as, limit, colors, columns, paths, signal }: DiffStyle,
): Promise<{ bytes: Buffer; truncated: boolean }> {
  if (from === to) return { bytes: Buffer.alloc(0), truncated: false };
  const shape = { patch: '--patch', stat: `--stat=${columns ?? 80}`, names: '--name-only' }[as];
  const flags = ['-r', shape, `--color=${colors === true ? 'always' : 'never'}`];
  const { stdout, truncated } = await bare.git(
    ['diff-tree', ...flags, '--no-ext-diff', '--no-textconv', '--find-renames', from, to, '--', ...(paths ?? [])],
    { maxOutput: limit, overflow: 'cut', ...(signal === undefined ? {} : { signal }) },
  );
  return { bytes: stdout, truncated };
}

/** How many lines of a file were added and removed; `null` for a file that is not text. */
export interface FileStat {
  path: string;
  lines: { added: number; removed: number } | null;
}

/** What differs between two commits or trees, each path once; a rename is a deletion and an addition. */
export async function fileStats(bare: BareRepository, from: string, to: string): Promise<FileStat[]> {
  if (from === to) return [];
  const flags = ['-r', '-z', '--no-renames', '--numstat', '--no-ext-diff', '--no-textconv'];
  const { stdout } = await bare.git(['diff-tree', ...flags, from, to]);
  const stats = new Map<string, FileStat>();
  for (const entry of stdout.toString('utf8').split('\0')) {
    const [, added, removed, path] = /^(\d+|-)\t(\d+|-)\t([^]+)$/.exec(entry) ?? [];
    if (path === undefined) continue;
    stats.set(path, { path, lines: added === '-' ? null : { added: Number(added), removed: Number(removed) } });
  }
  return [...stats.values()];
}
