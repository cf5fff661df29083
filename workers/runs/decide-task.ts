import { SignalboxError } from '../../core/failures.ts';
import { decisionProblem, isPossible, type Decision } from '../../core/person.ts';
import { waitingTasks, type WaitingTask } from '../../core/waiting.ts';
import { decideTaskUpdate } from '../../workflows/messages.ts';
import { requireOpenRun, type Session } from '../session.ts';
import { noSuchTask } from './unknown.ts';
import { updateRun } from './update-run.ts';

/** What a person says to a task, whatever it waits for. */
export type Word = Pick<Decision, 'outcome' | 'text' | 'inputs'>;

/** The commands' words for what a person can say. */
const WORDS: Readonly<Record<Decision['outcome'], string>> = {
  approve: 'approved',
  reject: 'rejected',
  retry: 'retried',
  answer: 'answered',
};

/** The longest text that a person may give, in characters. */
const LONGEST_TEXT = 20_000;

/**
 * The task that a person's word is for: the named one, or the only one of the run that waits for such a word.
 *
 * @throws SignalboxError `refused` if it waits for nothing, or for another word; `usage` if several could be meant;
 *   `not_found` with the nearest run or task
 */
export async function taskToDecide(
  session: Session,
  run: string,
  task: string | undefined,
  outcome: Decision['outcome'],
): Promise<WaitingTask> {
  await requireOpenRun(
    session,
    run,
    `${task === undefined ? 'nothing of it can' : `${task} cannot`} be ${WORDS[outcome]}`,
  );
  const description = await session.reader.read(session.project.id, run);
  const waiting = waitingTasks(description);
  if (task === undefined) return onlyOne(run, waiting, outcome);
  const found = waiting.find((candidate) => candidate.task_id === task);
  if (found !== undefined) return requirePossible(found, outcome);
  const known = description.tasks[task];
  if (known === undefined) throw noSuchTask(run, task, Object.keys(description.tasks));
  throw new SignalboxError('refused', `${task} does not wait for a person: it is ${known.status}`, {
    hint: otherwise(run, waiting),
  });
}

/** @throws SignalboxError `refused` if what the task waits for is another word */
export function requirePossible(waiting: WaitingTask, outcome: Decision['outcome']): WaitingTask {
  if (isPossible(waiting.kind, outcome)) return waiting;
  const decision = decisionOf(waiting, { outcome, text: null, inputs: {} });
  throw new SignalboxError('refused', decisionProblem(waiting.task_id, waiting, decision) ?? 'it is not possible');
}

/**
 * Tells a task what a person said. It is about the wait that the person saw: if that is over, the run refuses it.
 *
 * @throws SignalboxError `refused` with the run's reason, `usage` for a text that is too long
 */
export async function decideTask(session: Session, run: string, waiting: WaitingTask, word: Word): Promise<void> {
  requireShort(word.text);
  const decision = decisionOf(waiting, word);
  const problem = decisionProblem(waiting.task_id, waiting, decision);
  if (problem !== null) throw new SignalboxError('refused', problem);
  await updateRun(session, run, decideTaskUpdate, { task: waiting.task_id, decision });
}

/** @throws SignalboxError `usage` for a text that is too long to be a part of a history */
export function requireShort(text: string | null): void {
  if ((text ?? '').length <= LONGEST_TEXT) return;
  throw new SignalboxError('usage', `the text is longer than ${LONGEST_TEXT} characters`, {
    hint: 'Put it into a file of the repository, and name that.',
  });
}

function decisionOf({ id }: WaitingTask, word: Word): Decision {
  return { wait: id, ...word, by: 'person' };
}

function onlyOne(run: string, waiting: readonly WaitingTask[], outcome: Decision['outcome']): WaitingTask {
  const possible = waiting.filter(({ kind }) => isPossible(kind, outcome));
  const [only] = possible;
  if (only === undefined) {
    throw new SignalboxError('refused', `no task of run ${run} waits to be ${WORDS[outcome]}`, {
      hint: otherwise(run, waiting),
    });
  }
  if (possible.length === 1) return only;
  const lines = possible.map(({ task_id, name, question }) => `  ${task_id} ${name}: ${question}`);
  throw new SignalboxError(
    'usage',
    `${possible.length} tasks of run ${run} could be ${WORDS[outcome]}; name one:\n${lines.join('\n')}`,
  );
}

function otherwise(run: string, waiting: readonly WaitingTask[]): string {
  if (waiting.length === 0) return 'See "signalbox run list --waiting" for what waits in all runs.';
  const ids = waiting.map(({ task_id }) => task_id).join(', ');
  return `In run ${run}, ${ids} ${waiting.length === 1 ? 'waits' : 'wait'}; see "signalbox task list --waiting".`;
}
