import { TestWorkflowEnvironment } from '@temporalio/testing';

import { quietRuntime } from './quiet-runtime.ts';
import { testServerPath } from './test-server.ts';

/**
 * A Temporal server of its own in which timers pass at once whenever nothing else is to do. Up in about two seconds: make
 * one for a test file, and `teardown()` it at the end.
 */
export async function createTimeSkippingEnvironment(): Promise<TestWorkflowEnvironment> {
  quietRuntime();
  const path = testServerPath(process.env);
  return await TestWorkflowEnvironment.createTimeSkipping(
    path === null ? {} : { server: { executable: { type: 'existing-path', path } } },
  );
}
