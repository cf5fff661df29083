import type { TrainMember } from './train.ts';
import type { RunRef } from './run-ref.ts';

/** What a remote did not do, and why, in words for people. It is an answer, not an error: it holds up no local merge. */
export interface RemoteRefusal {
  outcome: 'refused';
  /** One sentence. */
  reason: string;
  /** What mends it; `null` where only time does. */
  hint: string | null;
  /** May the same call succeed later by itself: a cut line, a limit, a server that is down? */
  passing: boolean;
}

/** What became of a push. `off`: the run's configuration does not ask for it. */
export type PushAnswer =
  | { outcome: 'pushed' | 'already'; branch: string; commit: string }
  | { outcome: 'off' }
  /** `foreign`: the branch holds what somebody else pushed. */
  | (RemoteRefusal & { foreign?: boolean });

/** What became of opening or updating a pull request. */
export type OpenAnswer =
  | {
      outcome: 'opened' | 'updated';
      number: number;
      url: string;
      draft: boolean;
      /** How long its first check may take to appear, milliseconds; from the run's configuration. */
      graceMs: number;
    }
  | { outcome: 'off' }
  | RemoteRefusal;

/** A check of a pull request's own that failed. */
export interface FailedCheck {
  name: string;
  /** One line of what it says of itself. */
  summary: string;
  /** Where its whole output is. */
  url: string | null;
  /** What it says, bounded. */
  output: string;
}

/** What the checks of a request's head say. */
export interface RequestChecks {
  /** How many there are that count. */
  total: number;
  /** Names of those that have not ended, or are required and have not appeared; at most some. */
  pending: string[];
  /** At most some. */
  failed: FailedCheck[];
}

/** A pull request as the remote tells it. Small: it goes through histories. */
export interface RequestView {
  number: number;
  url: string;
  state: 'open' | 'merged' | 'closed';
  draft: boolean;
  /** The commit of its branch. */
  head: string;
  /** What became of the integration branch when it was merged. */
  mergeCommit: string | null;
  /** Who merged or closed it. */
  by: string | null;
  /**
   * Could it be merged? `conflict`: not with the branch as it is; `behind`: the remote wants it rebuilt on the branch's tip;
   * `blocked`: the remote waits for more than checks, such as a review; `unknown`: it has not found out yet.
   */
  mergeable: 'yes' | 'conflict' | 'behind' | 'blocked' | 'unknown';
  checks: RequestChecks;
}

/** A view with a stamp that differs when anything in it does. */
export interface StampedView {
  view: RequestView;
  stamp: string;
}

/** A request to watch. */
export interface WatchedRequest {
  run: RunRef;
  task: string;
  number: number;
  /** The stamp of the view that is known already, which is not news. */
  seen: string | null;
  /** When it is told even if it did not change; milliseconds since the epoch. */
  lookAt: number | null;
}

/** What {@link RemoteActivities.watchRequests} saw: news of some requests, or why it sees nothing. */
export interface WatchAnswer {
  views: (StampedView & { task: string; run: string })[];
  refusal: RemoteRefusal | null;
  /** Those that the refusal is about; without this, all of them. */
  unseen?: { task: string; run: string }[];
}

/** What became of a merge through the remote. `moved`: head or base is another than the one that was verified. */
export type MergeAnswer =
  | { outcome: 'merged'; commit: string }
  | { outcome: 'moved'; what: 'head' | 'base'; now: string }
  | { outcome: 'closed' }
  | { outcome: 'blocked'; reason: string }
  | RemoteRefusal;

/** Where the remote's integration branch stands beside the accepted tip. */
export type FollowAnswer =
  /** The accepted tip has all of it. */
  | { outcome: 'same'; tip: string }
  /** It contains the accepted tip, and more: a candidate that can be checked and accepted like any other. */
  | { outcome: 'ahead'; commit: string; tip: string }
  /** Each has commits that the other lacks, or it lacks what was to be in it. */
  | { outcome: 'apart'; commit: string; tip: string; reason: string; hint: string }
  | { outcome: 'off' }
  | RemoteRefusal;

/** Activities on the remote of a repository. They run on its home host, and may run twice. */
export interface RemoteActivities {
  /**
   * Makes a verified commit the remote's branch of its task. Replaces there only what Signalbox pushed itself: what
   * somebody else pushed to the branch is never overwritten.
   */
  pushTask(input: { run: RunRef; task: string; commit: string }): Promise<PushAnswer>;
  /** Brings the accepted tip to the remote's integration branch, by fast-forward only. */
  pushIntegration(input: { run: RunRef }): Promise<PushAnswer>;
  /**
   * Opens the task's pull request, or updates the one there is; its branch must be pushed. A draft until `ready`, then
   * reviewers are asked; it never goes back to a draft.
   *
   * @param input.known the request that the task has, and the commit on its branch: one that is that, or shows just that
   *   commit, and was closed or merged meanwhile is told as it is, and no second one opened
   */
  openRequest(input: {
    member: TrainMember;
    ready: boolean;
    known?: { number: number | null; head: string };
  }): Promise<OpenAnswer>;
  /** Waits until there is news of one of the requests; returns all that there is. Ends at once when it is cancelled. */
  watchRequests(input: { requests: WatchedRequest[] }): Promise<WatchAnswer>;
  /**
   * Merges a request, as `merge.style` says, if its head, and where it is given the remote's integration branch, are still
   * those that were verified. Succeeds too when it is merged already.
   */
  mergeRequest(input: { member: TrainMember; number: number; head: string; base: string | null }): Promise<MergeAnswer>;
  /** Fetches the remote's integration branch. @param input.contains a commit that must be in it, such as a request's merge */
  followRemote(input: { run: RunRef; contains: string | null }): Promise<FollowAnswer>;
}
