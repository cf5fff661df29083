import { isCancellation } from '@temporalio/workflow';
import type { PreparedAttempt } from '../core/activities.ts';
import type { PushAnswer } from '../core/remote.ts';
import { remoteActivities } from './activity-proxies.ts';
import type { TaskContext } from './task-context.ts';

type Remote = PreparedAttempt['remote'];

/**
 * Sends a task's verified work to its branch on the remote, where the project wants branches there. It never fails: what the
 * remote says against it is a warning of the task's.
 */
export async function pushTaskBranch(context: TaskContext, remote: Remote, commit: string): Promise<void> {
  if (remote?.push !== 'branch') return;
  const { run, task } = context.input;
  const pushing = remoteActivities(run.repository, `push the branch of ${task}`);
  await warned(context, 'its branch', () => pushing.pushTask({ run, task, commit }));
}

/** The same for the integration branch, after the task's work was accepted. */
export async function pushIntegrationBranch(context: TaskContext, remote: Remote): Promise<void> {
  if (remote?.push !== 'branch' || !remote.integration) return;
  const { run } = context.input;
  const { branch } = run.repository;
  const pushing = remoteActivities(run.repository, `push ${branch}`);
  await warned(context, branch, () => pushing.pushIntegration({ run }));
}

async function warned(context: TaskContext, what: string, push: () => Promise<PushAnswer>): Promise<void> {
  try {
    const answer = await push();
    if (answer.outcome !== 'refused') return;
    const mend = answer.hint === null ? '' : `. ${answer.hint}`;
    context.warn(`${what} was not pushed: ${answer.reason}${mend}`.slice(0, 500));
  } catch (error) {
    if (isCancellation(error)) return;
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    context.warn(`${what} was not pushed: ${cause instanceof Error ? cause.message : String(cause)}`.slice(0, 500));
  }
}
