import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe } from '@jest/globals';
import { homeOf } from '../../activities/home.ts';
import { tryBubblewrap, type BubblewrapProbe } from '../../activities/sandbox/try-bubblewrap.ts';
import { missingInCi } from './docker.ts';

/** What bubblewrap does here. */
export const bubblewrap: BubblewrapProbe = await probe();

/** A `describe` for tests that need bubblewrap. Skipped, or failing in CI, as with `describeWithDocker`. */
export function describeWithBubblewrap(name: string, tests: () => void): void {
  const { problem } = bubblewrap;
  if (problem === null) describe(name, tests);
  else if (process.env['CI'] === 'true') missingInCi(name, 'a bubblewrap that works');
  else describe.skip(`${name} (no bubblewrap: ${problem})`, tests);
}

/** Says in the output what a test that passes could not show on this host: where it is no fault that something is missing. */
export function notProven(what: string, why: string): void {
  process.stderr.write(`not proven here: ${what} (${why})\n`);
}

async function probe(): Promise<BubblewrapProbe> {
  const root = mkdtempSync(path.join(tmpdir(), 'signalbox-probe-'));
  try {
    const home = homeOf({ SIGNALBOX_HOME: root });
    return await tryBubblewrap({ home, userHome: process.env['HOME'], searchPath: process.env['PATH'] });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
