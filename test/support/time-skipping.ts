import { TestWorkflowEnvironment } from '@temporalio/testing';

import { quietRuntime } from './quiet-runtime.ts';
import { testServerPath } from './test-server.ts';

/** How often it is tried to start one. */
const STARTS = 5;

/**
 * A Temporal server of its own in which timers pass at once whenever nothing else is to do. Up in about two seconds: make
 * one for a test file, and `teardown()` it at the end.
 */
export async function createTimeSkippingEnvironment(): Promise<TestWorkflowEnvironment> {
  quietRuntime();
  const path = testServerPath(process.env);
  const options = path === null ? {} : { server: { executable: { type: 'existing-path', path } } as const };
  for (let tries = 1; ; tries += 1) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping(options);
    } catch (error) {
      // The SDK gives it five seconds, in which a Java machine does not start where all processors are taken.
      if (tries === STARTS || !/did not start within/.test(String(error))) throw error;
    }
  }
}
