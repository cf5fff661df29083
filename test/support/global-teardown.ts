import { stopTestTemporal } from './temporal-server.ts';

/** Ends what the run started. */
export default async function globalTeardown(): Promise<void> {
  await stopTestTemporal();
}
