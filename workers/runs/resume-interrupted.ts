import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { resumeSignal } from '../../workflows/messages.ts';
import { readHistory } from './decoded-history.ts';
import { foldRun } from './run-history.ts';

/** Lets the runs of a host go on whose agents were ended by a Ctrl+C. @returns their ids */
export async function resumeInterrupted(client: Client, host: string): Promise<string[]> {
  const resumed: string[] = [];
  const query = "WorkflowType = 'run' AND ExecutionStatus = 'Running'";
  // Only the history tells: the status that the list shows follows it after a while.
  for await (const { workflowId } of client.workflow.list({ query })) {
    const handle = client.workflow.getHandle(workflowId);
    try {
      const folded = foldRun(await readHistory(client, workflowId));
      if (folded?.state.paused !== 'interrupted' || folded.input.run.repository.host !== host) continue;
      await handle.signal(resumeSignal);
      resumed.push(folded.input.run.run);
    } catch (error) {
      // It ended just now.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
  return resumed;
}
