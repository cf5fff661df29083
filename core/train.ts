import type { Evidence } from './evidence.ts';
import type { RunRef } from './run-ref.ts';

/** A finished task on its way into the integration branch. */
export interface TrainMember {
  run: RunRef;
  task: string;
  name: string;
  attempt: number;
  /** The verified snapshot, and the tip that it started from. */
  commit: string;
  base: string;
}

/** A task's wish to take its member out again. Answered by a {@link TrainResult}: `withdrawn`, or how it ended. */
export interface Withdrawal {
  run: RunRef;
  task: string;
  attempt: number;
}

/** What became of a member, told to its task. */
export type TrainResult =
  | { outcome: 'merged'; attempt: number; commit: string }
  | { outcome: 'rejected'; attempt: number; evidence: Evidence }
  | { outcome: 'withdrawn'; attempt: number };

/** Whether the user's branch follows the accepted tip, told to the runs that have work in it. */
export interface LandingNews {
  /** The accepted tip, in Signalbox's own repository. */
  tip: string;
  landed: boolean;
  /** Why the user's repository refused it, and how to mend that; `null` when it landed. */
  reason: string | null;
  hint: string | null;
  /** The user's branch has commits that the accepted tip lacks: they must be joined and checked before it can land. */
  diverged: boolean;
}

/** The train's state; plain JSON. Members are identified by run, task and attempt. */
export interface TrainQueue {
  version: 1;
  waiting: TrainMember[];
  /** The member whose candidate is being built, checked or landed. */
  current: TrainMember | null;
  /** Answers of the last members, so that a doubled `submit` or a late `withdraw` gets the same answer again. */
  answered: { key: string; result: TrainResult }[];
  /** The accepted tip has not reached the user's branch; runs to tell when it does. */
  unlanded: { news: LandingNews; runs: RunRef[] } | null;
}

const REMEMBERED = 50;

/** An empty train. */
export function emptyTrain(): TrainQueue {
  return { version: 1, waiting: [], current: null, answered: [], unlanded: null };
}

/** The identity of a member. */
export function memberKey(member: Pick<TrainMember, 'run' | 'task' | 'attempt'>): string {
  return [member.run.project, member.run.run, member.task, String(member.attempt)].join('..');
}

/** What to do after a message: the new queue, and an answer to send at once, if there is one. */
export interface TrainStep {
  queue: TrainQueue;
  answer: TrainResult | null;
}

/** Takes a member in, once. One that was answered before gets that answer again. */
export function submit(queue: TrainQueue, member: TrainMember): TrainStep {
  const key = memberKey(member);
  const before = queue.answered.find((answered) => answered.key === key);
  if (before !== undefined) return { queue, answer: before.result };
  const known = [queue.current, ...queue.waiting].some((other) => other !== null && memberKey(other) === key);
  return { queue: known ? queue : { ...queue, waiting: [...queue.waiting, member] }, answer: null };
}

/**
 * Takes a member out. One that is in work is answered later: it is let through or dropped by whoever works on it
 * (see {@link isWithdrawn}).
 */
export function withdraw(queue: TrainQueue, withdrawal: Withdrawal): TrainStep {
  const key = memberKey(withdrawal);
  const before = queue.answered.find((answered) => answered.key === key);
  if (before !== undefined) return { queue, answer: before.result };
  if (queue.current !== null && memberKey(queue.current) === key) return { queue, answer: null };
  const result: TrainResult = { outcome: 'withdrawn', attempt: withdrawal.attempt };
  const waiting = queue.waiting.filter((member) => memberKey(member) !== key);
  return { queue: remember({ ...queue, waiting }, key, result), answer: result };
}

/** Takes the next member into work. */
export function begin(queue: TrainQueue): TrainQueue {
  const [current, ...waiting] = queue.waiting;
  return current === undefined ? queue : { ...queue, current, waiting };
}

/** Records what became of the member in work. */
export function finish(queue: TrainQueue, result: TrainResult): TrainQueue {
  if (queue.current === null) return queue;
  return remember({ ...queue, current: null }, memberKey(queue.current), result);
}

/**
 * Records whether the user's branch follows. Returns the runs to tell: all that wait for it, when the answer is new.
 */
export function landing(
  queue: TrainQueue,
  news: LandingNews,
  run: RunRef | null,
): { queue: TrainQueue; tell: RunRef[] } {
  const waiting = queue.unlanded?.runs ?? [];
  const known = run === null || waiting.some((other) => other.project === run.project && other.run === run.run);
  const runs = known ? waiting : [...waiting, run];
  if (news.landed) return { queue: { ...queue, unlanded: null }, tell: waiting };
  const same =
    queue.unlanded !== null && queue.unlanded.news.reason === news.reason && queue.unlanded.news.tip === news.tip;
  return { queue: { ...queue, unlanded: { news, runs } }, tell: same && known ? [] : runs };
}

function remember(queue: TrainQueue, key: string, result: TrainResult): TrainQueue {
  return { ...queue, answered: [...queue.answered, { key, result }].slice(-REMEMBERED) };
}
