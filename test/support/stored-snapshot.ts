import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { writeRecord } from '../../activities/bootstrap/snapshot-record.ts';
import type { SnapshotId, SnapshotStore } from '../../activities/bootstrap/snapshot-store.ts';

/** Puts a dependency snapshot into a store, of a size that it says it has, and that was last used some hours ago. */
export function storeSnapshot(
  store: SnapshotStore,
  letter: string,
  { bytes, hours }: { bytes: number; hours: number },
): SnapshotId {
  const id = { repository: 'repository', key: letter.repeat(64) };
  const directory = store.directory(id);
  mkdirSync(path.join(directory, 'outputs'), { recursive: true });
  writeFileSync(path.join(directory, 'outputs', '0'), 'x');
  const made = { commit: 'c', commands: ['true'], outputs: [], buildMs: 1, builtAt: new Date().toISOString() };
  writeRecord(path.join(directory, 'snapshot.json'), { version: 1, ...id, project: 'p', bytes, ...made });
  const time = new Date(Date.now() - hours * 3_600_000);
  utimesSync(path.join(directory, 'snapshot.json'), time, time);
  return id;
}
