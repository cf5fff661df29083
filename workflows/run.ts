import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  setHandler,
  sleep,
  workflowInfo,
  type SignalDefinition,
} from '@temporalio/workflow';
import { criticalPaths } from '../core/critical-path.ts';
import type { RunDescription } from '../core/description.ts';
import { runWorkflowId, taskWorkflowId, trainWorkflowId } from '../core/ids.ts';
import type { SyncRequest } from '../core/locks.ts';
import { packRun, unpackRun, type RunArguments } from '../core/packed-run.ts';
import { reduceRun } from '../core/reduce-run.ts';
import { nextDeadline } from '../core/reduce-waits.ts';
import { describeRun, isOver, type KnownDescriptions } from '../core/run-description.ts';
import type { RunEvent } from '../core/run-events.ts';
import { currentRun, type RunRef } from '../core/run-ref.ts';
import { initialRunState, type TaskView } from '../core/run-state.ts';
import { lockNews, lockSnapshot, tasksToStart, tasksToTell, type Weights } from '../core/schedule.ts';
import { manifestActivities, runActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { RunPresence, WaitNotices } from './run-presence.ts';
import { RunTasks } from './run-tasks.ts';
import { handleUpdates } from './run-updates.ts';
import { cancelIfOpen, isLong, signalIfOpen, signalService } from './services.ts';

/** More tasks than these are not described in the result of a run: its history tells them. */
const MOST_DESCRIBED = 200;

/** How long the end of an execution waits for tasks to close that have said their last word. */
const CLOSING = '5s';

/**
 * One execution of a set of tasks. It starts what the rules in `core` say may start, as the lock table grants it, and
 * ends when every task has: completed with its description, or failed as `RunFailed` with the description in the details.
 */
export async function run(...args: RunArguments): Promise<RunDescription> {
  const root = CancellationScope.current();
  // Cancellation is a word to obey in order (end the tasks, keep their work, then close), so nothing is cut off by it.
  return await CancellationScope.nonCancellable(() => conduct(args, root));
}

async function conduct(args: RunArguments, root: CancellationScope): Promise<RunDescription> {
  const [input] = args;
  const { run: ref } = input;
  const workflowId = runWorkflowId(ref.project, ref.run);
  const service = { workflow: 'repository', repository: ref.repository } as const;
  const views: Record<string, TaskView> = {};
  const cancelAsked = new Set<string>();
  const telling = new Set<string>();
  let state = unpackRun(...args) ?? initialRunState(input.settings, input.baseCommit);
  let weights: Weights = {};
  /** The digest of the manifest whose tasks are known, and of the one that is being read. */
  let loaded = '';
  let loading = '';
  let endedAt: number | null = null;
  let changed = true;
  let inFlight = 0;
  /** The snapshot that the lock table has; `null`: it may have an old one, or asked, and has to be told even of nothing. */
  let told: string | null = input.state === undefined ? '' : null;
  /** When the earliest timer that runs will go off. */
  let alarm: number | null = null;
  const presence = new RunPresence();
  const notices = new WaitNotices(state);
  /** Calls of the hook that are under way: a continue-as-new waits for them; the end does not, since they may fail. */
  let calling = 0;

  const known: KnownDescriptions = new WeakMap();
  const describe = (): RunDescription => {
    const { baseCommit, startedAt, image } = input;
    return describeRun(state, views, { run: ref, baseCommit, startedAt, endedAt, image }, known);
  };
  const apply = (event: RunEvent): void => {
    state = reduceRun(state, event, views);
    changed = true;
  };
  const pinned = (): RunRef => currentRun(ref, state.manifest);
  const snapshot = (): Omit<SyncRequest, 'seq'> => lockSnapshot(state, views, workflowId, weights);
  /** Lets something go on beside the main loop; a continue-as-new waits for it. */
  const post = (work: Promise<unknown>): void => {
    inFlight += 1;
    void work.finally(() => {
      inFlight -= 1;
      changed = true;
    });
  };
  const callHook = (call: Promise<void>): void => {
    calling += 1;
    void call.finally(() => {
      calling -= 1;
      changed = true;
    });
  };
  const tasks = new RunTasks(input, views, () => state, apply);
  const openTasks = (): string[] => Object.keys(state.tasks).filter((id) => state.tasks[id]?.open === true);
  /** Starts a task, and tells it what a person said while its start was under way, or before it was adopted. */
  const start = async (id: string): Promise<void> => {
    const before = state.paused;
    const adopted = await tasks.start(id);
    if ((state.paused === before && !adopted) || state.tasks[id]?.open !== true) return;
    const held = state.paused === 'paused' ? messages.pauseSignal : messages.stopSignal;
    const signal = state.paused === null ? messages.resumeSignal : held;
    await signalIfOpen(taskWorkflowId(ref.project, ref.run, id), signal);
  };
  const tellTasks = (signal: SignalDefinition): void =>
    openTasks().forEach((id) => post(signalIfOpen(taskWorkflowId(ref.project, ref.run, id), signal)));
  /** Tells a task what it waits for. */
  const tellNews = async (id: string): Promise<void> => {
    const news = state.tasks[id]?.news ?? null;
    if (news === null) return;
    const to = taskWorkflowId(ref.project, ref.run, id);
    const { report, released } = news;
    if (news.kind === 'growth') await signalIfOpen(to, messages.growthSignal, { report, released });
    else await signalIfOpen(to, messages.decisionSignal, { report, released, decision: news.decision });
    telling.delete(id);
    apply({ type: 'told', at: Date.now(), task: id, report });
  };
  /** Reads the tasks of the manifest that the run is pinned to now. */
  const load = async (): Promise<void> => {
    const run = pinned();
    loading = run.manifest.sha256;
    // A manifest only ever gets tasks at its end.
    for (let from: number | null = Object.keys(views).length; from !== null;) {
      const part: { tasks: TaskView[]; next: number | null } = await manifestActivities(ref.repository).loadTasks({
        run,
        from,
      });
      for (const task of part.tasks) views[task.id] = task;
      apply({ type: 'loaded', at: Date.now(), tasks: part.tasks, last: part.next === null });
      from = part.next;
    }
    weights = criticalPaths(views);
    loaded = run.manifest.sha256;
  };

  setHandler(messages.statusQuery, describe);
  setHandler(messages.reportSignal, (report) => apply({ type: 'report', at: Date.now(), report }));
  setHandler(messages.locksSignal, (answer) => {
    apply({ type: 'locks', at: Date.now(), answer });
    // What it could not take, since it was paused just then, the table would take for held.
    const isNewest = answer.seq === state.seq;
    if (isNewest && answer.granted.some((id) => state.tasks[id]?.holds !== true)) told = null;
    const now = snapshot();
    // With every place taken by what the table granted, it knows all that it needs: no word of thanks. A table that asked
    // still gets its answer.
    if (told !== null && told !== '' && now.slots === 0) told = lockNews(now);
  });
  setHandler(messages.landingSignal, (news) => apply({ type: 'landing', at: Date.now(), news }));
  setHandler(messages.haltedSignal, (halt) => apply({ type: 'halted', at: Date.now(), halt }));
  setHandler(messages.requestSignal, (news) => apply({ type: 'request', at: Date.now(), news }));
  setHandler(messages.resyncSignal, () => {
    told = null;
    changed = true;
  });
  for (const [type, signal] of [
    ['pause', messages.pauseSignal],
    ['stop', messages.stopSignal],
    ['interrupt', messages.interruptSignal],
    ['resume', messages.resumeSignal],
  ] as const) {
    setHandler(signal, () => {
      apply({ type, at: Date.now() });
      // For a task, the two are the same.
      tellTasks(type === 'interrupt' ? messages.stopSignal : signal);
      const { id, branch } = ref.repository;
      if (type === 'resume' && (state.halt !== null || state.landing !== null))
        post(signalIfOpen(trainWorkflowId(id, branch), messages.resumeSignal));
    });
  }
  handleUpdates({
    state: () => state,
    manifest: () => pinned().manifest.sha256,
    ending: () => state.cancelling || endedAt !== null,
    apply: (event) => {
      if (event.type === 'retryTask') cancelAsked.delete(event.task);
      apply(event);
    },
  });
  root.cancelRequested.catch(() => apply({ type: 'cancel', at: Date.now() }));
  const quiet = (): boolean => inFlight === 0 && allHandlersFinished();
  const isDone = (): boolean => {
    if (state.cancelling) return openTasks().length === 0 && !tasks.starting();
    return loaded === pinned().manifest.sha256 && isOver(state, views);
  };
  const isOverNow = (): boolean => isDone() && quiet();
  /** The history has grown long: nothing new is begun, so that what is under way comes to its end, however busy the run. */
  const isDraining = (): boolean => isLong() && !state.cancelling && calling === 0;
  const mustContinue = (): boolean => isDraining() && quiet();

  const askLocks = (): void => {
    const now = snapshot();
    const text = lockNews(now);
    if (text === told || (told === '' && now.holds.length + now.wants.length === 0)) return;
    told = text;
    const seq = state.seq + 1;
    apply({ type: 'synced', at: Date.now(), seq });
    post(signalService(service, messages.syncSignal, { ...now, seq }));
  };
  /** Sees to it that time passing is noticed. A timer that is not needed any more goes off, and does nothing. */
  const setAlarm = (): void => {
    const next = nextDeadline(state);
    if (next === null || (alarm !== null && alarm <= next)) return;
    alarm = next;
    void sleep(Math.max(1, next - Date.now())).then(() => {
      if (alarm === next) alarm = null;
      apply({ type: 'tick', at: Math.max(next, Date.now()) });
    });
  };

  /** Begins all that can be begun now. */
  const goOn = (): void => {
    if (loading !== pinned().manifest.sha256) post(load());
    for (const id of tasksToStart(state)) if (tasks.claim(id)) post(start(id));
    for (const id of openTasks()) {
      if (!(state.cancelling || state.tasks[id]?.cancelling === true) || cancelAsked.has(id)) continue;
      cancelAsked.add(id);
      post(cancelIfOpen(taskWorkflowId(ref.project, ref.run, id)));
    }
    for (const id of tasksToTell(state)) {
      if (telling.has(id)) continue;
      telling.add(id);
      post(tellNews(id));
    }
    askLocks();
  };

  // The tasks of an execution that was cut off may still write where it held locks, which this one does not hold.
  if (input.state !== undefined && workflowInfo().continuedFromExecutionRunId === undefined) {
    await runActivities('end the tasks of the execution before').endFormerTasks({ run: workflowId });
  }
  await load();
  tasks.watchInherited(openTasks());
  for (;;) {
    changed = false;
    notices.next(ref, state, views).forEach(callHook);
    if (!isDraining()) goOn();
    setAlarm();
    presence.show(describe());
    // A message at the moment of its end would have a worker go through the whole history again.
    if ((isOverNow() || mustContinue()) && tasks.closing(state)) await condition(() => !tasks.closing(state), CLOSING);
    if (isOverNow()) break;
    if (mustContinue()) await continueAsNew<typeof run>(...packRun(input, state));
    // Nothing else counts: an update that is refused leaves no trace in the history, so nothing may follow from it.
    const answering = !allHandlersFinished();
    await condition(() => changed || (answering && allHandlersFinished()));
  }
  endedAt = Date.now();
  const description = describe();
  presence.show(description);
  if (description.status === 'cancelled') throw new CancelledFailure('the run was cancelled');
  const large = Object.keys(description.tasks).length > MOST_DESCRIBED;
  const result = large ? { ...description, tasks: {} } : description;
  if (result.status === 'failed') {
    throw ApplicationFailure.create({
      type: 'RunFailed',
      message: result.reason ?? 'failed',
      nonRetryable: true,
      details: [result],
    });
  }
  return result;
}
