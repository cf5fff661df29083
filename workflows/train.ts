import { allHandlersFinished, condition, continueAsNew, setHandler, sleep, workflowInfo } from '@temporalio/workflow';
import { runWorkflowId, taskWorkflowId } from '../core/ids.ts';
import { packMembers, packTrain, unpackTrain, type TrainArguments } from '../core/packed-train.ts';
import type { RunRef } from '../core/run-ref.ts';
import { merged, notMerged, plan, type PlannedChecks } from '../core/train-checks.ts';
import { halt, haltNews, resume, tipHalt } from '../core/train-halt.ts';
import { beginLanding, landed, landingNews, mayGrow, moved } from '../core/train-landing.ts';
import { isBusy, type Waiting } from '../core/train-lane.ts';
import { membersOf, runsOf, submit, withdraw, type RequestedMember, type TrainQueue } from '../core/train-queue.ts';
import { handOver, nextErrand, pauseRequest, rebuildRequest, requestMerged } from '../core/train-requests.ts';
import type { LandingNews } from '../core/train.ts';
import { remoteActivities, trainActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { isLong, signalIfOpen } from './services.ts';
import { TrainRequests } from './train-requests.ts';
import { errorHalt, messageOf, TrainRunner } from './train-runner.ts';

/** Without work for so long, the train goes home; the next `submit` starts it again. */
const IDLE = 600;

/** Seconds between tries to land what the user's repository refused, or to go on after a halt: soon at first. */
const RETRIES = [2, 4, 8, 15, 30];

/** Seconds between looks at a branch that does not go with the train, the longest. */
const SLOWEST = 300;

/** Tasks that finish in one moment ride together. */
const GATHERING = '100ms';

/** A longer prefix that began with a green one is waited for so long. */
const SETTLING = '250ms';

/** Milliseconds between two landings. */
const LANDING_INTERVAL = 1000;

/** What came of following the remote: the accepted tip, or why not, where that is not told elsewhere. */
type Followed = { tip: string } | Parameters<typeof pauseRequest>[2];

const TOLD: Followed = { why: null, person: false };

/**
 * The train into one branch: merges finished tasks onto candidates, checks exactly those trees, several at once, and lands
 * the longest that is green. It is the only writer of the accepted tip. All that it decides is in `core/train-*.ts`.
 */
export async function train(...args: TrainArguments): Promise<void> {
  const [input] = args;
  const { repository } = input;
  const { firstExecutionRunId } = workflowInfo();
  let queue = unpackTrain(...args);
  let isChanged = true;
  let tries = 0;
  let landedAt = -LANDING_INTERVAL;
  let telling = 0;
  let isGathering = true;
  /** What runs were last told of a halt, as JSON. */
  const toldOfHalt = new Map<string, string>();

  const change = (step: (before: TrainQueue) => TrainQueue): void => {
    queue = step(queue);
    isChanged = true;
  };
  const runner = new TrainRunner(repository, firstExecutionRunId, change);
  const requests = new TrainRequests(repository, change);
  /** Tells somebody while the train goes on; it stays until all are told. */
  const tell = (said: Promise<unknown>): void => {
    telling += 1;
    void said.finally(() => (telling -= 1));
  };
  const allTold = (): boolean => telling === 0 && queue.outbox.length === 0 && allHandlersFinished();
  /** Waits until all are told. @returns false if somebody asked for something meanwhile, and is to be heard first */
  const isOver = async (): Promise<boolean> => {
    await condition(() => isChanged || (allTold() && requests.isIdle()));
    return !isChanged;
  };

  setHandler(messages.queueQuery, () => queue);
  setHandler(messages.submitSignal, (member) => change((before) => submit(before, member)));
  setHandler(messages.withdrawSignal, (member) => change((before) => withdraw(before, member)));
  setHandler(messages.resumeSignal, () => change(resume));

  const sendAnswers = (): void => {
    const { outbox } = queue;
    queue = { ...queue, outbox: [] };
    for (const { member, result } of outbox) {
      const { run, task } = member;
      tell(signalIfOpen(taskWorkflowId(run.project, run.run, task), messages.trainResultSignal, result));
    }
  };
  /** Tells the runs that have members here that the train stands, or that it goes on. */
  const tellOfHalt = (): void => {
    const riders = runsOf(membersOf(queue)).map(({ project, run }) => runWorkflowId(project, run));
    for (const id of new Set([...riders, ...toldOfHalt.keys()])) {
      const news = haltNews(queue, id);
      const text = JSON.stringify(news);
      if (text === (toldOfHalt.get(id) ?? 'null')) continue;
      if (news === null) toldOfHalt.delete(id);
      else toldOfHalt.set(id, text);
      tell(signalIfOpen(id, messages.haltedSignal, news));
    }
  };
  const tellOfLanding = (news: LandingNews, riders: readonly RunRef[]): void => {
    const next = landingNews(queue, news, riders);
    queue = next.queue;
    tries = news.landed ? 0 : tries;
    for (const { project, run } of next.tell)
      tell(signalIfOpen(runWorkflowId(project, run), messages.landingSignal, news));
  };

  /** Merges what was planned. */
  const build = async ({ checks }: PlannedChecks): Promise<void> => {
    const ids = checks.map(({ id }) => id);
    // Since it was planned, some of it may have been withdrawn.
    const lane = queue.lanes.find((other) => other.checks.some(({ id }) => ids.includes(id)));
    const prefixes = lane?.checks.filter(({ id }) => ids.includes(id)).map(({ id, size }) => ({ id, size })) ?? [];
    const members = lane?.members.slice(0, Math.max(0, ...prefixes.map(({ size }) => size))) ?? [];
    const [first] = members;
    if (first === undefined) return;
    try {
      const request = { repository, run: first.run, members: packMembers(members), prefixes };
      const result = await trainActivities(repository, `merge ${nameOf(members)}`).candidates(request);
      if (result.kind === 'merged') change((before) => merged(before, ids, result));
      else {
        const { reason, detail, tip } = result;
        const hint = `merge refs/remotes/signalbox/${repository.branch} into ${repository.branch} yourself`;
        change((before) => halt(notMerged(before, ids), { kind: 'base', reason, hint, detail, tip }));
      }
    } catch (error) {
      change((before) => halt(notMerged(before, ids), errorHalt(error, 'the tasks could not be merged', '')));
    }
  };

  /** Lands what is green. @returns whether anything was */
  const landGreen = async (): Promise<boolean> => {
    if (beginLanding(queue).landing === null) return false;
    if (mayGrow(queue)) await condition(() => !mayGrow(queue), SETTLING);
    const wait = landedAt + LANDING_INTERVAL - Date.now();
    if (wait > 0) await sleep(wait);
    const begun = beginLanding(queue);
    // It may have been withdrawn meanwhile.
    if (begun.landing === null) return true;
    queue = begun.queue;
    const { members, lane, check } = begun.landing;
    const { candidate } = check;
    if (candidate === null) return false;
    try {
      const advancing = trainActivities(repository, `land ${nameOf(members)}`);
      const step = await advancing.advance({
        repository,
        members: packMembers(members),
        candidate,
        lane: lane.ride.lane,
      });
      landedAt = Date.now();
      if (step.outcome === 'moved') change(moved);
      else {
        change((before) => landed(before, step.commit, step.commits));
        tellOfLanding(step.landing, runsOf(members));
      }
    } catch (error) {
      change((before) => halt(moved(before), errorHalt(error, 'checked work could not be landed', candidate.tip)));
    }
    return true;
  };

  /** Tries again to land; joins what the user committed meanwhile if that is what keeps the two apart. */
  const landAgain = async (run: RunRef): Promise<void> => {
    const news = await trainActivities(repository, 'land the accepted tip').land({ repository });
    tellOfLanding(news, []);
    if (!news.diverged) return;
    const whose = `the commits that ${repository.branch} got meanwhile`;
    const fail = (why: string): void => {
      const reason = `your new commits do not go together with the accepted work: ${why}`;
      const hint = `merge refs/remotes/signalbox/${repository.branch} into ${repository.branch} yourself`;
      tellOfLanding({ ...news, reason, hint }, []);
    };
    const request = { repository, run, members: packMembers([]), prefixes: [] };
    const joined = await trainActivities(repository, `merge ${whose}`).candidates(request);
    if (joined.kind === 'conflict') {
      fail(joined.reason);
      return;
    }
    const { base: commit, tip } = joined;
    const session = `${firstExecutionRunId}/${queue.epoch}`;
    const check = { run, task: null, attempt: 0, lane: null, commit, session };
    const { failure } = await trainActivities(repository, `integration checks of ${whose}`).check(check);
    if (failure !== null) {
      fail(`the ${failure.check} check \`${failure.command}\` fails on both together`);
      return;
    }
    const advancing = trainActivities(repository, `land ${whose}`);
    const candidate = { commit, base: commit, tip };
    const step = await advancing.advance({ repository, members: packMembers([]), candidate, lane: null });
    if (step.outcome === 'accepted') tellOfLanding(step.landing, []);
  };

  /** Accepts what the remote's branch has beyond the accepted tip, if that is green. @returns what the tip is then, or why not */
  const follow = async ({ run, task, attempt }: Waiting, contains: string | null): Promise<Followed> => {
    const found = await remoteActivities(repository, 'follow the remote').followRemote({ run, contains });
    if (found.outcome === 'same') return { tip: found.tip };
    if (found.outcome === 'off') return TOLD;
    if (found.outcome !== 'ahead') {
      const why = found.hint === null ? found.reason : `${found.reason}. ${found.hint}`;
      return { why, person: found.outcome === 'apart' || !found.passing };
    }
    const { commit, tip } = found;
    const session = `${firstExecutionRunId}/${queue.epoch}`;
    const check = { run, task, attempt, lane: null, commit, session };
    const { failure } = await trainActivities(repository, 'integration checks of the remote').check(check);
    if (failure !== null) {
      change((before) => halt(before, tipHalt(commit, failure)));
      return TOLD;
    }
    const advancing = trainActivities(repository, 'land what the remote has');
    const candidate = { commit, base: commit, tip };
    const step = await advancing.advance({ repository, members: packMembers([]), candidate, lane: null });
    if (step.outcome === 'moved') return TOLD;
    tellOfLanding(step.landing, [run]);
    return { tip: commit };
  };

  /** Does for a pull request what moves the accepted tip. */
  const runErrand = async (requested: RequestedMember): Promise<void> => {
    const { member, todo } = requested;
    const at = Date.now();
    const contains = todo?.do === 'follow' ? todo.commit : null;
    const followed = await follow(member, contains).catch((error: unknown): Followed => {
      return { why: `the remote could not be followed: ${messageOf(error)}`, person: false };
    });
    if ('why' in followed) change((before) => pauseRequest(before, member, followed, at));
    else if (contains !== null) change((before) => requestMerged(before, member, contains));
    else change((before) => rebuildRequest(before, requested, followed.tip, at));
  };

  /** After a halt: has the branch moved to something that may be better? */
  const lookAgain = async ({ kind, tip }: NonNullable<TrainQueue['halt']>): Promise<void> => {
    const run = membersOf(queue)[0]?.run;
    if (kind === 'error' || run === undefined) {
      change(resume);
      return;
    }
    const request = { repository, run, members: packMembers([]), prefixes: [] };
    const now = await trainActivities(repository, `look at ${repository.branch}`).candidates(request);
    if (now.kind === 'merged' && now.base !== tip) change(resume);
  };

  /** What only time brings about, when nothing else is to be done. @returns whether the train goes home */
  const waitForMore = async (): Promise<boolean> => {
    const { halt: why, unlanded } = queue;
    isGathering = queue.lanes.length === 0;
    // Requests wait for days: work that has not reached the user's branch is landed meanwhile.
    const isQuiet = !queue.lanes.some(isBusy) && queue.culprits.length === 0;
    const seconds = why === null && unlanded === null ? IDLE : (RETRIES[tries] ?? Math.min(SLOWEST, 30 * (tries - 3)));
    const isEmpty = queue.lanes.every(({ members }) => members.length === 0);
    const canTime = why !== null || (isQuiet && isEmpty && (unlanded !== null || queue.requests.length === 0));
    if (!canTime) await condition(() => isChanged);
    else if (!(await condition(() => isChanged, `${seconds}s`))) {
      if (why === null && unlanded === null) return await isOver();
      tries += 1;
      try {
        const [run] = unlanded?.runs ?? [];
        if (why !== null) await lookAgain(why);
        else if (run !== undefined) await landAgain(run);
      } catch {
        // The next try comes by itself; the reason shown stays the one before.
      }
      isChanged = true;
    }
    return false;
  };

  for (;;) {
    isChanged = false;
    sendAnswers();
    tellOfHalt();
    runner.reconcile(queue);
    if (isLong()) {
      if (await isOver()) await continueAsNew<typeof train>(...packTrain(input, queue));
      continue;
    }
    queue = handOver(queue, Date.now());
    if (queue.halt === null) requests.reconcile(queue);
    if (await landGreen()) continue;
    const errand = nextErrand(queue, Date.now());
    if (errand !== null) {
      await runErrand(errand);
      continue;
    }
    if (isGathering && queue.lanes.length > 0) {
      // The first of them would otherwise be checked alone.
      await sleep(GATHERING);
      isGathering = false;
    }
    const next = plan(queue);
    queue = next.queue;
    for (const checks of next.planned) await build(checks);
    if (next.planned.length > 0) continue;
    if (await waitForMore()) return;
  }
}

function nameOf(members: readonly Waiting[]): string {
  const [first] = members;
  return members.length === 1 && first !== undefined
    ? `${first.task} ${first.name}`.slice(0, 100)
    : `${members.length} tasks`;
}
