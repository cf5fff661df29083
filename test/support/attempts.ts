import type { AttemptRef, PreparedAttempt, TaskActivities, TurnResult } from '../../core/activities.ts';
import type { TrainMember } from '../../core/train.ts';
import { NO_USAGE } from '../../core/usage.ts';
import type { ProjectWorld } from './project-world.ts';

type World = Pick<ProjectWorld, 'run' | 'task'>;
type TurnInput = Parameters<TaskActivities['turn']>[0];

/** The execution that the attempts of tests belong to. */
export const EXECUTION = 'x';

/** An attempt with its workspace. */
export interface Prepared {
  attempt: AttemptRef;
  made: PreparedAttempt;
}

/** Makes the workspace of a task's next attempt. */
export async function prepare({ run, task: activity }: World, task: string, attemptsBefore = 0): Promise<Prepared> {
  const made = await activity('prepare', { run, task, execution: EXECUTION, attemptsBefore });
  return { attempt: { run, task, attempt: made.attempt, execution: EXECUTION }, made };
}

/** What the first turn of an attempt is asked, or another one. */
export function turnInput(
  { attempt, made }: { attempt: AttemptRef; made: Pick<PreparedAttempt, 'base'> },
  more: Partial<TurnInput> = {},
): TurnInput {
  const before = { spent: { ...NO_USAGE }, spentMs: 0, allowance: 1 };
  const nothing = { turn: 1, thread: null, evidence: [], extra: [], inputs: {} };
  return { attempt, base: made.base, ...nothing, ...before, ...more };
}

/** Lets the agent of a task take its first turn. */
export async function takeTurn(world: World, task: string): Promise<Prepared & { result: TurnResult }> {
  const prepared = await prepare(world, task);
  return { ...prepared, result: await world.task('turn', turnInput(prepared)) };
}

/** Lets the agent of a task work until it is verified, and gives its member for the train. */
export async function finish(world: World, task: string): Promise<TrainMember> {
  const { attempt, made, result } = await takeTurn(world, task);
  const { base } = made;
  const { commit } = result;
  const { ride } = await world.task('verify', { attempt, base, commit, round: 1, inputs: {} });
  return { run: world.run, task, name: `task-${task}`, attempt: attempt.attempt, commit, base, ride };
}
