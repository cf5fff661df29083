import type { CheckFailure, CheckReport } from './checks.ts';
import type { AgentErrorClass } from './agent-errors.ts';
import type { Evidence } from './evidence.ts';
import type { InputValue, PersonWait } from './person.ts';
import type { TaskView } from './run-state.ts';
import type { RepositoryRef, RunRef } from './run-ref.ts';
import type { PackedMembers } from './packed-train.ts';
import type { MergedPrefixes } from './train-checks.ts';
import type { Candidate } from './train-lane.ts';
import type { LandingNews, Ride, TrainMember } from './train.ts';
import type { Usage } from './usage.ts';

/** One attempt at a task. */
export interface AttemptRef {
  run: RunRef;
  task: string;
  attempt: number;
  /** The first execution run id of the task's workflow: who may attach to the attempt's steps. */
  execution: string;
}

/** An attempt whose workspace stands. */
export interface PreparedAttempt {
  attempt: number;
  /** The tip that it started from. */
  base: string;
  /** The branch of its result in the bare repository. */
  branch: string;
  /** The task queue of the host that holds the workspace; the rest of the attempt runs there. */
  queue: string;
  /** The queue of that host for agents' turns. */
  agents: string;
  /** Are there checks whose failure the agent may mend within the attempt? */
  hints: boolean;
  /** What is done about writes outside of what the task declared. */
  scope: 'off' | 'warn' | 'block';
  /** Where results go besides the user's branch; absent where they go nowhere else. */
  remote?: { push: 'branch' | 'pull_request'; integration: boolean };
}

/** What an agent's turn came to. Its whole work tree is kept in `commit`. */
export interface TurnResult {
  /** `limit`: a bound of `limits` was hit under `block`; `ended`: somebody ended it. */
  outcome: 'finished' | 'failed' | 'limit' | 'ended';
  /** Why it did not finish: one sentence, with the head and tail of what was said. */
  reason: string | null;
  /** For `failed`: what kind of error it was; decides whether, and when, it is tried again. */
  error: AgentErrorClass | null;
  /** The agent's thread, to be resumed by the next turn. */
  thread: string | null;
  /** The agent's last message, bounded. */
  message: string;
  usage: Usage;
  /** How long the agent worked, milliseconds. */
  durationMs: number;
  commit: string;
  /** How many paths differ from the base; 0 means no work. */
  changed: number;
  /** What the work changed, as `git diff --stat` tells it, bounded. */
  changes: string;
  /** Globs, few, of what was written outside of the task's claims. */
  undeclared: string[];
  /** What a person should know of what was changed, see `sensitiveChanges`; absent where there is nothing. */
  findings?: string[];
  /** What the agent asks a person, bounded; `null` if it asks nothing. */
  question: string | null;
  /** Bounds that were hit and did not end the turn, one sentence each. */
  warnings: string[];
}

/** Activities of tasks. Each may run twice: what it did the first time is found again. */
export interface TaskActivities {
  /** Takes the next attempt number above all that the repository knows, and makes the workspace at the current tip. */
  prepare(input: { run: RunRef; task: string; execution: string; attemptsBefore: number }): Promise<PreparedAttempt>;
  /** One prompt and all that the agent does until it yields. Cancelling it ends the agent and keeps its work. */
  turn(input: {
    attempt: AttemptRef;
    base: string;
    turn: number;
    thread: string | null;
    evidence: Evidence[];
    /** Globs that the task may write besides those that it declared. */
    extra: string[];
    /** What the task used before this turn. */
    spent: Usage;
    /** How long the agent worked on the task before this turn, milliseconds: the sum of `durationMs`. */
    spentMs: number;
    /** How often its limits count: one, and one more for each time that a person let it go on. */
    allowance: number;
    inputs: Record<string, InputValue>;
  }): Promise<TurnResult>;
  /** Checks of the work so far, whose failure the agent may still mend in this attempt. */
  hints(input: {
    attempt: AttemptRef;
    commit: string;
    turn: number;
    inputs: Record<string, InputValue>;
  }): Promise<CheckReport>;
  /**
   * The verdict on a snapshot, on a fresh checkout, and how it is to be checked when it is merged; afterwards the
   * attempt's workspace is gone. `round` grows when a person stopped the verdict before.
   */
  verify(input: {
    attempt: AttemptRef;
    base: string;
    commit: string;
    round: number;
    inputs: Record<string, InputValue>;
  }): Promise<CheckReport & { ride: Ride }>;
  /** Which paths that one of the globs matches differ between a base and the tip of today; at most some. */
  changedSince(input: { run: RunRef; base: string; globs: string[] }): Promise<string[]>;
  /** Ends what still runs for an attempt, keeps its work in its ref, and removes its workspace. */
  closeAttempt(input: { attempt: AttemptRef; base: string }): Promise<{ commit: string | null }>;
}

