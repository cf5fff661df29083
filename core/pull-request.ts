import type { Evidence } from './evidence.ts';
import type { FailedCheck, MergeAnswer, RemoteRefusal, RequestView } from './remote.ts';

/** The state of a task's pull request; plain JSON. */
export interface RequestState {
  version: 1;
  /** The commit that was verified and pushed: nothing else is merged. */
  head: string;
  /** When it was pushed, milliseconds since the epoch. */
  pushedAt: number;
  number: number | null;
  url: string | null;
  /** How long the first check may take to appear before it counts as one without checks, milliseconds. */
  graceMs: number;
  /** `working`: the last step is being done, and no news counts; `waiting`: for news; the others: it is over. */
  phase: 'working' | 'waiting' | 'merged' | 'rejected';
  /** It was made ready for review by us: if it is a draft again, a person holds it back. */
  madeReady: boolean;
  /** What it waits for, as it follows "pull request #1:". */
  waits: string | null;
  /** Only a person can bring that about: a review, a right, a push. */
  person: boolean;
  /** It could not be looked at or pushed: it is left alone until {@link lookAt}. */
  blind: boolean;
  /** The stamp of the view that was seen last, and when to look again even if nothing changes. */
  seen: string | null;
  lookAt: number | null;
  /** How often the remote refused something since the commit was pushed. */
  refusals: number;
}

/** What a task waits for at its pull request, told to its run whenever that changes. */
export interface RequestNews {
  task: string;
  attempt: number;
  /** `null`: it could not be opened so far. */
  number: number | null;
  url: string | null;
  /** As it follows "pull request #1:"; `null`: nothing, something is being done. */
  waits: string | null;
  /** Only a person can bring that about. */
  person: boolean;
}

/** What happens to a request. Times are milliseconds since the epoch. */
export type RequestEvent =
  /** A verified commit is on the task's branch: the first, or a new one that takes its place. */
  | { type: 'pushed'; at: number; head: string }
  | { type: 'opened'; number: number; url: string; draft: boolean; graceMs: number }
  | { type: 'seen'; at: number; view: RequestView; stamp: string }
  | { type: 'answered'; at: number; answer: MergeAnswer }
  /** It could not be opened or looked at. */
  | { type: 'refused'; at: number; refusal: RemoteRefusal }
  /** It is time to look again at one that is not open yet. */
  | { type: 'tick'; at: number };

/** What is to be done next. */
export type RequestStep =
  /** Open or update it, ready for review. */
  | { do: 'open' }
  | { do: 'merge' }
  /** The remote's branch has `commit`, the merge: fetch it, and accept it. */
  | { do: 'follow'; commit: string }
  /** The branch it goes into has moved: make the candidate anew, check and push it. */
  | { do: 'rebuild'; why: string }
  /** It is over: back to the task. */
  | { do: 'reject'; evidence: Evidence }
  /** Nothing, until there is news. */
  | { do: 'wait' };

/** The state after an event, and what to do. */
export interface RequestTurn {
  state: RequestState;
  step: RequestStep;
}

/** How long to wait after a refusal, milliseconds: the last for all later ones. */
const REFUSED = [15_000, 60_000, 300_000, 600_000];

/** Most characters of what a request waits for. */
const MOST_REASON = 700;

/** Most characters of failed checks' output that the task is told. */
const MOST_DETAIL = 12_000;

/** A request that is to be made for a verified commit which is on the task's branch. */
export function newRequest(head: string, at: number): RequestState {
  return {
    ...{ version: 1, head, pushedAt: at, number: null, url: null, phase: 'working' },
    ...{ graceMs: 0, madeReady: false, seen: null, lookAt: null, refusals: 0 },
    ...{ waits: null, person: false, blind: false },
  };
}

/** Is it over, merged or not? */
export function isRequestOver({ phase }: Pick<RequestState, 'phase'>): boolean {
  return phase === 'merged' || phase === 'rejected';
}

/** What an event makes of a request. A request that is over stays as it is, and asks for nothing more. */
export function reduceRequest(state: RequestState, event: RequestEvent, attempt: number): RequestTurn {
  if (isRequestOver(state)) return { state, step: { do: 'wait' } };
  switch (event.type) {
    case 'pushed': {
      // Made anew, it came out the same: what it waits for is still to come.
      if (event.head === state.head && state.number !== null) return wait(state, state.waits, null, state.person);
      const { number, url, madeReady, graceMs } = state;
      return { state: { ...newRequest(event.head, event.at), number, url, madeReady, graceMs }, step: { do: 'open' } };
    }
    case 'opened': {
      const { number, url, graceMs } = event;
      const madeReady = state.madeReady || !event.draft;
      return wait({ ...state, number, url, madeReady, graceMs }, 'waits for news of its checks', null);
    }
    case 'seen':
      if (event.view.number !== state.number) return { state, step: { do: 'wait' } };
      return seen({ ...state, seen: event.stamp, url: event.view.url }, event, attempt);
    case 'answered':
      return answered(state, event, attempt);
    case 'refused':
      return putOff(state, event.refusal, event.at);
    case 'tick': {
      const due = state.number === null && (state.lookAt === null || event.at >= state.lookAt);
      return { state, step: due ? { do: 'open' } : { do: 'wait' } };
    }
  }
}

