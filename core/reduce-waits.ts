import { releaseLocks } from './reduce-locks.ts';
import { decisionProblem, defaultDecision, type Decision } from './person.ts';
import { isEnded, updateTask, type RunState, type TaskProgress, type TaskView } from './run-state.ts';

/**
 * A task that is not started yet, with what it asks a person for now: its inputs as soon as it is known, the word to
 * start when all that it depends on is merged. `null` if it asks nothing.
 */
export function askForWhatIsMissing(
  task: TaskProgress,
  view: TaskView,
  ready: boolean,
  at: number,
  deadline: number | null,
): TaskProgress | null {
  const missing = view.inputs.filter(({ name }) => !Object.hasOwn(task.inputs, name));
  const kind = missing.length > 0 ? 'input' : ready && view.approval === 'start' && !task.approved ? 'start' : null;
  if (kind === null) return null;
  if (task.wait?.kind === kind && task.wait.inputs.length === missing.length) return task;
  const id = task.waits + 1;
  const question =
    kind === 'start' ? `May ${view.id} ${view.name} start?` : missing.map(({ prompt }) => prompt).join(' ');
  const wait = { kind, id, question, since: at, deadline, report: null, inputs: missing } as const;
  return { ...task, status: 'waiting_for_person', reason: question, waits: id, wait };
}

/** A person's word, or what counts as one. One that does not fit what the task waits for changes nothing. */
export function applyDecision(state: RunState, id: string, decision: Decision, at: number): RunState {
  const task = state.tasks[id];
  const wait = task?.wait ?? null;
  if (task === undefined || wait === null || decisionProblem(id, wait, decision) !== null) return state;
  if (wait.report !== null) return updateTask(state, id, () => told(task, wait.report ?? 0, decision));
  return updateTask(state, id, () => {
    if (decision.outcome === 'reject') return { ...rejected(decision), endedAt: at };
    const inputs = { ...task.inputs, ...decision.inputs };
    return { status: 'pending', reason: null, wait: null, inputs, approved: task.approved || wait.kind === 'start' };
  });
}

/** A decision for an open task is passed on to it; without its locks, it gets them first. A rejection needs none. */
function told(task: TaskProgress, report: number, decision: Decision): Partial<TaskProgress> {
  const released = !task.holds;
  const goesOn = !released || decision.outcome === 'reject';
  return {
    wait: null,
    status: goesOn ? 'working' : 'waiting_for_lock',
    reason: null,
    news: { kind: 'decision', report, decision, released },
  };
}

function rejected({ text, by }: Decision): Partial<TaskProgress> {
  const who = by === 'deadline' ? 'not started' : 'rejected by a person';
  return { status: 'cancelled', reason: text === null ? who : `${who}: ${text}`, wait: null };
}

/** Carries out what was to happen by now: deadlines of people, and locks that were waited for, or held idle, too long. */
export function applyTime(state: RunState, at: number): RunState {
  let next = state;
  for (const [id, task] of Object.entries(state.tasks)) {
    const due = dueAt(task, state);
    if (due === null || due > at) continue;
    const { wait, growth } = task;
    if (wait !== null && wait.deadline !== null && wait.deadline <= at) {
      next = applyDecision(next, id, defaultDecision(wait, state.settings.people), at);
    } else if (wait !== null) next = updateTask(next, id, () => ({ holds: false }));
    else if (growth !== null) next = updateTask(next, id, () => releaseLocks(task, growth, 'it waited too long'));
  }
  return next;
}

/** When something is to happen next because time has passed, milliseconds since the epoch; `null`: never. */
export function nextDeadline(state: RunState): number | null {
  const all = Object.values(state.tasks).flatMap((task) => dueAt(task, state) ?? []);
  return all.length === 0 ? null : Math.min(...all);
}

function dueAt(task: TaskProgress, state: RunState): number | null {
  if (isEnded(task)) return null;
  const times = [
    task.wait?.deadline ?? null,
    task.wait !== null && task.open && task.holds ? task.wait.since + state.settings.idleLocksMs : null,
    task.growth !== null && task.holds ? task.growth.since + state.settings.growthWaitMs : null,
  ].filter((time) => time !== null);
  return times.length === 0 ? null : Math.min(...times);
}
