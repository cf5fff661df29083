import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pruneSnapshots } from '../../../activities/bootstrap/prune-snapshots.ts';
import { writeRecord } from '../../../activities/bootstrap/snapshot-record.ts';
import { SnapshotStore, type SnapshotId } from '../../../activities/bootstrap/snapshot-store.ts';
import { storeSnapshot } from '../../support/stored-snapshot.ts';
import { homeOf } from '../../../activities/home.ts';
import { withProcessLock } from '../../../activities/process-lock.ts';

const HOUR = 3_600_000;
let root: string;
let store: SnapshotStore;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'signalbox-prune-'));
  store = new SnapshotStore(homeOf({ SIGNALBOX_HOME: root }));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function snapshot(letter: string, bytes: number, hours: number): SnapshotId {
  return storeSnapshot(store, letter, { bytes, hours });
}

function kept(): string {
  return store
    .list()
    .map(({ record }) => record.key.slice(0, 1))
    .join('');
}

async function prune(bytes: number, hours: number, dryRun = false): Promise<string> {
  const { removed } = await pruneSnapshots(store, { bytes, ageMs: hours * HOUR }, { dryRun });
  return removed.map(({ record }) => record.key.slice(0, 1)).join('');
}

describe('pruning dependency snapshots', () => {
  test('removes those that were not used for too long, whatever their size', async () => {
    for (const [letter, hours] of [
      ['a', 1],
      ['b', 50],
      ['c', 30],
    ] as const)
      snapshot(letter, 10, hours);
    expect(await prune(1000, 24, true)).toBe('bc');
    expect(kept()).toBe('acb');
    expect(await prune(1000, 24)).toBe('bc');
    expect(kept()).toBe('a');
  });

  test('removes the least recently used until the others fit', async () => {
    for (const [letter, hours] of [
      ['a', 1],
      ['b', 3],
      ['c', 2],
    ] as const)
      snapshot(letter, 10, hours);
    expect(await prune(20, 24)).toBe('b');
    expect(await prune(0, 24)).toBe('ca');
    expect(kept()).toBe('');
  });

  test('never removes one that a holder says it has, and forgets a holder that is gone', async () => {
    const id = snapshot('a', 10, 100);
    const holder = path.join(root, 'outputs.json');
    store.lease(id, holder);
    writeRecord(holder, { key: id.key });
    const long = new Date(Date.now() - 100 * HOUR);
    for (const file of [path.join(store.directory(id), 'snapshot.json')]) utimesSync(file, long, long);
    expect([await prune(0, 1), kept()]).toEqual(['', 'a']);
    rmSync(holder);
    // It may be about to say so.
    expect([await prune(0, 1), kept()]).toEqual(['', 'a']);
    store.release(id, holder);
    expect([await prune(0, 1), kept()]).toEqual(['a', '']);
  });

  test('leaves one alone that somebody is making or taking', async () => {
    const id = snapshot('a', 10, 100);
    await withProcessLock(store.lockFile(id), async () => {
      expect(await prune(0, 1)).toBe('');
    });
    expect(await prune(0, 1)).toBe('a');
  });

  test('removes what was begun days ago and never finished, and nothing younger', async () => {
    const [old, young] = ['a', 'b'].map((letter) => ({ repository: 'repository', key: letter.repeat(64) }));
    if (old === undefined || young === undefined) return;
    for (const id of [old, young]) mkdirSync(path.join(store.site(id), 'tree', 'node_modules'), { recursive: true });
    const long = new Date(Date.now() - 48 * HOUR);
    utimesSync(store.site(old), long, long);
    const { abandoned } = await pruneSnapshots(store, { bytes: 0, ageMs: HOUR });
    expect(abandoned).toEqual([old]);
    expect([existsSync(store.site(old)), existsSync(store.site(young))]).toEqual([false, true]);
  });
});
