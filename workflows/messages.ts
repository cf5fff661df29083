import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { RunDescription } from '../core/description.ts';
import type { LocksAnswer, LockTable, SyncRequest } from '../core/locks.ts';
import type { TaskReport } from '../core/task-report.ts';
import type { LandingNews, TrainMember, TrainQueue, TrainResult, Withdrawal } from '../core/train.ts';
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
/** Gives an ended or failed task new attempts. Refused for a task that is merged, or that works. */
export const retryTaskUpdate = defineUpdate<string, [{ task: string }]>('retryTask');
/** Cancels one task of a run; what depends on it is blocked. Refused for a task that has ended. */
export const cancelTaskUpdate = defineUpdate<string, [{ task: string }]>('cancelTask');

// To a run, from its tasks, the lock table and the train.
export const reportSignal = defineSignal<[TaskReport]>('report');
export const locksSignal = defineSignal<[LocksAnswer]>('locks');
/** The lock table is new and asks for the run's snapshot. */
export const resyncSignal = defineSignal('resync');
export const landingSignal = defineSignal<[LandingNews]>('landing');

// To a task. It takes `pause`, `resume` and `stop` too, from its run.
export const phaseQuery = defineQuery<TaskPhase>('phase');
export const trainResultSignal = defineSignal<[TrainResult]>('trainResult');

// To the lock table of a repository.
export const syncSignal = defineSignal<[SyncRequest]>('sync');
export const lockTableQuery = defineQuery<LockTable>('table');

// To the train into a branch.
export const submitSignal = defineSignal<[TrainMember]>('submit');
export const withdrawSignal = defineSignal<[Withdrawal]>('withdraw');
export const queueQuery = defineQuery<TrainQueue>('queue');
