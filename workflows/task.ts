import { ApplicationFailure, CancellationScope, CancelledFailure } from '@temporalio/workflow';
import { backoff } from '../core/agent-errors.ts';
import type { Evidence } from '../core/evidence.ts';
import type { TaskReport } from '../core/task-report.ts';
import type { TaskInput } from '../core/workflow-inputs.ts';
import { TaskAttempt } from './task-attempt.ts';
import { TaskContext } from './task-context.ts';

/** Earlier attempts that the next one is told of. */
const REMEMBERED = 6;

/** How often an attempt that lost its locks to others does not count. */
const FREE_RESTARTS = 3;

/**
 * One task: attempts, each from a fresh base, until one is merged or they are used up. Completes with its last report;
 * fails as `TaskFailed` with that report in the details; closes as cancelled after its work was kept.
 */
export async function task(input: TaskInput): Promise<TaskReport> {
  const context = new TaskContext(input, CancellationScope.current());
  return await CancellationScope.nonCancellable(() => conduct(context));
}

async function conduct(context: TaskContext): Promise<TaskReport> {
  const { attempts, failed, guidance } = context.input;
  const said = guidance.map((text) => context.evidence('guidance', 'a person says', text));
  let evidence = failed === null ? said : [failed, ...said];
  let left = attempts;
  let restarts = 0;
  let lost = 0;
  for (;;) {
    const end = await new TaskAttempt(context, evidence).carryOut();
    if (end.kind === 'merged') return await context.report({ state: 'merged', mergedCommit: end.commit });
    if (end.kind === 'cancelled') {
      await context.report({ state: 'cancelled', reason: 'cancelled by a person' });
      throw new CancelledFailure('the task was cancelled; its work is kept');
    }
    const { summary, kind } = end.evidence;
    if (end.kind === 'given_up') return await fail(context, end.evidence, summary);
    if (kind === 'locks' && restarts < FREE_RESTARTS) restarts += 1;
    // A person who asks for another attempt gets it.
    else if (kind !== 'guidance') left -= 1;
    if (left < 1) {
      const tried = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
      return await fail(context, end.evidence, `${tried} did not succeed; the last: ${summary}`);
    }
    // The last one is told in full, those before in a few lines.
    evidence = [...evidence.map((earlier) => ({ ...earlier, ...shortened(earlier) })), end.evidence].slice(-REMEMBERED);
    await context.report({ state: 'retrying', reason: summary, failure: kind });
    lost = kind === 'lost' ? lost + 1 : 0;
    if (lost > 0) await context.wait(backoff(lost, Math.random()));
  }
}

function shortened({ kind, detail }: Evidence): Partial<Evidence> {
  return kind === 'guidance' || kind === 'answer' ? { detail } : { detail: '', changes: '' };
}

async function fail(context: TaskContext, { kind, summary }: Evidence, reason: string): Promise<never> {
  const report = await context.report({ state: 'failed', reason, failure: kind });
  throw ApplicationFailure.create({ type: 'TaskFailed', message: summary, nonRetryable: true, details: [report] });
}
