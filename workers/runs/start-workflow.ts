import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { SignalboxError } from '../../core/failures.ts';
import { runWorkflowId } from '../../core/ids.ts';
import { attributeKey, STATUS_ATTRIBUTE, WAITING_ATTRIBUTE } from '../../core/search-attributes.ts';
import { packRun } from '../../core/packed-run.ts';
import type { RunState } from '../../core/run-state.ts';
import type { RunInput } from '../../core/workflow-inputs.ts';
import type { run as runWorkflow } from '../../workflows/index.ts';
import { sharedQueueOf } from '../server/namespace.ts';
import type { Session } from '../session.ts';

/** The server's limit for a summary, in bytes; longer ones are cut. */
const SUMMARY_LIMIT = 400;

/** What {@link startRunWorkflow} starts. */
export interface RunStart {
  input: RunInput;
  /** What an earlier execution left; `null` for a run that begins. */
  state: RunState | null;
  /** How many tasks there are. */
  tasks: number;
  /** Markdown for the Web UI, or `null` for none. */
  details: string | null;
  /** Start the next execution of a run that ended without success, instead of a new run. */
  next: boolean;
}

/**
 * Starts a run's workflow with all that makes it readable in the Web UI.
 *
 * @throws SignalboxError `usage` if the run id is taken
 */
export async function startRunWorkflow(session: Session, start: RunStart): Promise<void> {
  const { input, state, tasks, details, next } = start;
  const { run, baseCommit } = input;
  const { project, repository } = run;
  const attributes = (await session.hasSearchAttributes())
    ? {
        typedSearchAttributes: [
          { key: attributeKey('SignalboxProject'), value: project },
          { key: attributeKey('SignalboxRepository'), value: repository.id },
          { key: attributeKey('SignalboxRun'), value: run.run },
          { key: STATUS_ATTRIBUTE, value: 'running' },
          { key: WAITING_ATTRIBUTE, value: 'nobody' },
        ],
      }
    : {};
  try {
    await session.client.workflow.start<typeof runWorkflow>('run', {
      workflowId: runWorkflowId(project, run.run),
      taskQueue: await sharedQueueOf(session.client),
      args: state === null ? [input] : packRun(input, state),
      workflowIdReusePolicy: next ? 'ALLOW_DUPLICATE_FAILED_ONLY' : 'REJECT_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
      memo: {
        project,
        run: run.run,
        repository: repository.id,
        repository_path: repository.path,
        branch: repository.branch,
        base_commit: baseCommit,
        manifest: run.manifest,
        tasks,
      },
      staticSummary: cut(
        `${project} · ${run.run} · ${tasks} task${tasks === 1 ? '' : 's'} → ${repository.branch}`,
        SUMMARY_LIMIT,
      ),
      ...(details === null ? {} : { staticDetails: details }),
      ...attributes,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    if (next) throw new SignalboxError('refused', `run ${run.run} was started again by somebody else just now`);
    throw runIdTaken(run.run);
  }
}

/** The failure for a run id that was used before. */
export function runIdTaken(run: string): SignalboxError {
  return new SignalboxError('usage', `there is a run ${run} already`, {
    hint: `Choose another --run-id, or see "signalbox run describe ${run}".`,
  });
}

/** The beginning of a text, at most so many UTF-8 bytes long. */
export function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const mark = '…';
  let kept = Buffer.from(text)
    .subarray(0, bytes - Buffer.byteLength(mark))
    .toString('utf8');
  // A character that was cut in half decodes as a replacement.
  kept = kept.replace(/\ufffd+$/, '');
  return kept + mark;
}
