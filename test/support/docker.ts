import { describe, test } from '@jest/globals';
import Docker from 'dockerode';

/** Whether a Docker engine answers here. */
export const dockerAnswers: boolean = await ping();

/**
 * A `describe` for tests that need a Docker engine. Where none answers they are skipped, and said to be; in CI
 * (`CI=true`) that is a failure, since nobody would notice.
 */
export function describeWithDocker(name: string, tests: () => void): void {
  if (dockerAnswers) describe(name, tests);
  else if (process.env['CI'] === 'true') missingInCi(name, 'a Docker engine');
  else describe.skip(`${name} (no Docker engine answers)`, tests);
}

/** In CI, a test that fails because something is missing that the tests of `name` need. */
export function missingInCi(name: string, what: string): void {
  describe(name, () => {
    test(`${what} is there`, () => {
      throw new Error(`${what} is needed in CI, and is not there`);
    });
  });
}

async function ping(): Promise<boolean> {
  try {
    await new Docker({ timeout: 5000 }).ping();
    return true;
  } catch {
    return false;
  }
}
