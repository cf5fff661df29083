import { ActivityFailure, condition, workflowInfo } from '@temporalio/workflow';
import type { AttemptRef, PreparedAttempt, TaskActivities, TurnResult } from '../core/activities.ts';
import { backoff, ERROR_ANSWERS } from '../core/agent-errors.ts';
import { checkEvidence, type Evidence } from '../core/evidence.ts';
import type { Ride } from '../core/train.ts';
import { agentActivities, closingActivities, placingActivities, stepActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { pushIntegrationBranch, pushTaskBranch } from './push-branches.ts';
import { signalService } from './services.ts';
import type { TaskContext } from './task-context.ts';

/** How often the train is asked again for a member that it has not answered; heals a train that was terminated. */
const TRAIN_REMINDER = '2m';

/** How an attempt ended. `given_up`: another one would not do better, or a person said no. */
export type AttemptEnd =
  | { kind: 'merged'; commit: string }
  | { kind: 'failed'; evidence: Evidence }
  | { kind: 'given_up'; evidence: Evidence }
  | { kind: 'cancelled' };

/** What a verdict says. */
type Verdict = Awaited<ReturnType<TaskActivities['verify']>>;

const CANCELLED: AttemptEnd = { kind: 'cancelled' };

/** One try at a task from a fresh base: workspace, turns, verdict, and the way through the train. */
export class TaskAttempt {
  readonly #context: TaskContext;
  readonly #earlier: readonly Evidence[];

  /** @param earlier what earlier attempts came to, and what people said, oldest first */
  constructor(context: TaskContext, earlier: readonly Evidence[]) {
    this.#context = context;
    this.#earlier = earlier;
  }

  async carryOut(): Promise<AttemptEnd> {
    const context = this.#context;
    if (!(await context.mayGoOn())) return CANCELLED;
    const { run, task } = context.input;
    const execution = workflowInfo().firstExecutionRunId;
    context.beginAttempt();
    let prepared: PreparedAttempt;
    try {
      const placing = placingActivities(run.repository, `attempt ${context.attempt + 1} of ${task}: workspace`);
      prepared = await placing.prepare({ run, task, execution, attemptsBefore: context.attempt });
    } catch (error) {
      context.attempt += 1;
      return this.#lost('the workspace could not be made', error);
    }
    context.attempt = prepared.attempt;
    const attempt: AttemptRef = { run, task, attempt: prepared.attempt, execution };
    let closed = false;
    try {
      const ended = await this.#work(attempt, prepared);
      if (ended !== null) return ended;
      const commit = context.commit ?? prepared.base;
      const report = await this.#verify(attempt, prepared, commit);
      if (report === null) return CANCELLED;
      closed = true;
      if (report.failure !== null) {
        const evidence = checkEvidence('failed_check', report.failure, attempt.attempt, commit);
        return { kind: 'failed', evidence: context.about(evidence) };
      }
      return (await this.#approval(prepared)) ?? (await this.#merge(attempt, prepared, commit, report.ride));
    } catch (error) {
      return context.cancelled ? CANCELLED : this.#lost('a step could not be carried out', error);
    } finally {
      if (!closed) await this.#close(attempt, prepared);
    }
  }

  /** Agent turns until there is a result to verify. @returns how the attempt ended without one, or null */
  async #work(attempt: AttemptRef, prepared: PreparedAttempt): Promise<AttemptEnd | null> {
    const context = this.#context;
    const { turns, inputs } = context.input;
    const { base, queue, agents } = prepared;
    let evidence = [...this.#earlier];
    let thread: string | null = null;
    let failures = 0;
    for (let turn = 1; ; turn += 1) {
      if (!(await context.mayGoOn())) return CANCELLED;
      context.status = 'working';
      context.turn = turn;
      const agent = agentActivities(agents, `attempt ${attempt.attempt} of ${attempt.task}: agent turn ${turn}`);
      const { extra, allowance, spent } = context;
      const asked: Parameters<TaskActivities['turn']>[0] = {
        attempt,
        base,
        turn,
        thread,
        evidence,
        extra,
        allowance,
        inputs,
        ...spent,
      };
      const result: TurnResult | null = await context.interruptible(() => agent.turn(asked));
      if (context.cancelled) {
        context.commit = result?.commit ?? context.commit;
        return CANCELLED;
      }
      context.countTurn(result, prepared.branch);
      if (result === null || result.outcome === 'ended') {
        thread = result?.thread ?? thread;
        evidence = [this.#interrupted('a person stopped the work')];
        continue;
      }
      thread = result.thread;
      // An agent that goes on a thread knows what it was told before; the others are told again.
      const known = thread === null ? this.#earlier : [];
      const next = await this.#answer(result, prepared, turn >= turns, failures + 1);
      if (next.kind !== 'go_on') return next;
      failures = result.outcome === 'failed' ? failures + 1 : 0;
      if (next.evidence !== null) {
        evidence = [...known, next.evidence];
        continue;
      }
      if (!prepared.hints || turn >= turns) return null;
      context.status = 'checking';
      const hinting = stepActivities(queue, `attempt ${attempt.attempt} of ${attempt.task}: lint after turn ${turn}`);
      const { commit } = result;
      const report = await context.interruptible(() => hinting.hints({ attempt, commit, turn, inputs }));
      if (report === null || report.failure === null) return null;
      evidence = [...known, checkEvidence('failed_check', report.failure, attempt.attempt, commit)];
    }
  }

  /** What follows from a turn: the end of the attempt, or what the next turn is told; `null`: the work is done. */
  async #answer(
    result: TurnResult,
    prepared: PreparedAttempt,
    last: boolean,
    failures: number,
  ): Promise<AttemptEnd | { kind: 'go_on'; evidence: Evidence | null }> {
    const context = this.#context;
    if (result.outcome === 'limit') {
      const reason = result.reason ?? 'a limit was hit';
      const told = await context.askPerson('review', `${reason}. Go on with as much again?`);
      if (told === null) return CANCELLED;
      context.allowance += 1;
      return await this.#decided(told, prepared, this.#interrupted(reason), reason);
    }
    if (result.outcome === 'failed') return await this.#failed(result, last, failures);
    if (result.question !== null) {
      const told = await context.askPerson('question', result.question);
      if (told === null) return CANCELLED;
      const answer = context.evidence('answer', `you asked: ${result.question}`, told.decision.text ?? '');
      return await this.#decided(told, prepared, answer);
    }
    if (result.changed === 0) {
      return { kind: 'failed', evidence: context.evidence('no_change', 'the agent changed no file', result.message) };
    }
    if (result.undeclared.length > 0) return await this.#undeclared(result.undeclared, prepared);
    return { kind: 'go_on', evidence: null };
  }

  /** A turn that went wrong: what a wait may mend goes on in the same attempt, on the same thread. */
  async #failed(
    result: TurnResult,
    last: boolean,
    failures: number,
  ): Promise<AttemptEnd | { kind: 'go_on'; evidence: Evidence }> {
    const context = this.#context;
    const evidence = context.evidence(
      result.error === 'lost' ? 'lost' : 'agent_error',
      `the agent's turn ${context.turn} failed: ${(result.reason ?? 'no reason was given').slice(0, 300)}`,
      result.reason ?? result.message,
    );
    const answer = ERROR_ANSWERS[result.error ?? 'unknown'];
    if (answer === 'give_up') return { kind: 'given_up', evidence };
    if (answer === 'retry' || last) return { kind: 'failed', evidence };
    await context.wait(backoff(failures, Math.random()));
    return { kind: 'go_on', evidence };
  }

  /** A person's word about work that is not done. @param goOn what the next turn is told if the person lets it go on */
  async #decided(
    { decision, released }: NonNullable<Awaited<ReturnType<TaskContext['askPerson']>>>,
    prepared: PreparedAttempt,
    goOn: Evidence,
    limit: string | null = null,
  ): Promise<AttemptEnd | { kind: 'go_on'; evidence: Evidence }> {
    const context = this.#context;
    const said = decision.text ?? '';
    if (decision.outcome === 'reject') {
      const who = decision.by === 'deadline' ? 'nobody answered in time' : 'a person rejected it';
      const because = said === '' || decision.by === 'deadline' ? '' : `: ${said}`;
      const about = limit === null ? who : `${limit}; ${who}`;
      const kind = limit === null ? 'rejected' : 'limit';
      return { kind: 'given_up', evidence: context.evidence(kind, `${about}${because}`, said) };
    }
    if (decision.outcome === 'retry') {
      return { kind: 'failed', evidence: context.evidence('guidance', 'a person asks for another attempt', said) };
    }
    const stale = released ? await this.#stale(prepared, context.claimed) : null;
    return stale ?? { kind: 'go_on', evidence: goOn };
  }

  /** Work outside of what the task declared: refused under `block`, else its paths are locked before it counts. */
  async #undeclared(
    globs: string[],
    prepared: PreparedAttempt,
  ): Promise<AttemptEnd | { kind: 'go_on'; evidence: null }> {
    const context = this.#context;
    const which = `${globs.slice(0, 5).join(', ')}${globs.length > 5 ? ` and ${globs.length - 5} more` : ''}`;
    if (prepared.scope === 'block') {
      const summary = `it wrote outside of what the task declares: ${which}`;
      return { kind: 'failed', evidence: context.evidence('out_of_scope', summary, globs.join('\n')) };
    }
    if (prepared.scope === 'warn') context.warn(`wrote outside of what the task declares: ${which}`);
    const told = await context.askLocks(globs);
    if (told === null) return CANCELLED;
    const doubtful = told.released ? context.claimed : globs;
    return (await this.#stale(prepared, doubtful)) ?? { kind: 'go_on', evidence: null };
  }

  /** The end of the attempt, if paths that it relies on were changed while it did not hold their locks. */
  async #stale({ base }: PreparedAttempt, globs: string[]): Promise<AttemptEnd | null> {
    const { run, task } = this.#context.input;
    const placing = placingActivities(run.repository, `is the base of ${task} still right`);
    const changed = await placing.changedSince({ run, base, globs });
    if (changed.length === 0) return null;
    const which = changed.slice(0, 5).join(', ') + (changed.length > 5 ? ` and ${changed.length - 5} more` : '');
    const summary = `another task changed ${which} before its locks were granted`;
    return { kind: 'failed', evidence: this.#context.evidence('locks', summary, changed.join('\n')) };
  }

  /** The verdict; after `stop` it is asked for again on `resume`. @returns null if the task was cancelled */
  async #verify(attempt: AttemptRef, { queue, base }: PreparedAttempt, commit: string): Promise<Verdict | null> {
    const context = this.#context;
    const { inputs } = context.input;
    const steps = stepActivities(queue, `attempt ${attempt.attempt} of ${attempt.task}: doctor`);
    for (let round = 1; await context.mayGoOn(); round += 1) {
      context.status = 'checking';
      const report = await context.interruptible(() => steps.verify({ attempt, base, commit, round, inputs }));
      if (report !== null) return report;
    }
    return null;
  }

  /** A person's word before the merge, where the task asks for one. @returns null if it may be merged */
  async #approval(prepared: PreparedAttempt): Promise<AttemptEnd | null> {
    const context = this.#context;
    const { approval, task, name } = context.input;
    if (approval !== 'merge') return null;
    const findings = context.findings.map((finding) => ` It ${finding}.`).join('');
    const told = await context.askPerson('merge', `May ${task} ${name} be merged? Its checks have passed.${findings}`);
    if (told === null) return CANCELLED;
    const approved = context.evidence('answer', 'a person approved it', '');
    const decided = await this.#decided(told, prepared, approved);
    return decided.kind === 'go_on' ? null : decided;
  }

  /** Hands the verified snapshot to the train and waits for its word. Cancellation withdraws it. */
  async #merge(attempt: AttemptRef, prepared: PreparedAttempt, commit: string, ride: Ride): Promise<AttemptEnd> {
    const context = this.#context;
    if (!(await context.mayGoOn())) return CANCELLED;
    context.status = 'merging';
    const { base, remote } = prepared;
    // Beside the train, which it must not hold up.
    const pushed = pushTaskBranch(context, remote, commit);
    const { run, task: id, name } = context.input;
    const service = { workflow: 'train', repository: run.repository } as const;
    const member = { run, task: id, name, attempt: attempt.attempt, commit, base, ride };
    const answered = (): boolean => context.trainResult?.attempt === attempt.attempt;
    let withdrawing = false;
    while (!answered()) {
      if (context.cancelled) {
        withdrawing = true;
        await signalService(service, messages.withdrawSignal, { run, task: id, attempt: attempt.attempt });
      } else {
        await signalService(service, messages.submitSignal, member);
      }
      await condition(() => answered() || (context.cancelled && !withdrawing), TRAIN_REMINDER);
    }
    await pushed;
    const result = context.trainResult;
    if (result?.outcome === 'merged') {
      await pushIntegrationBranch(context, remote);
      context.warn(...(result.warnings ?? []));
      return { kind: 'merged', commit: result.commit };
    }
    if (context.cancelled || result === null || result.outcome === 'withdrawn') return CANCELLED;
    // A person's no at the pull request is one as good as here.
    const kind = result.evidence.kind === 'rejected' ? 'given_up' : 'failed';
    return { kind, evidence: context.about(result.evidence) };
  }

  async #close(attempt: AttemptRef, prepared: PreparedAttempt): Promise<void> {
    try {
      const closing = closingActivities(prepared.queue, `attempt ${attempt.attempt} of ${attempt.task}: clean up`);
      const { commit } = await closing.closeAttempt({ attempt, base: prepared.base });
      this.#context.commit = commit ?? this.#context.commit;
    } catch {
      // What is left over is found by the host's janitor; the attempt's end must not hang on it.
    }
  }

  #interrupted(why: string): Evidence {
    return this.#context.evidence('interrupted', `${why}; go on where it was`, '');
  }

  #lost(summary: string, error: unknown): AttemptEnd {
    const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
    const detail = cause instanceof Error ? cause.message : String(cause);
    return {
      kind: 'failed',
      evidence: this.#context.evidence('lost', `${summary}: ${detail.slice(0, 500)}`, detail),
    };
  }
}