/** Finished tasks to be merged onto the accepted tip, in this order; none: only what the user committed meanwhile. */
export interface CandidatesRequest {
  repository: RepositoryRef;
  /** Whose configuration says by whom the user's commits are joined, if they must be. */
  run: RunRef;
  members: PackedMembers;
  /** The prefixes of them that are to be checked, by the ids of their checks. */
  prefixes: { id: number; size: number }[];
}

/** Trees that could become the accepted tip, not checked yet. */
export type CandidatesResult =
  | ({ kind: 'merged' } & MergedPrefixes)
  /** The user's new commits conflict with accepted work that has not landed yet: nobody's work can be merged. */
  | { kind: 'conflict'; tip: string; reason: string; detail: string };

/** A green candidate to be accepted. */
export interface AcceptRequest {
  repository: RepositoryRef;
  members: PackedMembers;
  candidate: Candidate;
  lane: string | null;
  /** What to merge onto it as soon as it is accepted. */
  next: Omit<CandidatesRequest, 'repository'> | null;
}

/** What came of it. */
export type AcceptResult =
  | {
      outcome: 'accepted';
      commit: string;
      /** The tip that it replaced; where others' commits came in with it, what the members were merged onto. */
      base: string;
      /** Each member's own merge, by its key, where they were merged anew. */
      commits: Record<string, string>;
      /** What was asked for with it; `null` where it went wrong, which says nothing of the acceptance. */
      next: CandidatesResult | null;
    }
  | { outcome: 'moved' };

/** A check of one commit by the train. */
export interface TrainCheck {
  /** Whose pinned configuration says what is checked; `task: null`: any task's of the run. */
  run: RunRef;
  task: string | null;
  attempt: number;
  lane: string | null;
  commit: string;
  /** The train's execution and epoch: a red verdict counts only within it. */
  session: string;
}

/** Activities of the train. They run on the repository's home host. */
export interface TrainActivities {
  /** Merges members onto the accepted tip, with what the user committed meanwhile. The same members give the same commits. */
  candidates(input: CandidatesRequest): Promise<CandidatesResult>;
  /** Runs the integration checks on exactly the commit's tree, unless they are known to have passed, or failed, on it. */
  check(input: TrainCheck): Promise<CheckReport>;
  /** Runs the integration checks on an accepted tip, whatever is known of it. @param input.id tells repetitions apart */
  checkTip(input: TrainCheck & { id: number }): Promise<CheckReport>;
  /** Do the integration checks fail with the canary's variable set? Known from before for the same definition of checks. */
  canary(input: TrainCheck): Promise<{ proven: boolean }>;
  /**
   * Finds out whether a member that is red on the tip is red also by itself, and says what its task is to be told.
   *
   * @param input.commit the tip with this member, which was red
   */
  blame(input: { member: TrainMember; commit: string; failure: CheckFailure; session: string }): Promise<Evidence>;
  /**
   * Accepts a green candidate by a compare-and-swap. `moved`: the tip, or the user's branch, is another by now, and the
   * candidate must be made anew. Succeeds too when the tip already contains it. In a lane, it is enough that nothing but
   * other lanes' paths has moved: the members are then merged onto the new tip.
   */
  accept(input: AcceptRequest): Promise<AcceptResult>;
  /** Brings the accepted tip to the user's branch; what stands against it is news, no failure. */
  land(input: { repository: RepositoryRef }): Promise<LandingNews>;
}

/** A workflow to start if its signal finds nobody: the train and the lock table live only while they are needed. */
export interface ServiceStart {
  workflow: 'repository' | 'train';
  repository: RepositoryRef;
}

/** Activities of runs and of the lock table: what a workflow cannot ask the server itself. */
export interface RunActivities {
  /** A part of the run's tasks, as the scheduler needs them; small enough for a payload. */
  loadTasks(input: { run: RunRef; from: number }): Promise<{ tasks: TaskView[]; next: number | null }>;
  /** Tells the person's hook, if the worker has one, that a task waits. */
  notify(input: { run: RunRef; task: string; name: string; wait: PersonWait }): Promise<void>;
  /** Sends a signal, and starts the workflow if it does not run. */
  signalWithStart(input: { start: ServiceStart; signal: string; payload: unknown }): Promise<void>;
  /** Waits until one of the workflows is closed; returns all that are. For children that a continued run inherited. */
  watch(input: { workflowIds: string[] }): Promise<{ workflowId: string; status: string; result: unknown }[]>;
  /** Workflow ids of the runs that are open on a repository. */
  openRuns(input: { repository: string }): Promise<string[]>;
  /** Which of these runs are closed, and how: `terminated`, `timed out`, `deleted` and so on. */
  closedRuns(input: { runs: string[] }): Promise<{ run: string; how: string }[]>;
  /** Cancels the tasks of a closed run, and waits until they have ended. False if the run is open again. */
  endTasks(input: { run: string }): Promise<boolean>;
  /** Ends what a run's former execution left, and waits for it. Only before the run has started tasks itself. */
  endFormerTasks(input: { run: string }): Promise<void>;
}
