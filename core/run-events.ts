import type { LocksAnswer } from './locks.ts';
import type { Decision } from './person.ts';
import type { RequestNews } from './pull-request.ts';
import type { ArtefactRef } from './run-ref.ts';
import type { TaskView } from './run-state.ts';
import type { TaskReport } from './task-report.ts';
import type { LandingNews, TrainHalt } from './train.ts';

/** What can happen to a run. `at` is in milliseconds since the epoch. */
export type RunEvent = { at: number } & (
  | { type: 'loaded'; tasks: TaskView[]; last: boolean }
  | { type: 'pause' }
  | { type: 'stop' }
  | { type: 'interrupt' }
  | { type: 'resume' }
  | { type: 'cancel' }
  /** Time has passed: what was to happen by then happens. */
  | { type: 'tick' }
  | { type: 'synced'; seq: number }
  | { type: 'locks'; answer: LocksAnswer }
  | { type: 'started'; task: string }
  /** A task's workflow was told the news for its report of that number. */
  | { type: 'told'; task: string; report: number }
  | { type: 'report'; report: TaskReport }
  | { type: 'closed'; task: string; how: string; report: TaskReport | null }
  | { type: 'landing'; news: LandingNews }
  | { type: 'halted'; halt: TrainHalt | null }
  | { type: 'request'; news: RequestNews }
  | { type: 'decideTask'; task: string; decision: Decision }
  | { type: 'retryTask'; task: string; guidance: string | null }
  | { type: 'cancelTask'; task: string }
  | { type: 'skipTask'; task: string; satisfied: boolean }
  | { type: 'setTask'; task: string; priority: number }
  | { type: 'setRun'; maxParallel: number }
  | { type: 'addTasks'; manifest: ArtefactRef }
);
