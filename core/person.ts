/**
 * What a person is asked for: a word before a task starts or is merged, a look at work that a limit or a judge stopped
 * (`review`), an answer to what an agent asked, or the inputs that a task file declares.
 */
export type WaitKind = 'start' | 'merge' | 'review' | 'question' | 'input';

/** Something that a task file asks a person for before the task starts. */
export interface InputRequest {
  name: string;
  prompt: string;
  /** Its value is sealed before it leaves the person's terminal, and reaches checks only: no agent, log or history. */
  secret: boolean;
}

/** What a person gave. A secret is sealed with a key that only the host has. */
export type InputValue = { value: string } | { sealed: string };

/** A task that waits for a person. */
export interface PersonWait {
  kind: WaitKind;
  /** Grows with each wait of the task: an answer names the one that it is about, so that it never hits another. */
  id: number;
  /** What is asked, bounded. */
  question: string;
  /** Milliseconds since the epoch. */
  since: number;
  /** When the default outcome applies, milliseconds since the epoch; `null`: it waits for as long as it takes. */
  deadline: number | null;
  /** The number of the report that asked; `null` for what is asked before the task's workflow starts. */
  report: number | null;
  /** For `input`: what is still missing. */
  inputs: InputRequest[];
}

/** What a person said, or what applies when nobody said anything in time. */
export interface Decision {
  /** The wait that it is about, see {@link PersonWait.id}. */
  wait: number;
  outcome: 'approve' | 'reject' | 'retry' | 'answer';
  /** The answer, the guidance for the next attempt, or the reason of a rejection. */
  text: string | null;
  /** For `input`. */
  inputs: Record<string, InputValue>;
  by: 'person' | 'deadline';
}

/** How runs deal with people: from the configuration. */
export interface PeopleSettings {
  /** How long a person has, milliseconds; `null`: for ever. */
  deadlineMs: number | null;
  /**
   * What applies afterwards. Only a start and a merge can be approved by time: what stopped at a bound would go on spending
   * with nobody there, and a question needs an answer.
   */
  outcome: 'approve' | 'reject';
}

const OUTCOMES: Readonly<Record<WaitKind, readonly Decision['outcome'][]>> = {
  start: ['approve', 'reject'],
  merge: ['approve', 'reject', 'retry'],
  review: ['approve', 'reject', 'retry'],
  question: ['answer', 'reject', 'retry'],
  input: ['answer', 'reject'],
};

/** Is this an answer to what waits so? */
export function isPossible(kind: WaitKind, outcome: Decision['outcome']): boolean {
  return OUTCOMES[kind].includes(outcome);
}

/** Why a decision does not fit what a task waits for; `null` if it does. */
export function decisionProblem(
  task: string,
  wait: Pick<PersonWait, 'kind' | 'id' | 'question' | 'inputs'> | null,
  decision: Decision,
): string | null {
  if (wait === null) return `${task} does not wait for a person`;
  if (wait.id !== decision.wait) return `${task} asks for something else by now: ${wait.question}`;
  if (!isPossible(wait.kind, decision.outcome)) {
    return `${task} waits for ${WAITS_FOR[wait.kind]}; ${listOf(OUTCOMES[wait.kind])} is possible, not ${decision.outcome}`;
  }
  if (wait.kind === 'question' && decision.outcome === 'answer' && (decision.text ?? '').trim() === '') {
    return `${task} asks a question; the answer is empty`;
  }
  if (wait.kind !== 'input' || decision.outcome !== 'answer') return null;
  const names = wait.inputs.map(({ name }) => name);
  const unknown = Object.keys(decision.inputs).filter((name) => !names.includes(name));
  if (unknown.length > 0) return `${task} does not ask for ${listOf(unknown)}; it asks for ${listOf(names)}`;
  if (Object.keys(decision.inputs).length === 0) return `${task} asks for ${listOf(names)}; no value was given`;
  const open = wait.inputs.filter(({ name, secret }) => {
    const given = decision.inputs[name];
    return secret && given !== undefined && 'value' in given;
  });
  return open.length === 0 ? null : `${listOf(open.map(({ name }) => name))} is secret, and must be sealed`;
}

/** What a kind of wait is for, in words. */
export const WAITS_FOR: Readonly<Record<WaitKind, string>> = {
  start: 'a word before it starts',
  merge: 'a word before it is merged',
  review: 'a look at its work',
  question: 'an answer',
  input: 'its inputs',
};

/** The decision that applies when a deadline has passed. */
export function defaultDecision(wait: PersonWait, people: PeopleSettings): Decision {
  const approvable = wait.kind === 'start' || wait.kind === 'merge';
  const outcome = approvable ? people.outcome : 'reject';
  return { wait: wait.id, outcome, text: 'nobody answered in time', inputs: {}, by: 'deadline' };
}

function listOf(words: readonly string[]): string {
  return words.length <= 1 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}
