import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { homeOf, makePrivateDirectory } from '../../activities/home.ts';
import { freePort } from '../../workers/server/ports.ts';
import { serverLayout } from '../../workers/server/server-layout.ts';
import { writeServerState } from '../../workers/server/server-state.ts';
import { stopTestTemporal, TEST_HOME_VARIABLE } from './temporal-server.ts';

/** Makes the home of this run's Temporal server, which the first test that needs it starts. */
export default async function globalSetup(): Promise<void> {
  const root = mkdtempSync(path.join(tmpdir(), 'signalbox-tests-'));
  process.env[TEST_HOME_VARIABLE] = root;
  const layout = serverLayout(homeOf({ SIGNALBOX_HOME: root }));
  makePrivateDirectory(layout.directory);
  // A server takes the ports that it had last: so it leaves alone those of a server that somebody works with.
  writeServerState(layout.stateFile, {
    version: 1,
    process: null,
    grpcPort: await freePort(),
    uiPort: await freePort(),
    cliVersion: '',
    flagsDigest: '',
    served: false,
  });
  for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
    process.once(signal, () => void stopTestTemporal().finally(() => process.exit(code)));
  }
}
