import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SnapshotStore } from '../../activities/bootstrap/snapshot-store.ts';
import { homeOf } from '../../activities/home.ts';
import { startPruning } from '../../workers/snapshot-pruner.ts';
import { listSnapshots, snapshotBounds } from '../../workers/snapshots.ts';
import { storeSnapshot } from '../support/stored-snapshot.ts';
import { until } from '../support/until.ts';

let env: Record<string, string>;
beforeEach(() => {
  env = { SIGNALBOX_HOME: mkdtempSync(path.join(tmpdir(), 'signalbox-pruner-')) };
});
afterEach(() => rmSync(env['SIGNALBOX_HOME'] ?? '', { recursive: true, force: true }));

describe("a worker's dependency snapshots", () => {
  test('are brought within the bounds when it starts, and that is said', async () => {
    const store = new SnapshotStore(homeOf(env));
    storeSnapshot(store, 'a', { bytes: 100, hours: 1 });
    storeSnapshot(store, 'b', { bytes: 1024, hours: 24 * 31 });
    const told: string[] = [];
    const stop = startPruning(env, (text) => told.push(text));
    await until(() => told.length > 0);
    stop();
    expect(told).toEqual(['Removed 1 dependency snapshot, 1.0 KiB.']);
    expect(listSnapshots(env).map(({ key }) => key)).toEqual(['a'.repeat(64)]);
  });

  test('have the bounds that the environment names, and are refused where it names none', () => {
    expect(snapshotBounds({})).toEqual({ bytes: 20 * 1024 ** 3, ageMs: 30 * 86_400_000 });
    expect(snapshotBounds({ SIGNALBOX_SNAPSHOTS_SIZE: '1MiB', SIGNALBOX_SNAPSHOTS_AGE: '2h' })).toEqual({
      bytes: 1024 ** 2,
      ageMs: 7_200_000,
    });
    expect(() => snapshotBounds({ SIGNALBOX_SNAPSHOTS_AGE: 'soon' })).toThrow(
      /SIGNALBOX_SNAPSHOTS_AGE: "soon" is no duration/,
    );
  });
});
