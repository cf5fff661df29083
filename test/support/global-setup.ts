import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { homeOf } from '../../activities/home.ts';
import { giveFreePorts, stopTestTemporal, TEST_HOME_VARIABLE } from './temporal-server.ts';

/** Makes the home of this run's Temporal server, which the first test that needs it starts. */
export default async function globalSetup(): Promise<void> {
  const root = mkdtempSync(path.join(tmpdir(), 'signalbox-tests-'));
  process.env[TEST_HOME_VARIABLE] = root;
  await giveFreePorts(homeOf({ SIGNALBOX_HOME: root }));
  for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
    process.once(signal, () => void stopTestTemporal().finally(() => process.exit(code)));
  }
}
