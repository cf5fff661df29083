import type {
  PullRequestDescription,
  RunDescription,
  RunStatus,
  TaskDescription,
  WaitDescription,
} from './description.ts';
import { runWorkflowId } from './ids.ts';
import { WAITS_FOR, type PersonWait } from './person.ts';
import type { RunImage } from './run-image.ts';
import type { RunRef } from './run-ref.ts';
import { isEnded, runUsage, type RunState, type TaskProgress, type TaskViews } from './run-state.ts';
import { isExhausted, isHalted, isWaitingForPeople } from './schedule.ts';

/** What a run is told apart by, when it began and ended (milliseconds since the epoch), and what its steps run in. */
export interface RunFacts {
  run: RunRef;
  baseCommit: string;
  startedAt: number;
  endedAt: number | null;
  image?: RunImage | undefined;
}

/** Descriptions made before, by what they describe, which never changes: with many tasks, few are new each time. */
export type KnownDescriptions = WeakMap<TaskProgress, TaskDescription>;

/** The public description of a run's state. */
export function describeRun(
  state: RunState,
  views: TaskViews,
  facts: RunFacts,
  known: KnownDescriptions = new WeakMap(),
): RunDescription {
  const described = (id: string, task: TaskProgress): TaskDescription => {
    const before = known.get(task);
    if (before !== undefined) return before;
    const description = describeTask(task, views[id]?.name ?? id);
    // Before its name is known, a task is described by its id.
    if (views[id] !== undefined) known.set(task, description);
    return description;
  };
  const { status, reason } = statusOf(state, views);
  return {
    run_id: facts.run.run,
    workflow_id: runWorkflowId(facts.run.project, facts.run.run),
    status,
    reason,
    started_at: iso(facts.startedAt),
    ended_at: facts.endedAt === null ? null : iso(facts.endedAt),
    integration_branch: facts.run.repository.branch,
    base_commit: facts.baseCommit,
    head_commit: state.head,
    image: facts.image ?? null,
    usage: runUsage(state),
    sandbox: state.settings.sandbox ?? null,
    tasks: Object.fromEntries(Object.entries(state.tasks).map(([id, task]) => [id, described(id, task)])),
  };
}

const PAUSED: Record<NonNullable<RunState['paused']>, string> = {
  paused: 'paused by a person',
  stopped: 'stopped, its agents ended',
  interrupted: 'interrupted, its agents ended',
};

/** Was the run stopped by a Ctrl+C, so that it goes on when somebody watches it or works on it again? */
export function isInterrupted({ status, reason }: Pick<RunDescription, 'status' | 'reason'>): boolean {
  return status === 'paused' && reason === PAUSED.interrupted;
}

/** The status of a run and the sentence that explains it. */
export function statusOf(state: RunState, views: TaskViews): { status: RunStatus; reason: string | null } {
  if (state.cancelling) return { status: 'cancelled', reason: 'cancelled by a person' };
  if (isExhausted(state)) {
    const failure = failureReason(state);
    const reason = joinSentences(landingReason(state), failure);
    if (state.landing !== null) return { status: 'waiting', reason };
    return failure === null ? { status: 'completed', reason: null } : { status: 'failed', reason };
  }
  if (state.paused !== null) {
    return { status: 'paused', reason: PAUSED[state.paused] };
  }
  if (isWaitingForPeople(state, views)) {
    const reason = joinSentences(waitingReason(state), haltReason(state), landingReason(state));
    return { status: 'waiting', reason };
  }
  const reason = joinSentences(haltReason(state), landingReason(state));
  return { status: 'running', reason: reason === '' ? null : reason };
}

/** Is nothing left to do but to say how it went? A run whose work has not landed stays open, and waits. */
export function isOver(state: RunState, views: TaskViews): boolean {
  const { status } = statusOf(state, views);
  return status === 'completed' || status === 'failed';
}

function failureReason(state: RunState): string | null {
  const tasks = Object.entries(state.tasks);
  const failed = tasks.filter(([, task]) => task.status === 'failed' || task.status === 'cancelled');
  const [first] = failed;
  const stuck = tasks.filter(([, task]) => task.status === 'blocked' || (isHalted(state) && task.status === 'pending'));
  if (first === undefined) return stuck.length === 0 ? null : `${stuck.length} tasks cannot start`;
  const [id, task] = first;
  const which = `${failed.length} of ${tasks.length} tasks did not succeed`;
  const why = `${id} ${task.status}: ${task.reason ?? 'no reason was given'}`;
  const rest = stuck.length === 0 ? '' : `; ${stuck.length} more could not start`;
  return `${which}${rest} (${why})`;
}

function haltReason({ halt }: RunState): string | null {
  return halt === null ? null : `the train stands: ${halt.reason}; ${halt.hint}`;
}

function waitingReason(state: RunState): string | null {
  const waiting = Object.entries(state.tasks).filter(([, task]) => task.wait !== null);
  const [id, task] = waiting[0] ?? [];
  if (id === undefined) return null;
  const more = waiting.length - 1;
  const others = more === 0 ? '' : `, and ${more === 1 ? '1 more task waits' : `${more} more tasks wait`} for a person`;
  return `${id} waits for ${WAITS_FOR[task?.wait?.kind ?? 'review']}${others}: ${task?.wait?.question ?? ''}`;
}

function landingReason(state: RunState): string | null {
  if (state.landing === null) return null;
  const { reason, hint } = state.landing;
  return `verified work has not reached your branch: ${reason ?? 'unknown'}${hint === null ? '' : `; ${hint}`}`;
}

function joinSentences(...sentences: (string | null)[]): string {
  return sentences
    .filter((sentence) => sentence !== null)
    .map((sentence) => sentence.replace(/\.$/, ''))
    .join('. ');
}

function describeTask(task: TaskProgress, name: string): TaskDescription {
  const request = requestOf(task);
  return {
    name,
    status: task.status,
    reason: requestReason(request) ?? task.reason,
    attempts: task.attempts,
    turns: task.turns,
    branch: task.branch,
    commit: task.commit,
    merged_commit: task.mergedCommit,
    started_at: task.startedAt === null ? null : iso(task.startedAt),
    ended_at: task.endedAt === null ? null : iso(task.endedAt),
    usage: task.usage,
    wait: task.wait === null ? null : describeWait(task.wait),
    ...(request === null ? {} : { pull_request: request }),
    warnings: task.warnings,
    findings: task.findings,
  };
}

/** A task's pull request; one that was never opened is forgotten when the task ends. */
function requestOf(task: TaskProgress): PullRequestDescription | null {
  if (task.request === null) return null;
  const { number, url, waits, person } = task.request;
  if (!isEnded(task)) return { number, url, waits_for: waits, needs_person: person };
  return number === null ? null : { number, url, waits_for: null, needs_person: false };
}

/** Why a task that waits at its pull request does not go on. */
function requestReason(request: PullRequestDescription | null): string | null {
  if (request?.waits_for == null) return null;
  const { number, url, waits_for } = request;
  return number === null ? `no pull request yet: ${waits_for}` : `pull request #${number}: ${waits_for} (${url ?? ''})`;
}

function describeWait({ kind, id, question, since, deadline, inputs }: PersonWait): WaitDescription {
  return { kind, id, question, inputs, since: iso(since), deadline: deadline === null ? null : iso(deadline) };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
