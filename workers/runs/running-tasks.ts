import type { Client } from '@temporalio/client';
import { runWorkflowId } from '../../core/ids.ts';
import type { RunRef } from '../../core/run-ref.ts';

/** Has a run, which may be closed itself, left tasks behind that go on? As far as the server's list knows. */
export async function hasRunningTasks(
  client: Client,
  { project, run }: Pick<RunRef, 'project' | 'run'>,
): Promise<boolean> {
  const tasks = `${runWorkflowId(project, run)}/task/`;
  const { count } = await client.workflow.count(`WorkflowId STARTS_WITH '${tasks}' AND ExecutionStatus = 'Running'`);
  return count > 0;
}