function seen(
  state: RequestState,
  { view, at }: Extract<RequestEvent, { type: 'seen' }>,
  attempt: number,
): RequestTurn {
  const { checks } = view;
  if (view.state === 'merged') {
    // Without a commit there is nothing to follow yet; the remote names it a moment later.
    if (view.mergeCommit === null) return wait(state, 'the remote has not told its merge commit yet', at + 5000);
    return over(state, 'merged', { do: 'follow', commit: view.mergeCommit });
  }
  if (view.state === 'closed') return rejected(state, closedEvidence(view, attempt));
  if (view.head !== state.head) {
    const why = `its branch holds ${view.head.slice(0, 10)}, which Signalbox did not verify: merge or close it yourself`;
    return waitForPerson(state, why);
  }
  if (checks.failed.length > 0) return rejected(state, failedEvidence(view, state.head, attempt));
  // Made anew, it would be made ready, too.
  if (view.draft && state.madeReady) return waitForPerson(state, 'a person made it a draft again');
  if (view.mergeable === 'conflict') return rebuild(state, 'it conflicts with the branch on the remote');
  if (view.mergeable === 'behind') return rebuild(state, 'the branch on the remote has moved');
  if (view.draft) return { state: { ...state, phase: 'working', waits: null, person: false }, step: { do: 'open' } };
  if (checks.pending.length > 0)
    return wait(state, `waits for its checks: ${checks.pending.slice(0, 3).join(', ')}`, null);
  const until = state.pushedAt + state.graceMs;
  if (checks.total === 0 && at < until) return wait(state, 'waits for its first check', until);
  if (view.mergeable === 'unknown') return wait(state, 'the remote looks whether it can be merged', at + 5000);
  if (view.mergeable === 'blocked') return waitForPerson(state, 'the remote wants more than checks, such as a review');
  if (state.lookAt !== null && at < state.lookAt && state.refusals > 0)
    return wait(state, state.waits, state.lookAt, state.person);
  return { state: { ...state, phase: 'working', waits: null, person: false, lookAt: null }, step: { do: 'merge' } };
}

function answered(
  state: RequestState,
  { at, answer }: Extract<RequestEvent, { type: 'answered' }>,
  attempt: number,
): RequestTurn {
  switch (answer.outcome) {
    case 'merged':
      return over(state, 'merged', { do: 'follow', commit: answer.commit });
    case 'closed':
      return rejected(state, closedEvidence({ number: state.number ?? 0, url: state.url ?? '', by: null }, attempt));
    case 'moved':
      if (answer.what === 'base') return rebuild(state, 'the branch on the remote has moved');
      return wait(state, `its branch holds ${answer.now.slice(0, 10)}, which Signalbox did not verify`, at + 5000);
    case 'blocked': {
      // What it wants may come to be at any time: it is watched on.
      const { state: next } = putOff(state, { reason: answer.reason, hint: null, passing: false }, at);
      return { state: { ...next, blind: false }, step: { do: 'wait' } };
    }
    case 'refused':
      return putOff(state, answer, at);
  }
}

function putOff(
  state: RequestState,
  { reason, hint, passing }: Pick<RemoteRefusal, 'reason' | 'hint' | 'passing'>,
  at: number,
): RequestTurn {
  const pause = REFUSED[Math.min(state.refusals, REFUSED.length - 1)] ?? 0;
  const told = hint === null ? reason : `${reason.replace(/\.$/, '')}. ${hint}`;
  const next = wait({ ...state, refusals: state.refusals + 1 }, told.slice(0, MOST_REASON), at + pause, !passing);
  return { ...next, state: { ...next.state, blind: true } };
}

function wait(state: RequestState, waits: string | null, lookAt: number | null, person = false): RequestTurn {
  return { state: { ...state, phase: 'waiting', waits, person, blind: false, lookAt }, step: { do: 'wait' } };
}

function waitForPerson(state: RequestState, why: string): RequestTurn {
  return wait(state, why, null, true);
}

function rebuild(state: RequestState, why: string): RequestTurn {
  return {
    state: { ...state, phase: 'working', waits: why, person: false, blind: false, lookAt: null },
    step: { do: 'rebuild', why },
  };
}

function over(state: RequestState, phase: 'merged' | 'rejected', step: RequestStep): RequestTurn {
  return { state: { ...state, phase, waits: null, person: false, blind: false, lookAt: null }, step };
}

function rejected(state: RequestState, evidence: Evidence): RequestTurn {
  return over(state, 'rejected', { do: 'reject', evidence });
}

function closedEvidence(view: Pick<RequestView, 'number' | 'url' | 'by'>, attempt: number): Evidence {
  const who = view.by === null ? 'a person' : `@${view.by}`;
  const summary = `${who} closed pull request #${view.number} without merging it`;
  return { kind: 'rejected', summary, detail: view.url, attempt, commit: null, tried: '', changes: '' };
}

function failedEvidence(view: RequestView, head: string, attempt: number): Evidence {
  const { failed } = view.checks;
  const names = failed.map(({ name }) => name);
  const several = failed.length > 1;
  const summary = `${several ? 'checks' : 'check'} ${names.join(', ')} of pull request #${view.number} failed`;
  const detail = failed.map(shownCheck).join('\n\n').slice(0, MOST_DETAIL);
  return {
    kind: 'failed_integration',
    summary: summary.slice(0, 500),
    detail,
    attempt,
    commit: head,
    tried: '',
    changes: '',
  };
}

function shownCheck({ name, summary, url, output }: FailedCheck): string {
  return [`${name}: ${summary}`, url ?? '', output].filter((part) => part !== '').join('\n');
}
