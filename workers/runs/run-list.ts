import type { Client } from '@temporalio/client';
import type { RunStatus } from '../../core/description.ts';
import { runWorkflowId } from '../../core/ids.ts';
import { STATUS_ATTRIBUTE } from '../../core/search-attributes.ts';

/** A run in a list. Times are ISO 8601. */
export interface RunListItem {
  run_id: string;
  workflow_id: string;
  status: RunStatus;
  started_at: string;
  ended_at: string | null;
  integration_branch: string | null;
  /** How many tasks it was started with. */
  tasks: number | null;
}

/** Executions looked at, at most; older ones are not listed. */
const MOST = 2000;

/** The runs of a project, the newest first. Needs no search attributes and no worker. */
export async function listRuns(client: Client, project: string): Promise<RunListItem[]> {
  const prefix = runWorkflowId(project, '');
  const query = `WorkflowType = 'run' AND WorkflowId STARTS_WITH '${prefix}'`;
  const runs = new Map<string, RunListItem>();
  let seen = 0;
  for await (const execution of client.workflow.list({ query })) {
    // A run that continued as new, or was retried after its end, is several executions; the newest one comes first.
    const known = runs.get(execution.workflowId);
    const started_at = execution.startTime.toISOString();
    if (known === undefined) {
      const { branch, tasks } = execution.memo ?? {};
      const status = execution.typedSearchAttributes.get(STATUS_ATTRIBUTE);
      runs.set(execution.workflowId, {
        run_id: execution.workflowId.slice(prefix.length),
        workflow_id: execution.workflowId,
        status: statusOfExecution(execution.status.name, status),
        started_at,
        ended_at: execution.closeTime?.toISOString() ?? null,
        integration_branch: typeof branch === 'string' ? branch : null,
        tasks: typeof tasks === 'number' ? tasks : null,
      });
    } else if (started_at < known.started_at) {
      known.started_at = started_at;
    }
    seen += 1;
    if (seen >= MOST) break;
  }
  return [...runs.values()].sort((a, b) => (a.started_at < b.started_at ? 1 : -1));
}

function statusOfExecution(execution: string, attribute: unknown): RunStatus {
  switch (execution) {
    case 'COMPLETED':
      return 'completed';
    case 'FAILED':
    case 'TIMED_OUT':
      return 'failed';
    case 'CANCELLED':
    case 'TERMINATED':
      return 'cancelled';
    default:
      return attribute === 'paused' || attribute === 'waiting' ? attribute : 'running';
  }
}
