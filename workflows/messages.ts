import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { RunDescription } from '../core/description.ts';
import type { LocksAnswer, LockTable, SyncRequest } from '../core/locks.ts';
import type {
  AddTasks,
  CancelTask,
  DecideTask,
  RetryTask,
  SetRun,
  SetTask,
  SkipTask,
  ToldDecision,
  ToldGrowth,
} from '../core/run-messages.ts';
import type { RequestNews } from '../core/pull-request.ts';
import type { TaskReport } from '../core/task-report.ts';
import type { TrainQueue } from '../core/train-queue.ts';
import type { LandingNews, MemberId, TrainHalt, TrainMember, TrainResult } from '../core/train.ts';
import type { TaskPhase } from '../core/task-phase.ts';

// To a run, from people. They carry no arguments, so that `temporal workflow signal --name pause` works as well.
/** Starts nothing new; running steps end by themselves. */
export const pauseSignal = defineSignal('pause');
/** Goes on after `pause`, `stop` or `interrupt`. */
export const resumeSignal = defineSignal('resume');
/** Like `pause`, and ends the running steps at once, keeping their work. */
export const stopSignal = defineSignal('stop');
/** Like `stop`, by a Ctrl+C: `run watch` and `worker start` undo it as well as `resume`. */
export const interruptSignal = defineSignal('interrupt');
/** The whole run, as `run describe` prints it. */
export const statusQuery = defineQuery<RunDescription>('status');
/** What a person said to a task that waits. Refused if it does not wait, or waits for something else by now. */
export const decideTaskUpdate = defineUpdate<string, [DecideTask]>('decideTask');
/** Gives a failed or cancelled task new attempts. Refused for others. */
export const retryTaskUpdate = defineUpdate<string, [RetryTask]>('retryTask');
/** Cancels one task of a run; what depends on it is blocked. Refused for a task that has ended. */
export const cancelTaskUpdate = defineUpdate<string, [CancelTask]>('cancelTask');
/** Takes a task out of a run. Refused for one that works or is merged. */
export const skipTaskUpdate = defineUpdate<string, [SkipTask]>('skipTask');
/** Changes what a task was started with. */
export const setTaskUpdate = defineUpdate<string, [SetTask]>('setTask');
/** Changes a run's limits. */
export const setRunUpdate = defineUpdate<string, [SetRun]>('setRun');
/** Adds tasks: the run is pinned to a longer manifest. Refused if somebody else added some meanwhile. */
export const addTasksUpdate = defineUpdate<string, [AddTasks]>('addTasks');

// To a run, from its tasks, the lock table and the train.
export const reportSignal = defineSignal<[TaskReport]>('report');
export const locksSignal = defineSignal<[LocksAnswer]>('locks');
/** The lock table is new and asks for the run's snapshot. */
export const resyncSignal = defineSignal('resync');
export const landingSignal = defineSignal<[LandingNews]>('landing');
/** The train stands and waits for a person, or (`null`) goes on. */
export const haltedSignal = defineSignal<[TrainHalt | null]>('halted');
/** What a task's pull request waits for. */
export const requestSignal = defineSignal<[RequestNews]>('request');

// To a task. It takes `pause`, `resume` and `stop` too, from its run.
export const phaseQuery = defineQuery<TaskPhase>('phase');
/** What a person said to a task that waits, from its run. */
export const decisionSignal = defineSignal<[ToldDecision]>('decision');
/** Whether a task may write what it asked for, from its run. */
export const growthSignal = defineSignal<[ToldGrowth]>('growth');
export const trainResultSignal = defineSignal<[TrainResult]>('trainResult');

// To the lock table of a repository.
export const syncSignal = defineSignal<[SyncRequest]>('sync');
export const lockTableQuery = defineQuery<LockTable>('table');

// To the train into a branch. It takes `resume` too, from a run: a person says that it may go on after a halt.
export const submitSignal = defineSignal<[TrainMember]>('submit');
export const withdrawSignal = defineSignal<[MemberId]>('withdraw');
export const queueQuery = defineQuery<TrainQueue>('queue');
