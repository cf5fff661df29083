import { ENDED_STATUSES, type RunDescription } from '../core/description.ts';
import type { Session } from '../workers/session.ts';
import type { Outcome } from './framework/command.ts';
import { waitingTasks } from '../core/waiting.ts';
import type { Context } from './framework/context.ts';
import type { Output } from './framework/output.ts';
import { runText, taskLine } from './views/run-view.ts';
import { statusText } from './views/status-text.ts';
import { displayText } from './views/text.ts';
import { askedLines } from './views/waiting-view.ts';

const LOOK_FOR_WORKERS_MS = 5000;

/** Before what belongs to the line above; as wide as the time of day. */
const INDENT = ' '.repeat(10);

/** The exit code that says how a run stands. */
export function exitCodeOfRun(run: RunDescription): 0 | 1 | 4 {
  if (run.status === 'waiting') return 4;
  return run.status === 'failed' || run.status === 'cancelled' ? 1 : 0;
}

/** A run as the outcome of a command. */
export function runOutcome(context: Context, session: Session, run: RunDescription): Outcome {
  const webUi = session.webUi(run.workflow_id);
  const { colors, columns } = context.output;
  return { result: { ...run, web_ui: webUi }, text: runText(run, { colors, columns, webUi, now: Date.now() }) };
}

/** How {@link attach} behaves. */
export interface AttachOptions {
  /** Ctrl+C also ends the running agents, keeping their work. */
  stopOnInterrupt: boolean;
  /** Start a worker again when none polls any more; else only say so. */
  keepWorker: boolean;
}

/**
 * Follows a run and says what changes, until it is over, waits for a person, or Ctrl+C is typed.
 *
 * @throws SignalboxError `not_found` for an unknown run
 */
export async function attach(
  context: Context,
  session: Session,
  runId: string,
  options: AttachOptions,
): Promise<Outcome> {
  const { followRun } = await import('../workers/runs/follow-run.ts');
  const reporter = new ChangeReporter(context.output);
  const workers = new WorkerWatch(context, session, options.keepWorker);
  let last: RunDescription | null = null;
  for await (const run of followRun(session.reader, session.project.id, runId, context.interrupted)) {
    // What was over, or waited, before is told by the outcome alone.
    if (last !== null || (run.ended_at === null && run.status !== 'waiting')) reporter.report(run);
    last = run;
    if (run.ended_at === null) await workers.look();
    if (run.status === 'waiting') break;
  }
  if (last !== null && (last.ended_at !== null || last.status === 'waiting')) {
    return { ...runOutcome(context, session, last), exitCode: exitCodeOfRun(last) };
  }
  if (options.stopOnInterrupt) await stop(context, session, runId);
  else {
    context.output.progress(
      `Detached: the run goes on. "signalbox run watch ${runId}" shows it, "signalbox run cancel ${runId}" ends it.`,
    );
  }
  const now = await session.reader.read(session.project.id, runId);
  return { result: { ...now, web_ui: session.webUi(now.workflow_id) }, text: '', exitCode: 130 };
}

async function stop(context: Context, session: Session, runId: string): Promise<void> {
  const { stopRun } = await import('../workers/runs/control-run.ts');
  context.output.progress('Stopping: running steps are ended, their work is kept …');
  const ended = await stopRun(session, runId, 'interrupt');
  context.output.progress(
    ended
      ? `Stopped. "signalbox run watch ${runId}" or "signalbox worker start" goes on where it stood.`
      : `Asked to stop, but some steps have not ended yet; "signalbox run describe ${runId}" shows them.`,
  );
}

/** Looks now and then whether somebody works at all. */
class WorkerWatch {
  readonly #context: Context;
  readonly #session: Session;
  readonly #keep: boolean;
  #lookedAt = Date.now();
  #told = false;

  constructor(context: Context, session: Session, keep: boolean) {
    this.#context = context;
    this.#session = session;
    this.#keep = keep;
  }

  async look(): Promise<void> {
    if (Date.now() - this.#lookedAt < LOOK_FOR_WORKERS_MS) return;
    this.#lookedAt = Date.now();
    if (this.#keep) {
      const { ensureWorker } = await import('../workers/background-worker.ts');
      await ensureWorker(this.#session);
      return;
    }
    const { isWorkerPolling } = await import('../workers/runs/pollers.ts');
    const polling = await isWorkerPolling(this.#session.client);
    if (!polling && !this.#told) this.#context.output.warn('no worker runs; "signalbox worker start" starts one');
    this.#told = !polling;
  }
}

/** Prints one line for each change of a run or of one of its tasks. */
export class ChangeReporter {
  readonly #output: Output;
  readonly #shown = new Map<string, string>();
  /** The reasons that were told, which a task keeps while its status goes on. */
  readonly #reasons = new Map<string, string | null>();

  constructor(output: Output) {
    this.#output = output;
  }

  report(run: RunDescription): void {
    const { colors } = this.#output;
    const tasks = Object.entries(run.tasks);
    const waiting = new Map(waitingTasks(run).map((task) => [task.task_id, task]));
    const merged = tasks.filter(([, task]) => ENDED_STATUSES.includes(task.status)).length;
    // What ended comes first: it is why others begin.
    const ended = ([, task]: (typeof tasks)[number]): number => (ENDED_STATUSES.includes(task.status) ? 0 : 1);
    for (const [id, task] of tasks.toSorted((a, b) => ended(a) - ended(b))) {
      // The first attempt is no news beside the status.
      const facts = [task.status, Math.max(1, task.attempts), task.reason, task.wait?.id].join(' ');
      // What has not begun is no news.
      const quiet = task.status === 'pending' && !this.#shown.has(id);
      if (quiet || !this.#isNews(id, facts)) continue;
      const reason = this.#reasons.get(id) === task.reason ? null : task.reason;
      this.#reasons.set(id, task.reason);
      const asking = waiting.get(id);
      const said = { ...task, reason: asking === undefined ? reason : null };
      this.#line(`${this.#count(merged, tasks.length)}  ${taskLine(id, said, colors)}`);
      if (asking !== undefined)
        for (const line of askedLines(asking, colors)) this.#output.progress(`${INDENT}${line}`);
    }
    // The end, and what the run waits for, is told by the outcome.
    if (run.status === 'completed' || run.status === 'failed' || run.status === 'waiting') return;
    const facts = [run.status, run.reason].join(' ');
    if (run.status !== 'running' || run.reason !== null || this.#shown.has(' run')) {
      if (this.#isNews(' run', facts) && run.ended_at === null) {
        const reason = run.reason === null ? '' : `: ${displayText(run.reason)}`;
        this.#line(`${this.#count(merged, tasks.length)}  run ${statusText(run.status, colors)}${reason}`);
      }
    }
  }

  #isNews(key: string, facts: string): boolean {
    if (this.#shown.get(key) === facts) return false;
    this.#shown.set(key, facts);
    return true;
  }

  #count(done: number, all: number): string {
    return `${String(done).padStart(String(all).length)}/${all}`;
  }

  #line(text: string): void {
    this.#output.progress(`${new Date().toTimeString().slice(0, 8)}  ${text}`);
  }
}
