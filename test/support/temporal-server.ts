import { rmSync } from 'node:fs';

import { type Home, homeOf } from '../../activities/home.ts';
import { SignalboxError } from '../../core/failures.ts';
import { createEmbeddedServer, EMBEDDED_NAMESPACE, type EmbeddedServer } from '../../workers/server/embedded-server.ts';

/** Names the home of the Temporal server that all tests of one run share. Set by the global set-up. */
export const TEST_HOME_VARIABLE = 'SIGNALBOX_TESTS_HOME';

/** The tests' Temporal server. */
export interface TestTemporal {
  address: string;
  namespace: string;
  webUi: string;
}

/**
 * The tuned Temporal server that all tests of this run share, with our search attributes; the first call starts it (1.5 s).
 * Tests keep apart by ids of their own: project, run and task queue.
 */
export async function testTemporal(): Promise<TestTemporal> {
  const { address, webUi } = await sharedServer(sharedHome()).start();
  if (address === null || webUi === null) throw new SignalboxError('internal', 'a started server has no address');
  return { address, webUi, namespace: EMBEDDED_NAMESPACE };
}

/** Ends the shared server, if any test started it, and removes its data. */
export async function stopTestTemporal(): Promise<void> {
  const home = sharedHome();
  await sharedServer(home).stop();
  rmSync(home.root, { recursive: true, force: true });
}

function sharedHome(): Home {
  const root = process.env[TEST_HOME_VARIABLE];
  if (!root)
    throw new SignalboxError('internal', `${TEST_HOME_VARIABLE} is not set: jest runs without its global set-up`);
  return homeOf({ SIGNALBOX_HOME: root });
}

function sharedServer(home: Home): EmbeddedServer {
  return createEmbeddedServer({ home, env: process.env, onProgress: () => undefined });
}
