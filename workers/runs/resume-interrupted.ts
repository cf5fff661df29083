import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { STATUS_ATTRIBUTE } from '../../core/search-attributes.ts';
import { resumeSignal } from '../../workflows/messages.ts';
import { foldRun } from './run-history.ts';

/** Lets the runs of a host go on whose agents were ended by a Ctrl+C. @returns their ids */
export async function resumeInterrupted(client: Client, host: string): Promise<string[]> {
  const resumed: string[] = [];
  const query = "WorkflowType = 'run' AND ExecutionStatus = 'Running'";
  for await (const { workflowId, typedSearchAttributes } of client.workflow.list({ query })) {
    // Without search attributes, only the history tells.
    if ((typedSearchAttributes.get(STATUS_ATTRIBUTE) ?? 'paused') !== 'paused') continue;
    const handle = client.workflow.getHandle(workflowId);
    try {
      const folded = foldRun((await handle.fetchHistory()).events ?? []);
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
