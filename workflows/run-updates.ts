import type { UpdateDefinition } from '@temporalio/common';
import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import type { AddTasks } from '../core/run-messages.ts';
import { decisionProblem } from '../core/person.ts';
import { canSkip } from '../core/reduce-run.ts';
import type { RunEvent } from '../core/run-events.ts';
import { canRetry, isEnded, type RunState, type TaskProgress } from '../core/run-state.ts';
import * as messages from './messages.ts';

/** What the updates need of their run. */
export interface UpdatedRun {
  state(): RunState;
  /** The digest of what the run is pinned to now. */
  manifest(): string;
  /** Has it closed its books, so that nothing can be added? */
  ending(): boolean;
  apply(event: RunEvent): void;
}

/**
 * What people ask a run for and need an answer to. Each is recorded and answered at once: none waits for locks, or for
 * other people. What does not fit is refused with the reason, and leaves no trace in the run.
 */
export function handleUpdates(run: UpdatedRun): void {
  /** An update of one task, refused when the task is unknown or `problem` has something to say. */
  const onTask = <Payload extends { task: string }>(
    update: UpdateDefinition<string, [Payload]>,
    problem: (task: TaskProgress, payload: Payload) => string | null,
    handle: (payload: Payload) => { event: RunEvent; answer: string },
  ): void => {
    setHandler(
      update,
      (payload: Payload) => {
        const { event, answer } = handle(payload);
        run.apply(event);
        return answer;
      },
      {
        validator: (payload: Payload) => {
          const progress = run.state().tasks[payload.task];
          if (progress === undefined) throw refusal(`the run has no task ${payload.task}`);
          refuse(problem(progress, payload));
        },
      },
    );
  };

  onTask(
    messages.decideTaskUpdate,
    ({ wait }, { task, decision }) => decisionProblem(task, wait, decision),
    ({ task, decision }) => ({
      event: { type: 'decideTask', at: Date.now(), task, decision },
      answer: `${task} is told: ${decision.outcome}`,
    }),
  );
  onTask(
    messages.retryTaskUpdate,
    (progress, { task }) =>
      canRetry(progress) ? null : `${task} is ${progress.status}; only a failed or cancelled task is retried`,
    ({ task, guidance }) => ({
      event: { type: 'retryTask', at: Date.now(), task, guidance },
      answer: `${task} is tried again`,
    }),
  );
  onTask(
    messages.cancelTaskUpdate,
    (progress, { task }) => (isEnded(progress) ? `${task} is ${progress.status} already` : null),
    ({ task }) => ({ event: { type: 'cancelTask', at: Date.now(), task }, answer: `${task} is cancelled` }),
  );
  onTask(
    messages.skipTaskUpdate,
    (progress, { task }) => {
      if (canSkip(progress)) return null;
      return progress.status === 'merged' ? `${task} is merged already` : `${task} is at work; cancel it first`;
    },
    ({ task, satisfied }) => ({
      event: { type: 'skipTask', at: Date.now(), task, satisfied },
      answer: `${task} is skipped`,
    }),
  );
  onTask(
    messages.setTaskUpdate,
    (progress, { task, priority }) => {
      if (!Number.isSafeInteger(priority)) return 'a priority is a whole number';
      return isEnded(progress) ? `${task} is ${progress.status} already` : null;
    },
    ({ task, priority }) => ({
      event: { type: 'setTask', at: Date.now(), task, priority },
      answer: `${task} has priority ${priority}`,
    }),
  );
  setHandler(
    messages.setRunUpdate,
    ({ maxParallel }) => {
      run.apply({ type: 'setRun', at: Date.now(), maxParallel });
      return `at most ${maxParallel} tasks at once`;
    },
    {
      validator: ({ maxParallel }) => {
        refuse(Number.isSafeInteger(maxParallel) && maxParallel > 0 ? null : 'at least one task must be allowed');
      },
    },
  );
  setHandler(
    messages.addTasksUpdate,
    ({ manifest, tasks }) => {
      run.apply({ type: 'addTasks', at: Date.now(), manifest });
      return `${tasks.join(', ')} added`;
    },
    {
      validator: ({ before, tasks }: AddTasks) => {
        refuse(run.ending() ? 'the run is ending; nothing can be added' : null);
        refuse(before === run.manifest() ? null : MOVED);
        const known = new Set(Object.keys(run.state().tasks).map((id) => id.toLowerCase()));
        const taken = tasks.filter((id) => known.has(id.toLowerCase()));
        refuse(taken.length === 0 ? null : `the run has a task ${taken.join(', ')} already`);
      },
    },
  );
}

/** What `addTasks` is refused with when the sender has to read the run's manifest again. */
export const MOVED = 'somebody else added tasks meanwhile';

function refuse(problem: string | null): void {
  if (problem !== null) throw refusal(problem);
}

function refusal(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'Refused', message, nonRetryable: true });
}
