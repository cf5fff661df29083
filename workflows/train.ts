import { allHandlersFinished, condition, continueAsNew, setHandler, workflowInfo } from '@temporalio/workflow';
import { packMembers, packTrain, unpackTrain, type TrainArguments } from '../core/packed-train.ts';
import type { RunRef } from '../core/run-ref.ts';
import { notMerged, plan } from '../core/train-checks.ts';
import { resume } from '../core/train-halt.ts';
import { isBusy } from '../core/train-lane.ts';
import { membersOf, submit, withdraw, type RequestedMember, type TrainQueue } from '../core/train-queue.ts';
import { handOver, nextErrand, pauseRequest, rebuildRequest, requestMerged } from '../core/train-requests.ts';
import { trainActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { isLong } from './services.ts';
import { TrainBuilder } from './train-builder.ts';
import { TrainLander } from './train-lander.ts';
import { TrainNews } from './train-news.ts';
import { TrainRequests } from './train-requests.ts';
import { messageOf, TrainRunner } from './train-runner.ts';
import { TrainState } from './train-state.ts';
import { TrainTip, type Followed } from './train-tip.ts';

/** Without work for so long, the train goes home; the next `submit` starts it again. */
const IDLE = 600;

/** Seconds between tries to land what the user's repository refused, or to go on after a halt: soon at first. */
const RETRIES = [2, 4, 8, 15, 30];

/** Seconds between looks at a branch that does not go with the train, the longest. */
const SLOWEST = 300;

/** Tasks that finish in one moment ride together: more may come while the first are merged, and so on, but not for long. */
const MOST_GATHERINGS = 20;

/**
 * The train into one branch: merges finished tasks onto candidates, checks exactly those trees, several at once, accepts
 * the longest that is green, and lands it while the next are checked. It is the only writer of the accepted tip. All that
 * it decides is in `core/train-*.ts`.
 */
export async function train(...args: TrainArguments): Promise<void> {
  const [input] = args;
  const { repository } = input;
  const { firstExecutionRunId } = workflowInfo();
  const state = new TrainState(unpackTrain(...args));
  const { change } = state;
  const news = new TrainNews(state);
  const runner = new TrainRunner(repository, firstExecutionRunId, change);
  const requests = new TrainRequests(repository, change);
  const lander = new TrainLander(repository, state, news);
  const builder = new TrainBuilder(repository, state);
  const tip = new TrainTip(repository, firstExecutionRunId, state, builder);
  let gatherings = 0;
  /** Somebody mended what kept work from landing, and says so. */
  let isAsked = false;
  const joinHint = `merge refs/remotes/signalbox/${repository.branch} into ${repository.branch} yourself`;

  setHandler(messages.queueQuery, () => state.queue);
  setHandler(messages.submitSignal, (member) => change((before) => submit(before, member)));
  setHandler(messages.withdrawSignal, (member) => change((before) => withdraw(before, member)));
  setHandler(messages.resumeSignal, () => {
    isAsked = true;
    change(resume);
  });

  /** Waits until all is told and landed. @returns false if somebody asked for something meanwhile, and is to be heard first */
  const isOver = async (): Promise<boolean> => {
    const isDone = (): boolean => news.isIdle() && requests.isIdle() && lander.isIdle() && allHandlersFinished();
    await condition(() => state.isChanged || isDone());
    return !state.isChanged;
  };

  /** Merges what is to be checked next, unless it is. @returns whether there is anything */
  const prepareChecks = async (): Promise<boolean> => {
    const { queue, planned, begun } = plan(state.queue);
    state.queue = queue;
    const isGathering = gatherings < MOST_GATHERINGS;
    if (begun.length > 0 && !isGathering) runner.reconcile(queue);
    for (const checks of planned) await builder.build(checks, joinHint);
    const isMore = membersOf(state.queue).length > membersOf(queue).length;
    const ids = [...begun, ...planned.flatMap(({ checks }) => checks.map(({ id }) => id))];
    // The first who came would be checked without the others. They are not merged again.
    if (isGathering && isMore) change((before) => notMerged(before, ids));
    if (ids.length > 0) gatherings = isMore ? gatherings + 1 : MOST_GATHERINGS;
    return ids.length > 0;
  };

  /** Tries again to land; joins what the user committed meanwhile if that is what keeps the two apart. */
  const landAgain = async (run: RunRef): Promise<void> => {
    const landing = await lander.land();
    const obstacle = landing.diverged ? await tip.joinUser(run) : null;
    if (obstacle === null) return;
    const reason = `your new commits do not go together with the accepted work: ${obstacle}`;
    lander.tell({ ...landing, reason, hint: joinHint });
  };

  /** Does for a pull request what moves the accepted tip. */
  const runErrand = async (requested: RequestedMember): Promise<void> => {
    const { member, todo } = requested;
    const at = Date.now();
    const contains = todo?.do === 'follow' ? todo.commit : null;
    const followed = await tip.follow(member, contains).catch((error: unknown): Followed => {
      return { why: `the remote could not be followed: ${messageOf(error)}`, person: false };
    });
    // Runs hear of the landing before their tasks are merged.
    lander.reconcile();
    await condition(() => lander.isIdle());
    if ('why' in followed) change((before) => pauseRequest(before, member, followed, at));
    else if (contains !== null) change((before) => requestMerged(before, member, contains));
    else change((before) => rebuildRequest(before, requested, followed.tip, at));
  };

  /** After a halt: has the branch moved to something that may be better? */
  const lookAgain = async ({ kind, tip: before }: NonNullable<TrainQueue['halt']>): Promise<void> => {
    const run = membersOf(state.queue)[0]?.run;
    if (kind === 'error' || run === undefined) {
      change(resume);
      return;
    }
    const request = { repository, run, members: packMembers([]), prefixes: [] };
    const now = await trainActivities(repository, `look at ${repository.branch}`).candidates(request);
    if (now.kind === 'merged' && now.base !== before) change(resume);
  };

  /** What only time brings about, when nothing else is to be done. @returns whether the train goes home */
  const waitForMore = async (): Promise<boolean> => {
    const { halt: why, unlanded, lanes, culprits, requests: asked } = state.queue;
    if (lanes.length === 0) gatherings = 0;
    const isQuiet = !lanes.some(isBusy) && culprits.length === 0;
    const isEmpty = lanes.every(({ members }) => members.length === 0);
    // Requests wait for days: work that has not reached the user's branch is landed meanwhile.
    const canTime = why !== null || (isQuiet && isEmpty && (unlanded !== null || asked.length === 0));
    if (!canTime || !lander.isIdle()) {
      await condition(() => state.isChanged);
      return false;
    }
    const patience = RETRIES[state.tries] ?? Math.min(SLOWEST, 30 * (state.tries - 3));
    const seconds = why === null && unlanded === null ? IDLE : patience;
    const isDue = isAsked && why === null && unlanded !== null;
    isAsked = false;
    if (!isDue && (await condition(() => state.isChanged, `${seconds}s`))) return false;
    if (why === null && unlanded === null) return await isOver();
    state.tries = isDue ? 0 : state.tries + 1;
    try {
      const [run] = unlanded?.runs ?? [];
      if (why !== null) await lookAgain(why);
      else if (run !== undefined) await landAgain(run);
    } catch {
      // The next try comes by itself; the reason shown stays the one before.
    }
    state.isChanged = true;
    return false;
  };

  for (;;) {
    state.isChanged = false;
    news.send();
    runner.reconcile(state.queue);
    if (isLong()) {
      lander.reconcile();
      if (await isOver()) await continueAsNew<typeof train>(...packTrain(input, state.queue));
      continue;
    }
    const { arrivals } = state.queue;
    state.queue = handOver(state.queue, Date.now());
    // Some may have their answer by that, or wait for nothing but a landing.
    if (state.queue.outbox.length > 0 || state.queue.arrivals.length > arrivals.length) state.isChanged = true;
    if (state.queue.halt === null) requests.reconcile(state.queue);
    if (await tip.acceptGreen(() => runner.reconcile(state.queue))) continue;
    const errand = nextErrand(state.queue, Date.now());
    if (errand !== null) {
      await runErrand(errand);
      continue;
    }
    if (await prepareChecks()) continue;
    // Not before: who waits for the next checks waits longer than who waits for this.
    lander.reconcile();
    if (await waitForMore()) return;
  }
}
