import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

import { type Home, homeOf, makePrivateDirectory } from '../../activities/home.ts';
import { SignalboxError } from '../../core/failures.ts';
import { createEmbeddedServer, EMBEDDED_NAMESPACE, type EmbeddedServer } from '../../workers/server/embedded-server.ts';
import { freePort } from '../../workers/server/ports.ts';
import { serverLayout } from '../../workers/server/server-layout.ts';
import { writeServerState } from '../../workers/server/server-state.ts';

const TEST_HOME_PREFIX = 'home-';

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
  const { address, webUi } = await serverOf(sharedHome()).start();
  if (address === null || webUi === null) throw new SignalboxError('internal', 'a started server has no address');
  return { address, webUi, namespace: EMBEDDED_NAMESPACE };
}

/** Ends the shared server and those of {@link createTestHome}'s homes, where any runs, and removes their data. */
export async function stopTestTemporal(): Promise<void> {
  const shared = sharedHome();
  const homes = readdirSync(shared.root, { withFileTypes: true })
    .filter((entry) => entry.name.startsWith(TEST_HOME_PREFIX))
    .map((entry) => homeOf({ SIGNALBOX_HOME: path.join(shared.root, entry.name) }));
  for (const home of [shared, ...homes]) await serverOf(home).stop();
  rmSync(shared.root, { recursive: true, force: true });
}

/**
 * An empty home for a test that starts a Temporal server of its own. The test should stop it; at the end of the run, or
 * when that is interrupted, what still runs is stopped.
 */
export function createTestHome(): Home {
  return homeOf({ SIGNALBOX_HOME: mkdtempSync(path.join(sharedHome().root, TEST_HOME_PREFIX)) });
}

/**
 * Gives a home's server free ports: a server takes those that it had last, so that it leaves alone the usual ones, on which
 * somebody may work.
 */
export async function giveFreePorts(home: Home): Promise<void> {
  const layout = serverLayout(home);
  makePrivateDirectory(layout.directory);
  writeServerState(layout.stateFile, {
    version: 1,
    process: null,
    grpcPort: await freePort(),
    uiPort: await freePort(),
    cliVersion: '',
    flagsDigest: '',
    served: false,
  });
}

function sharedHome(): Home {
  const root = process.env[TEST_HOME_VARIABLE];
  if (!root)
    throw new SignalboxError('internal', `${TEST_HOME_VARIABLE} is not set: jest runs without its global set-up`);
  return homeOf({ SIGNALBOX_HOME: root });
}

function serverOf(home: Home): EmbeddedServer {
  return createEmbeddedServer({ home, env: process.env, onProgress: () => undefined });
}
