import { sleep } from '@temporalio/workflow';
import type { RepositoryRef } from '../core/run-ref.ts';
import { landed } from '../core/train-landing.ts';
import { isBusy } from '../core/train-lane.ts';
import type { LandingNews } from '../core/train.ts';
import { trainActivities } from './activity-proxies.ts';
import type { TrainNews } from './train-news.ts';
import { messageOf } from './train-runner.ts';
import type { TrainState } from './train-state.ts';

/** Milliseconds between two landings: other tools look at the branch, and a person may work in the checkout. */
const LANDING_INTERVAL = 1000;

/** Milliseconds that checks have to themselves when they begin: each makes a checkout, and a landing reads all of one. */
const CHECKS_FIRST = 250;

/** Brings the accepted tip to the user's branch, one landing at a time, while what comes next is checked already. */
export class TrainLander {
  readonly #repository: RepositoryRef;
  readonly #state: TrainState;
  readonly #news: TrainNews;
  #isLanding = false;
  #landedAt = -LANDING_INTERVAL;

  constructor(repository: RepositoryRef, state: TrainState, news: TrainNews) {
    this.#repository = repository;
    this.#state = state;
    this.#news = news;
  }

  /** Has all that was accepted been brought to the user's branch, or been refused there? */
  isIdle(): boolean {
    return !this.#isLanding && this.#state.queue.arrivals.length === 0;
  }

  /** Begins a landing if something waits for one and none is under way. */
  reconcile(): void {
    if (this.#isLanding || this.#state.queue.arrivals.length === 0) return;
    // It fails only when the train is cancelled, which the train sees by itself.
    this.land().catch(() => undefined);
  }

  /** Lands the accepted tip, or finds out why it cannot; what waits for that is told. No other landing may be under way. */
  async land(): Promise<LandingNews> {
    this.#isLanding = true;
    const isChecking = this.#state.queue.lanes.some(isBusy);
    const wait = Math.max(this.#landedAt + LANDING_INTERVAL - Date.now(), isChecking ? CHECKS_FIRST : 0);
    if (wait > 0) await sleep(wait);
    // The tip that is landed holds all of these; more may be accepted meanwhile.
    const { arrivals } = this.#state.queue;
    const news = await this.#landTip(arrivals.flatMap(({ told }) => told.map(({ member }) => member)));
    this.#landedAt = Date.now();
    this.#isLanding = false;
    if (news.landed) this.#state.tries = 0;
    this.tell(news, arrivals.length);
    // The train may be in the middle of something that takes hours, or wait for just this.
    this.#news.send();
    this.reconcile();
    return news;
  }

  /** Records where the landing of the first so many arrivals came to, and tells who waits for that. */
  tell(news: LandingNews, arrivals = 0): void {
    const { queue, tell } = landed(this.#state.queue, arrivals, news);
    this.#state.change(() => queue);
    this.#news.ofLanding(news, tell);
  }

  async #landTip(members: readonly { task: string; name: string }[]): Promise<LandingNews> {
    const what = members.length === 0 ? 'the accepted tip' : namesOf(members);
    try {
      return await trainActivities(this.#repository, `land ${what}`).land({ repository: this.#repository });
    } catch (error) {
      const reason = `the accepted work could not be brought to ${this.#repository.branch}: ${messageOf(error).slice(0, 500)}`;
      return { tip: this.#state.queue.tip ?? '', landed: false, reason, hint: null, diverged: false };
    }
  }
}

/** What the Web UI shows for an activity on these members. */
export function namesOf(members: readonly { task: string; name: string }[]): string {
  const [first] = members;
  return members.length === 1 && first !== undefined
    ? `${first.task} ${first.name}`.slice(0, 100)
    : `${members.length} tasks`;
}
