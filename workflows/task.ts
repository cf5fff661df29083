import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { AttemptRef, PreparedAttempt, TurnResult } from '../core/activities.ts';
import type { CheckReport } from '../core/checks.ts';
import type { TaskStatus } from '../core/description.ts';
import { checkEvidence, type Evidence } from '../core/evidence.ts';
import { runWorkflowId } from '../core/ids.ts';
import type { AttemptFailure, TaskReport } from '../core/task-report.ts';
import type { TrainResult } from '../core/train.ts';
import { addUsage } from '../core/usage.ts';
import type { TaskInput } from '../core/workflow-inputs.ts';
import { closingActivities, placingActivities, stepActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { signalIfOpen, signalService } from './services.ts';

/** How often the train is asked again for a member that it has not answered; heals a train that was terminated. */
const TRAIN_REMINDER = '2m';

/** How an attempt ended. */
type AttemptEnd = { kind: 'merged'; commit: string } | { kind: 'failed'; evidence: Evidence } | { kind: 'cancelled' };

/**
 * One task: attempts, each from a fresh base, until one is merged or they are used up. Completes with its last report;
 * fails as `TaskFailed` with that report in the details; closes as cancelled after its work was kept.
 */
export async function task(input: TaskInput): Promise<TaskReport> {
  const work = new TaskWork(input, CancellationScope.current());
  return await CancellationScope.nonCancellable(() => work.conduct());
}

class TaskWork {
  readonly #input: TaskInput;
  #held: 'paused' | 'stopped' | null;
  #cancelled = false;
  /** The scope of the step that `stop` and cancellation end. */
  #step: CancellationScope | null = null;
  #status: TaskStatus = 'working';
  #attempt: number;
  #turn = 0;
  #turns: number;
  #usage;
  #seq: number;
  #branch: string | null = null;
  #commit: string | null = null;
  #trainResult: TrainResult | null = null;

  constructor(input: TaskInput, root: CancellationScope) {
    this.#input = input;
    this.#held = input.held ? 'paused' : null;
    this.#attempt = input.attemptsBefore;
    this.#turns = input.turnsBefore;
    this.#usage = input.usageBefore;
    this.#seq = input.seqBefore;
    root.cancelRequested.catch(() => {
      this.#cancelled = true;
      this.#step?.cancel();
    });
    setHandler(messages.phaseQuery, () => ({
      status: this.#status,
      attempt: this.#attempt,
      turn: this.#turn,
      held: this.#held !== null,
    }));
    setHandler(messages.pauseSignal, () => void (this.#held ??= 'paused'));
    setHandler(messages.resumeSignal, () => void (this.#held = null));
    setHandler(messages.stopSignal, () => {
      this.#held = 'stopped';
      this.#step?.cancel();
    });
    setHandler(messages.trainResultSignal, (result) => void (this.#trainResult = result));
  }

  async conduct(): Promise<TaskReport> {
    let evidence: Evidence[] = [];
    for (let left = this.#input.attempts; ; left -= 1) {
      const end = await this.#attemptOnce(evidence);
      if (end.kind === 'merged') return await this.#report('merged', null, null, end.commit);
      if (end.kind === 'cancelled') {
        await this.#report('cancelled', 'cancelled by a person', null, null);
        throw new CancelledFailure('the task was cancelled; its work is kept');
      }
      const { summary, kind } = end.evidence;
      if (left <= 1) {
        const tried = this.#input.attempts === 1 ? '1 attempt' : `${this.#input.attempts} attempts`;
        const report = await this.#report('failed', `${tried} did not succeed; the last: ${summary}`, kind, null);
        throw ApplicationFailure.create({
          type: 'TaskFailed',
          message: summary,
          nonRetryable: true,
          details: [report],
        });
      }
      evidence = [...evidence, end.evidence].slice(-3);
      await this.#report('retrying', summary, kind, null);
    }
  }

  async #attemptOnce(earlier: readonly Evidence[]): Promise<AttemptEnd> {
    if (!(await this.#mayGoOn())) return { kind: 'cancelled' };
    const { run, task: id } = this.#input;
    const execution = workflowInfo().firstExecutionRunId;
    this.#status = 'working';
    this.#turn = 0;
    let prepared: PreparedAttempt;
    try {
      const placing = placingActivities(run.repository, `attempt ${this.#attempt + 1} of ${id}: workspace`);
      prepared = await placing.prepare({ run, task: id, execution, attemptsBefore: this.#attempt });
    } catch (error) {
      this.#attempt += 1;
      return this.#lost('the workspace could not be made', error);
    }
    this.#attempt = prepared.attempt;
    const attempt: AttemptRef = { run, task: id, attempt: prepared.attempt, execution };
    let closed = false;
    try {
      const failed = await this.#turnsOf(attempt, prepared, earlier);
      if (this.#cancelled) return { kind: 'cancelled' };
      if (failed !== null) return { kind: 'failed', evidence: failed };
      const commit = this.#commit ?? prepared.base;
      const report = await this.#verify(attempt, prepared.queue, commit);
      if (report === null) return { kind: 'cancelled' };
      closed = true;
      if (report.failure !== null) {
        return { kind: 'failed', evidence: checkEvidence('failed_check', report.failure, attempt.attempt, commit) };
      }
      return await this.#merge(attempt, prepared.base, commit);
    } catch (error) {
      return this.#cancelled ? { kind: 'cancelled' } : this.#lost('a step could not be carried out', error);
    } finally {
      if (!closed) await this.#close(attempt, prepared);
    }
  }

  /** Agent turns until there is a result to verify. @returns why there is none, or null */
  async #turnsOf(
    attempt: AttemptRef,
    prepared: PreparedAttempt,
    earlier: readonly Evidence[],
  ): Promise<Evidence | null> {
    const { base, queue } = prepared;
    let evidence = [...earlier];
    let thread: string | null = null;
    for (let turn = 1; ; turn += 1) {
      if (!(await this.#mayGoOn())) return null;
      this.#status = 'working';
      this.#turn = turn;
      const steps = stepActivities(queue, `attempt ${attempt.attempt} of ${attempt.task}: agent turn ${turn}`);
      const result: TurnResult | null = await this.#interruptible(() =>
        steps.turn({ attempt, base, turn, thread, evidence, extra: [], spent: this.#usage, allowance: 1, inputs: {} }),
      );
      if (this.#cancelled) {
        this.#commit = result?.commit ?? this.#commit;
        return null;
      }
      this.#turns += 1;
      if (result === null) {
        evidence = [this.#interrupted()];
        continue;
      }
      this.#usage = addUsage(this.#usage, result.usage);
      this.#branch = prepared.branch;
      this.#commit = result.commit;
      thread = result.thread;
      const last = turn >= this.#input.turns;
      if (result.outcome === 'ended') {
        evidence = [this.#interrupted()];
        continue;
      }
      if (result.outcome !== 'finished') {
        const kind = result.outcome === 'limit' ? 'limit' : 'agent_error';
        return this.#evidence(kind, `the agent's turn ${turn} failed`, result.reason ?? result.message);
      }
      if (result.changed === 0) return this.#evidence('no_change', 'the agent changed no file', result.message);
      if (!prepared.hints || last) return null;
      this.#status = 'checking';
      const hinting = stepActivities(queue, `attempt ${attempt.attempt} of ${attempt.task}: lint after turn ${turn}`);
      const commit = result.commit;
      const report = await this.#interruptible(() => hinting.hints({ attempt, commit, turn }));
      if (report === null || report.failure === null) return null;
      evidence = [checkEvidence('failed_check', report.failure, attempt.attempt, commit)];
    }
  }

  /** The verdict; after `stop` it is asked for again on `resume`. @returns null if the task was cancelled */
  async #verify(attempt: AttemptRef, queue: string, commit: string): Promise<CheckReport | null> {
    const steps = stepActivities(queue, `attempt ${attempt.attempt} of ${attempt.task}: doctor`);
    for (let round = 1; await this.#mayGoOn(); round += 1) {
      this.#status = 'checking';
      const report = await this.#interruptible(() => steps.verify({ attempt, commit, round, inputs: {} }));
      if (report !== null) return report;
    }
    return null;
  }

  /** Hands the verified snapshot to the train and waits for its word. Cancellation withdraws it. */
  async #merge(attempt: AttemptRef, base: string, commit: string): Promise<AttemptEnd> {
    if (!(await this.#mayGoOn())) return { kind: 'cancelled' };
    this.#status = 'merging';
    const { run, task: id, name } = this.#input;
    const service = { workflow: 'train', repository: run.repository } as const;
    const member = { run, task: id, name, attempt: attempt.attempt, commit, base };
    const answered = (): boolean => this.#trainResult?.attempt === attempt.attempt;
    let withdrawing = false;
    while (!answered()) {
      if (this.#cancelled) {
        withdrawing = true;
        await signalService(service, messages.withdrawSignal, { run, task: id, attempt: attempt.attempt });
      } else {
        await signalService(service, messages.submitSignal, member);
      }
      await condition(() => answered() || (this.#cancelled && !withdrawing), TRAIN_REMINDER);
    }
    const result = this.#trainResult;
    if (result?.outcome === 'merged') return { kind: 'merged', commit: result.commit };
    if (this.#cancelled || result === null || result.outcome === 'withdrawn') return { kind: 'cancelled' };
    return { kind: 'failed', evidence: result.evidence };
  }

  /** Waits while the run is paused. @returns false if the task was cancelled meanwhile */
  async #mayGoOn(): Promise<boolean> {
    await condition(() => this.#held === null || this.#cancelled);
    return !this.#cancelled;
  }

  /** Carries out a step that `stop` and cancellation end. @returns null if it was ended before it gave a result */
  async #interruptible<T>(step: () => Promise<T>): Promise<T | null> {
    const scope = new CancellationScope();
    this.#step = scope;
    try {
      return await scope.run(step);
    } catch (error) {
      if (isCancellation(error)) return null;
      throw error;
    } finally {
      this.#step = null;
    }
  }

  async #close(attempt: AttemptRef, prepared: PreparedAttempt): Promise<void> {
    try {
      const closing = closingActivities(prepared.queue, `attempt ${attempt.attempt} of ${attempt.task}: clean up`);
      const { commit } = await closing.closeAttempt({ attempt, base: prepared.base });
      this.#commit = commit ?? this.#commit;
    } catch {
      // What is left over is found by the host's janitor; the attempt's end must not hang on it.
    }
  }

  async #report(
    state: TaskReport['state'],
    reason: string | null,
    failure: AttemptFailure | null,
    mergedCommit: string | null,
  ): Promise<TaskReport> {
    this.#seq += 1;
    const { run, task: id } = this.#input;
    const report: TaskReport = {
      task: id,
      attempt: this.#attempt,
      seq: this.#seq,
      state,
      reason,
      failure,
      turns: this.#turns,
      usage: this.#usage,
      branch: this.#branch,
      commit: this.#commit,
      mergedCommit,
    };
    // A run that is gone needs no report; its lock table finds this task's end by itself.
    await signalIfOpen(runWorkflowId(run.project, run.run), messages.reportSignal, report);
    return report;
  }

  #interrupted(): Evidence {
    return this.#evidence('interrupted', 'a person stopped the work; go on where it was', '');
  }

  #lost(summary: string, error: unknown): { kind: 'failed'; evidence: Evidence } {
    const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
    const detail = cause instanceof Error ? cause.message : String(cause);
    return { kind: 'failed', evidence: this.#evidence('lost', `${summary}: ${detail.slice(0, 500)}`, detail) };
  }

  #evidence(kind: AttemptFailure, summary: string, detail: string): Evidence {
    return { kind, summary, detail, attempt: this.#attempt, commit: this.#commit, tried: '', changes: '' };
  }
}
