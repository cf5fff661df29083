import type { Evidence } from './evidence.ts';
import type { RunRef } from './run-ref.ts';

/** How a member is to be checked: what its run's pinned configuration says, as its verdict found it. */
export interface Ride {
  /** Digest of the definition of its integration checks. Only members with the same one are checked together. */
  checks: string;
  /** The lane whose paths hold all that it changed, if the project has such lanes. */
  lane: string | null;
  /** How many checks may run at once. */
  slots: number;
  /** Is the tip alone checked again before a red check is blamed on a member? */
  recheckTip: boolean;
  /** What happens when the checks pass also with the canary's variable set. */
  canary: 'off' | 'warn' | 'block';
}

/** A finished task on its way into the integration branch. */
export interface TrainMember {
  run: RunRef;
  task: string;
  name: string;
  attempt: number;
  /** The verified snapshot, and the tip that it started from. */
  commit: string;
  base: string;
  ride: Ride;
}

/** Who a member is. */
export type MemberId = Pick<TrainMember, 'run' | 'task' | 'attempt'>;

/** What became of a member, told to its task. */
export type TrainResult =
  | { outcome: 'merged'; attempt: number; commit: string; warnings?: string[] }
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

/** Why the train stands and waits for a person; told to all runs that have members in it. `null` when it goes on. */
export interface Halt {
  /**
   * `tip`: the accepted tip fails its own checks. `canary`: the checks prove nothing. `base`: what the user committed
   * conflicts with accepted work that has not reached the branch. `error`: something could not be carried out; it is
   * tried again by itself.
   */
  kind: 'tip' | 'canary' | 'base' | 'error';
  /** One sentence. */
  reason: string;
  hint: string;
  /** What the checks said, bounded; empty where none ran. */
  detail: string;
  /** The accepted tip and the user's branch at that time: another one is reason to go on by itself. */
  tip: string;
}

/** What a run is told of a halt: also which of its tasks wait in the train. */
export interface TrainHalt extends Pick<Halt, 'kind' | 'reason' | 'hint' | 'detail'> {
  tasks: string[];
}

/** The identity of a member. */
export function memberKey(member: MemberId): string {
  return [member.run.project, member.run.run, member.task, String(member.attempt)].join('..');
}
