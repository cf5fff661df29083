import { parseDuration } from '../core/duration.ts';
import { parseSize } from '../core/size.ts';
import { SignalboxError } from '../core/failures.ts';
import { pruneSnapshots, type SnapshotBounds } from '../activities/bootstrap/prune-snapshots.ts';
import { SnapshotStore, type StoredSnapshot } from '../activities/bootstrap/snapshot-store.ts';
import { homeOf } from '../activities/home.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** A dependency snapshot of this host, as `snapshot list` tells it. */
export interface SnapshotView {
  key: string;
  project: string;
  /** The repository's id. */
  repository: string;
  /** What it was made from. */
  commit: string;
  commands: string[];
  outputs: string[];
  bytes: number;
  built_at: string;
  build_ms: number;
  last_used_at: string;
  /** Does a workspace or a checkout have it? It is not removed then. */
  in_use: boolean;
}

/** What was removed, or would be. */
export interface PruneReport {
  dry_run: boolean;
  removed: SnapshotView[];
  /** Keys of those whose making never came to an end. */
  abandoned: string[];
  /** Bytes of the snapshots that are left. */
  bytes: number;
}

/** The bounds that hold where nobody names others: `SIGNALBOX_SNAPSHOTS_SIZE`, `SIGNALBOX_SNAPSHOTS_AGE`, or ours. */
export function snapshotBounds(env: Env): SnapshotBounds {
  return {
    bytes: boundOf(env, 'SIGNALBOX_SNAPSHOTS_SIZE', parseSize) ?? 20 * 1024 ** 3,
    ageMs: boundOf(env, 'SIGNALBOX_SNAPSHOTS_AGE', parseDuration) ?? 30 * 86_400_000,
  };
}

/** The dependency snapshots of this host, of all projects, the last used first. */
export function listSnapshots(env: Env): SnapshotView[] {
  return new SnapshotStore(homeOf(env)).list().map(viewOf);
}

/** Removes dependency snapshots that exceed the bounds and that nothing has. */
export async function prune(
  env: Env,
  { dryRun, ...bounds }: Partial<SnapshotBounds> & { dryRun: boolean },
): Promise<PruneReport> {
  const store = new SnapshotStore(homeOf(env));
  const { removed, abandoned } = await pruneSnapshots(store, { ...snapshotBounds(env), ...bounds }, { dryRun });
  const gone = new Set(removed.map(({ record }) => record.key));
  const left = store.list().filter(({ record }) => !gone.has(record.key));
  return {
    dry_run: dryRun,
    removed: removed.map(viewOf),
    abandoned: abandoned.map(({ key }) => key),
    bytes: left.reduce((sum, { record }) => sum + record.bytes, 0),
  };
}

function viewOf({ record, usedAt, inUse }: StoredSnapshot): SnapshotView {
  return {
    key: record.key,
    project: record.project,
    repository: record.repository,
    commit: record.commit,
    commands: record.commands,
    outputs: record.outputs.map(({ path }) => path),
    bytes: record.bytes,
    built_at: record.builtAt,
    build_ms: record.buildMs,
    last_used_at: new Date(usedAt).toISOString(),
    in_use: inUse,
  };
}

/** The bound that a variable of the environment sets; `null` if it sets none. @throws SignalboxError `usage` */
export function boundOf(env: Env, variable: string, parse: (text: string) => number): number | null {
  const text = env[variable] ?? '';
  if (text === '') return null;
  try {
    return parse(text);
  } catch (error) {
    throw new SignalboxError('usage', `${variable}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
