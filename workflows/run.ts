import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
  type SignalDefinition,
} from '@temporalio/workflow';
import type { RunDescription } from '../core/description.ts';
import { runWorkflowId, taskWorkflowId } from '../core/ids.ts';
import { describeRun, isOver } from '../core/run-description.ts';
import { canRetry, initialRunState, isEnded, reduceRun, type RunEvent, type TaskView } from '../core/run-state.ts';
import { runTable } from '../core/run-table.ts';
import { lockNews, lockSnapshot, tasksToStart } from '../core/schedule.ts';
import { STATUS_ATTRIBUTE } from '../core/search-attributes.ts';
import type { RunInput } from '../core/workflow-inputs.ts';
import { manifestActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { RunTasks } from './run-tasks.ts';
import { cancelIfOpen, signalIfOpen, signalService } from './services.ts';

/**
 * One execution of a set of tasks. It starts what the rules in `core` say may start, as the lock table grants it, and
 * ends when every task has: completed with its description, or failed as `RunFailed` with the description in the details.
 */
export async function run(input: RunInput): Promise<RunDescription> {
  const root = CancellationScope.current();
  // Cancellation is a word to obey in order (end the tasks, keep their work, then close), so nothing is cut off by it.
  return await CancellationScope.nonCancellable(() => conduct(input, root));
}

async function conduct(input: RunInput, root: CancellationScope): Promise<RunDescription> {
  const { run: ref } = input;
  const workflowId = runWorkflowId(ref.project, ref.run);
  const service = { workflow: 'repository', repository: ref.repository } as const;
  const views: Record<string, TaskView> = {};
  const cancelAsked = new Set<string>();
  let state = input.state ?? initialRunState(input.settings, input.baseCommit);
  let endedAt: number | null = null;
  let changed = true;
  let inFlight = 0;
  /** The snapshot that the lock table has; `null`: it asked for one, and waits for it even if it is empty. */
  let told: string | null = '';
  let shownStatus = '';

  const describe = (): RunDescription =>
    describeRun(state, views, { run: ref, baseCommit: input.baseCommit, startedAt: input.startedAt, endedAt });
  const apply = (event: RunEvent): void => {
    state = reduceRun(state, event, views);
    changed = true;
  };
  /** Lets something go on beside the main loop; a continue-as-new waits for it. */
  const post = (work: Promise<unknown>): void => {
    inFlight += 1;
    void work.finally(() => {
      inFlight -= 1;
      changed = true;
    });
  };
  const tasks = new RunTasks(input, views, apply);
  const openTasks = (): string[] => Object.keys(state.tasks).filter((id) => state.tasks[id]?.open === true);
  /** Starts a task, and tells it what a person said while its start was under way, or before it was adopted. */
  const start = async (id: string): Promise<void> => {
    const before = state.paused;
    const adopted = await tasks.start(id, state);
    if ((state.paused === before && !adopted) || state.tasks[id]?.open !== true) return;
    const held = state.paused === 'paused' ? messages.pauseSignal : messages.stopSignal;
    const signal = state.paused === null ? messages.resumeSignal : held;
    await signalIfOpen(taskWorkflowId(ref.project, ref.run, id), signal);
  };
  const tellTasks = (signal: SignalDefinition): void =>
    openTasks().forEach((id) => post(signalIfOpen(taskWorkflowId(ref.project, ref.run, id), signal)));

  setHandler(messages.statusQuery, describe);
  setHandler(messages.reportSignal, (report) => apply({ type: 'report', at: Date.now(), report }));
  setHandler(messages.locksSignal, (answer) => {
    apply({ type: 'locks', at: Date.now(), answer });
    const snapshot = lockSnapshot(state, views, workflowId);
    // With every place taken by what the table granted, it knows all that it needs: no word of thanks. A table that asked
    // still gets its answer.
    if (told !== null && told !== '' && snapshot.slots === 0) told = lockNews(snapshot);
  });
  setHandler(messages.landingSignal, (news) => apply({ type: 'landing', at: Date.now(), news }));
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
    });
  }
  setHandler(
    messages.retryTaskUpdate,
    ({ task }: { task: string }) => {
      cancelAsked.delete(task);
      apply({ type: 'retryTask', at: Date.now(), task });
      return `${task} is tried again`;
    },
    {
      validator: ({ task }: { task: string }) => {
        const progress = state.tasks[task];
        if (progress === undefined) throw refusal(`the run has no task ${task}`);
        if (!canRetry(progress))
          throw refusal(`${task} is ${progress.status}; only a failed or cancelled task is retried`);
      },
    },
  );
  setHandler(
    messages.cancelTaskUpdate,
    ({ task }: { task: string }) => {
      apply({ type: 'cancelTask', at: Date.now(), task });
      return `${task} is cancelled`;
    },
    {
      validator: ({ task }: { task: string }) => {
        const progress = state.tasks[task];
        if (progress === undefined) throw refusal(`the run has no task ${task}`);
        if (isEnded(progress)) throw refusal(`${task} is ${progress.status} already`);
      },
    },
  );
  root.cancelRequested.catch(() => apply({ type: 'cancel', at: Date.now() }));
  const quiet = (): boolean => inFlight === 0 && allHandlersFinished();
  const isDone = (): boolean => (state.cancelling ? openTasks().length === 0 && !tasks.starting() : isOver(state));
  const mustContinue = (): boolean => workflowInfo().continueAsNewSuggested && !state.cancelling;

  const askLocks = (): void => {
    const snapshot = lockSnapshot(state, views, workflowId);
    const text = lockNews(snapshot);
    if (text === told || (told === '' && snapshot.holds.length + snapshot.wants.length === 0)) return;
    told = text;
    const seq = state.seq + 1;
    apply({ type: 'synced', at: Date.now(), seq });
    post(signalService(service, messages.syncSignal, { ...snapshot, seq }));
  };
  const present = (): void => {
    const description = describe();
    setCurrentDetails(runTable(description));
    if (description.status === shownStatus) return;
    shownStatus = description.status;
    if (workflowInfo().typedSearchAttributes.get(STATUS_ATTRIBUTE) === undefined) return;
    upsertSearchAttributes([{ key: STATUS_ATTRIBUTE, value: description.status }]);
  };

  await loadTasks(input, views, apply);
  tasks.watchInherited(openTasks());
  for (;;) {
    changed = false;
    for (const id of tasksToStart(state)) if (tasks.claim(id)) post(start(id));
    for (const id of openTasks()) {
      if (!(state.cancelling || state.tasks[id]?.cancelling === true) || cancelAsked.has(id)) continue;
      cancelAsked.add(id);
      post(cancelIfOpen(taskWorkflowId(ref.project, ref.run, id)));
    }
    askLocks();
    present();
    if (isDone() && quiet()) break;
    if (mustContinue() && quiet()) await continueAsNew<typeof run>({ ...input, state });
    await condition(() => changed || ((isDone() || mustContinue()) && quiet()));
  }
  endedAt = Date.now();
  present();
  const result = describe();
  if (result.status === 'cancelled') throw new CancelledFailure('the run was cancelled');
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

async function loadTasks(
  input: RunInput,
  views: Record<string, TaskView>,
  apply: (event: RunEvent) => void,
): Promise<void> {
  for (let from: number | null = 0; from !== null;) {
    const { tasks, next }: { tasks: TaskView[]; next: number | null } = await manifestActivities(
      input.run.repository,
    ).loadTasks({
      run: input.run,
      from,
    });
    for (const task of tasks) views[task.id] = task;
    apply({ type: 'loaded', at: Date.now(), tasks, last: next === null });
    from = next;
  }
}

function refusal(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'Refused', message, nonRetryable: true });
}
