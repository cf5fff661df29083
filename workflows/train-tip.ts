import { condition } from '@temporalio/workflow';
import type { AcceptResult } from '../core/activities.ts';
import { packMembers } from '../core/packed-train.ts';
import type { RepositoryRef, RunRef } from '../core/run-ref.ts';
import { planBehind } from '../core/train-checks.ts';
import { halt, tipHalt } from '../core/train-halt.ts';
import type { Candidate, Waiting } from '../core/train-lane.ts';
import { accepted, arrive, beginAccepting, mayGrow, moved } from '../core/train-landing.ts';
import type { CheckReport } from '../core/checks.ts';
import type { pauseRequest } from '../core/train-requests.ts';
import { remoteActivities, trainActivities } from './activity-proxies.ts';
import type { Merge, TrainBuilder } from './train-builder.ts';
import { namesOf } from './train-lander.ts';
import { errorHalt } from './train-runner.ts';
import type { TrainState } from './train-state.ts';

/** A longer prefix that began with a green one is waited for so long. */
const SETTLING = '250ms';

/** What came of following the remote: the accepted tip, or why not, where that is not told elsewhere. */
export type Followed = { tip: string } | Parameters<typeof pauseRequest>[2];

const TOLD: Followed = { why: null, person: false };

const NOBODY = { members: [], lane: null, next: null };

/** Moves the accepted tip: to a green candidate, to what the user committed, to what the remote has. Nobody else does. */
export class TrainTip {
  readonly #repository: RepositoryRef;
  readonly #execution: string;
  readonly #state: TrainState;
  readonly #builder: TrainBuilder;

  /**
   * @param execution the first execution run id of the train: who may attach to its steps
   * @param builder is told what was merged along
   */
  constructor(repository: RepositoryRef, execution: string, state: TrainState, builder: TrainBuilder) {
    this.#repository = repository;
    this.#execution = execution;
    this.#state = state;
    this.#builder = builder;
  }

  /**
   * Accepts what is green.
   *
   * @param carryOut starts the checks that are to run by now: what comes next is begun while this is accepted
   * @returns whether anything was ready
   */
  async acceptGreen(carryOut: () => void): Promise<boolean> {
    const state = this.#state;
    if (beginAccepting(state.queue).acceptance === null) return false;
    if (mayGrow(state.queue)) await condition(() => !mayGrow(state.queue), SETTLING);
    const { queue, acceptance } = beginAccepting(state.queue);
    // It may have been withdrawn meanwhile.
    if (acceptance === null) return true;
    const { members, lane, check } = acceptance;
    const { candidate } = check;
    if (candidate === null) return false;
    state.queue = planBehind(queue);
    carryOut();
    try {
      const next = this.#builder.foresee(state.queue, candidate);
      const summary = `accept ${namesOf(members)}`;
      const step = await this.#accept(summary, candidate, { members, lane: lane.ride.lane, next });
      if (next !== null && step?.next != null) this.#builder.note(next, step.next);
      state.change((before) => (step === null ? moved(before) : accepted(before, step)));
    } catch (error) {
      const why = errorHalt(error, 'checked work could not be accepted', candidate.tip);
      state.change((before) => halt(moved(before), why));
    }
    return true;
  }

  /**
   * Joins what the user committed meanwhile with accepted work that has not landed, and accepts both together if they are
   * green. @returns why that cannot be, or `null`
   */
  async joinUser(run: RunRef): Promise<string | null> {
    const { branch } = this.#repository;
    const whose = `the commits that ${branch} got meanwhile`;
    const request = { repository: this.#repository, run, members: packMembers([]), prefixes: [] };
    const joined = await trainActivities(this.#repository, `merge ${whose}`).candidates(request);
    if (joined.kind === 'conflict') return joined.reason;
    const { base: commit, tip } = joined;
    const { failure } = await this.#check(`integration checks of ${whose}`, { run, task: null, attempt: 0 }, commit);
    if (failure !== null) return `the ${failure.check} check \`${failure.command}\` fails on both together`;
    const step = await this.#accept(`accept ${whose}`, { commit, base: commit, tip });
    if (step !== null) this.#state.change((before) => arrive(before, { told: [], runs: [] }));
    return null;
  }

  /** Accepts what the remote's branch has beyond the accepted tip, if that is green. */
  async follow({ run, task, attempt }: Waiting, contains: string | null): Promise<Followed> {
    const found = await remoteActivities(this.#repository, 'follow the remote').followRemote({ run, contains });
    if (found.outcome === 'same') return { tip: found.tip };
    if (found.outcome === 'off') return TOLD;
    if (found.outcome !== 'ahead') {
      const why = found.hint === null ? found.reason : `${found.reason}. ${found.hint}`;
      return { why, person: found.outcome === 'apart' || !found.passing };
    }
    const { commit, tip } = found;
    const { failure } = await this.#check('integration checks of the remote', { run, task, attempt }, commit);
    if (failure !== null) {
      this.#state.change((before) => halt(before, tipHalt(commit, failure)));
      return TOLD;
    }
    const step = await this.#accept('accept what the remote has', { commit, base: commit, tip });
    if (step === null) return TOLD;
    this.#state.change((before) => arrive(before, { told: [], runs: [run] }));
    return { tip: commit };
  }

  async #check(
    summary: string,
    whose: { run: RunRef; task: string | null; attempt: number },
    commit: string,
  ): Promise<CheckReport> {
    const session = `${this.#execution}/${this.#state.queue.epoch}`;
    return await trainActivities(this.#repository, summary).check({ ...whose, lane: null, commit, session });
  }

  /** @returns `null` where the tip, or the user's branch, has moved */
  async #accept(
    summary: string,
    candidate: Candidate,
    what: { members: readonly Waiting[]; lane: string | null; next: Merge | null } = NOBODY,
  ): Promise<Extract<AcceptResult, { outcome: 'accepted' }> | null> {
    const { members, lane, next } = what;
    const request = { repository: this.#repository, members: packMembers(members), candidate, lane, next };
    const step = await trainActivities(this.#repository, summary).accept(request);
    return step.outcome === 'moved' ? null : step;
  }
}
