import type { Decision } from '../core/person.ts';
import type { WaitingTask } from '../core/waiting.ts';
import type { Outcome } from './framework/command.ts';
import { optionalArgument, text } from './framework/options.ts';

/** The run of a command about a task. */
export const RUN_OPTION = text('--run <run>', "the run's id; by default the project's newest");

/** The task that a person's word is for. */
export const TASK_ARGUMENT = optionalArgument('task', "the task's id; may be left out where only one could be meant");

/** What a command came to that told a task a person's word. @param how what the task is now, to end a sentence with */
export function decidedOutcome(
  run: string,
  { task_id, kind, id }: WaitingTask,
  outcome: Decision['outcome'],
  how: string,
): Outcome {
  const message = `${task_id} of run ${run} ${how}; "signalbox run watch ${run}" shows it`;
  return { result: { run_id: run, task_id, kind, wait: id, outcome, message }, text: message };
}
