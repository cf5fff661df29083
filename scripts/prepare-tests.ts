import { findTemporalCli } from '../workers/server/temporal-cli.ts';
import { SignalboxError } from '../core/failures.ts';
import { prepareTestServer } from '../test/support/test-server.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Fetches what the tests need and the packages do not bring. Says what cannot be had; the tests that need it then fail. */
async function prepare(): Promise<void> {
  for (const fetch of [findTemporalCli, prepareTestServer]) {
    try {
      await fetch({ env: process.env, onProgress: say });
    } catch (error) {
      if (!(error instanceof SignalboxError)) throw error;
      say(`warning: ${error.message}`);
    }
  }
}

await prepare();
