import { CancellationScope, condition, isCancellation, setHandler } from '@temporalio/workflow';
import type { TurnResult } from '../core/activities.ts';
import type { TaskStatus } from '../core/description.ts';
import type { Evidence } from '../core/evidence.ts';
import { runWorkflowId } from '../core/ids.ts';
import type { WaitKind } from '../core/person.ts';
import type { ToldDecision, ToldGrowth } from '../core/run-messages.ts';
import type { AttemptFailure, TaskReport } from '../core/task-report.ts';
import type { TrainResult } from '../core/train.ts';
import { addUsage, NO_USAGE, type Usage } from '../core/usage.ts';
import type { TaskInput } from '../core/workflow-inputs.ts';
import * as messages from './messages.ts';
import { signalIfOpen } from './services.ts';

/** Characters kept of what an agent said it had done. */
const TRIED = 600;
const MOST_WARNINGS = 5;

/** A task's workflow in conversation: what it was told, what it tells its run, and the counts of all its attempts. */
export class TaskContext {
  readonly input: TaskInput;
  status: TaskStatus = 'working';
  attempt: number;
  /** Of the current attempt. */
  turn = 0;
  branch: string | null = null;
  /** The newest snapshot. */
  commit: string | null = null;
  /** How often its limits count: a person who lets a stopped task go on gives it as much again. */
  allowance = 1;
  readonly extra: string[];
  trainResult: TrainResult | null = null;
  #held: 'paused' | 'stopped' | null;
  #cancelled = false;
  /** The scope of the step that `stop` and cancellation end. */
  #step: CancellationScope | null = null;
  #turns: number;
  /** Of this execution; what earlier ones used was a person's business when they asked for more. */
  #spent: Usage = { ...NO_USAGE };
  #spentMs = 0;
  #seq: number;
  #decision: ToldDecision | null = null;
  #growth: ToldGrowth | null = null;
  #tried = '';
  #changes = '';
  #warnings: string[] = [];
  #findings: string[] = [];

  constructor(input: TaskInput, root: CancellationScope) {
    this.input = input;
    this.attempt = input.attemptsBefore;
    this.extra = [...input.extra];
    this.#held = input.held ? 'paused' : null;
    this.#turns = input.turnsBefore;
    this.#seq = input.seqBefore;
    root.cancelRequested.catch(() => {
      this.#cancelled = true;
      this.#step?.cancel();
    });
    setHandler(messages.phaseQuery, () => ({
      status: this.status,
      attempt: this.attempt,
      turn: this.turn,
      held: this.#held !== null,
    }));
    setHandler(messages.pauseSignal, () => void (this.#held ??= 'paused'));
    setHandler(messages.resumeSignal, () => void (this.#held = null));
    setHandler(messages.stopSignal, () => {
      this.#held = 'stopped';
      this.#step?.cancel();
    });
    setHandler(messages.trainResultSignal, (result) => void (this.trainResult = result));
    setHandler(messages.decisionSignal, (told) => void (this.#decision = told));
    setHandler(messages.growthSignal, (told) => void (this.#growth = told));
  }

  /** A person, or the end of its run, cancelled the task. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** What a person should know of what the newest work changes. */
  get findings(): readonly string[] {
    return this.#findings;
  }

  /** What this execution used so far. */
  get spent(): { spent: Usage; spentMs: number } {
    return { spent: this.#spent, spentMs: this.#spentMs };
  }

  /** All that it may read or write. */
  get claimed(): string[] {
    const { reads, writes } = this.input.claims;
    return [...reads, ...writes, ...this.extra];
  }

  /** Waits while the run is paused. @returns false if the task was cancelled meanwhile */
  async mayGoOn(): Promise<boolean> {
    await condition(() => this.#held === null || this.#cancelled);
    return !this.#cancelled;
  }

  /** Waits for something to mend itself; not longer than until the task is cancelled or stopped. */
  async wait(milliseconds: number): Promise<void> {
    await condition(() => this.#cancelled || this.#held === 'stopped', milliseconds);
  }

  /** Carries out a step that `stop` and cancellation end. @returns null if it was ended before it gave a result */
  async interruptible<T>(step: () => Promise<T>): Promise<T | null> {
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

  /** Counts a turn, with what it came to; `null` for one that was ended before anybody knew. */
  countTurn(result: TurnResult | null, branch: string): void {
    this.#turns += 1;
    if (result === null) return;
    this.#spent = addUsage(this.#spent, result.usage);
    this.#spentMs += result.durationMs;
    this.branch = branch;
    this.commit = result.commit;
    this.#tried = result.message.slice(0, TRIED);
    this.#changes = result.changes;
    this.#findings = result.findings ?? [];
    this.warn(...result.warnings);
  }

  /** Notes what a person should know; told with the next report. */
  warn(...sentences: readonly string[]): void {
    this.#warnings = [...new Set([...this.#warnings, ...sentences])].slice(-MOST_WARNINGS);
  }

  /** Forgets what the attempt before left: the next one begins from nothing. */
  beginAttempt(): void {
    this.status = 'working';
    this.turn = 0;
    this.#tried = '';
    this.#changes = '';
    this.#findings = [];
  }

  /** Asks a person, and waits for as long as it takes. @returns null if the task was cancelled meanwhile */
  async askPerson(kind: WaitKind, question: string): Promise<ToldDecision | null> {
    this.status = 'waiting_for_person';
    const { seq } = await this.report({ state: 'waiting', reason: question, wait: { kind, question } });
    await condition(() => this.#decision?.report === seq || this.#cancelled);
    this.status = 'working';
    return this.#cancelled ? null : this.#decision;
  }

  /** Asks for more locks, and waits for them. @returns null if the task was cancelled meanwhile */
  async askLocks(globs: string[]): Promise<ToldGrowth | null> {
    this.status = 'waiting_for_lock';
    const { seq } = await this.report({ state: 'needs_locks', claims: globs });
    await condition(() => this.#growth?.report === seq || this.#cancelled);
    this.extra.push(...globs);
    this.status = 'working';
    return this.#cancelled ? null : this.#growth;
  }

  /** Tells the run how the task stands. A run that is gone needs no report; its lock table finds this task's end by itself. */
  async report(said: Partial<TaskReport> & Pick<TaskReport, 'state'>): Promise<TaskReport> {
    this.#seq += 1;
    const { run, task } = this.input;
    const report: TaskReport = {
      task,
      attempt: this.attempt,
      seq: this.#seq,
      reason: null,
      failure: null,
      turns: this.#turns,
      usage: addUsage(this.input.usageBefore, this.#spent),
      branch: this.branch,
      commit: this.commit,
      mergedCommit: null,
      ...(this.#warnings.length === 0 ? {} : { warnings: this.#warnings }),
      ...(this.#findings.length === 0 ? {} : { findings: this.#findings }),
      ...said,
    };
    await signalIfOpen(runWorkflowId(run.project, run.run), messages.reportSignal, report);
    return report;
  }

  /** Evidence about the current attempt. */
  evidence(kind: AttemptFailure, summary: string, detail: string): Evidence {
    return this.about({ kind, summary, detail, attempt: this.attempt, commit: this.commit, tried: '', changes: '' });
  }

  /** Adds what the attempt's agent said and changed. */
  about(evidence: Evidence): Evidence {
    return { ...evidence, tried: this.#tried, changes: this.#changes };
  }
}
