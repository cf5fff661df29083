import { existsSync } from 'node:fs';
import path from 'node:path';
import { BareRepository } from '../../activities/git/bare-repository.ts';
import { workspaceAt } from '../../activities/git/workspace.ts';
import type { TaskDescription } from '../../core/description.ts';
import { attemptRef, taskWorkflowId } from '../../core/ids.ts';
import type { RunRef } from '../../core/run-ref.ts';
import type { Session } from '../session.ts';
import { attemptOutcomes, taskHistories, type AttemptOutcome } from './attempt-outcomes.ts';
import { stepLogs, type StepLog } from './step-logs.ts';
import { noSuchTask } from './unknown.ts';

/** One attempt at a task, as far as this host knows of it. */
export interface AttemptDetails {
  attempt: number;
  /** The ref in `git_dir` that keeps what the agent wrote; `null` if there is none, or if it was cleaned up. */
  ref: string | null;
  /** Its newest snapshot. */
  commit: string | null;
  /** The work tree, while it is there. */
  workspace: string | null;
  /** How it ended; `null` while it goes on, and where nobody knows. */
  outcome: AttemptOutcome['outcome'] | null;
  reason: string | null;
  ended_at: string | null;
  steps: Pick<StepLog, 'step' | 'kind' | 'directory' | 'ended' | 'exitStatus' | 'lost'>[];
}

/** A task with what its run's description does not hold. */
export interface TaskDetails extends TaskDescription {
  run_id: string;
  task_id: string;
  workflow_id: string;
  web_ui: string | null;
  /** Signalbox's own repository, which holds the refs. */
  git_dir: string;
  history: AttemptDetails[];
}

/** @throws SignalboxError `not_found` with the nearest run or task */
export async function describeTask(session: Session, run: string, task: string): Promise<TaskDetails> {
  const { project, home } = session;
  const description = await session.reader.read(project.id, run);
  const found = description.tasks[task];
  if (found === undefined) throw noSuchTask(run, task, Object.keys(description.tasks));
  const { input } = await session.reader.fold(project.id, run);
  const gitDir = path.join(home.repositories, `${input.run.repository.id}.git`);
  const workflowId = taskWorkflowId(project.id, run, task);
  return {
    ...found,
    run_id: run,
    task_id: task,
    workflow_id: workflowId,
    web_ui: session.webUi(workflowId),
    git_dir: gitDir,
    history: await attemptsOf(session, input.run, found, task, gitDir),
  };
}

async function attemptsOf(
  session: Session,
  run: RunRef,
  description: TaskDescription,
  task: string,
  gitDir: string,
): Promise<AttemptDetails[]> {
  const { home } = session;
  const workflowId = taskWorkflowId(run.project, run.run, task);
  const outcomes = attemptOutcomes(await taskHistories(session.client, workflowId));
  const steps = stepLogs(home, { project: run.project, run: run.run, task });
  const prefix = attemptRef(run.run, task, 0).replace(/0$/, '');
  const refs = existsSync(gitDir) ? (await BareRepository.open(gitDir)).listRefs(prefix) : new Map<string, string>();
  const numbers = [
    ...steps.map((step) => step.attempt),
    ...[...refs.keys()].map((ref) => Number(ref.slice(prefix.length))).filter(Number.isInteger),
    ...outcomes.map((outcome) => outcome.attempt),
  ];
  const newest = Math.max(...numbers);
  return [...new Set(numbers)]
    .sort((a, b) => a - b)
    .map((attempt) => {
      const ref = attemptRef(run.run, task, attempt);
      const told = outcomes.find((outcome) => outcome.attempt === attempt);
      const end = told ?? (attempt === newest ? endOf(description) : null);
      const directory = path.join(home.workspaces, run.repository.id, run.project, run.run, task, String(attempt));
      const { tree } = workspaceAt(directory);
      return {
        attempt,
        ref: refs.has(ref) ? ref : null,
        commit: refs.get(ref) ?? end?.commit ?? null,
        outcome: end?.outcome ?? null,
        reason: end?.reason ?? null,
        ended_at: end?.ended_at ?? null,
        workspace: existsSync(tree) ? tree : null,
        steps: steps
          .filter((step) => step.attempt === attempt)
          .map(({ step, kind, directory: record, ended, exitStatus, lost }) => ({
            step,
            kind,
            directory: record,
            ended,
            exitStatus,
            lost,
          })),
      };
    });
}

/** The end of a task that could not tell it itself, because its workflow was terminated. */
function endOf({ status, reason, commit, ended_at }: TaskDescription): Omit<AttemptOutcome, 'attempt'> | null {
  if ((status !== 'failed' && status !== 'cancelled') || ended_at === null) return null;
  return { outcome: status, reason, commit, ended_at };
}
