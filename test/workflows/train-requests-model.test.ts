import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleOption } from '@temporalio/worker';
import { createTrainActivities } from '../../activities/merge/train-activities.ts';
import { createRemoteActivities } from '../../activities/remotes/remote-activities.ts';
import { Random } from '../../scripts/simulate/random.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { realServer } from '../support/real-server.ts';
import { Story } from '../support/story.ts';
import { TrainDriver } from '../support/train-driver.ts';
import { TrainRemoteWorld, type RequestKind, type RequestMember } from '../support/train-remote-world.ts';

/** How many histories are played; more find more. */
const SEEDS = Number(process.env['SIGNALBOX_TRAIN_SEEDS'] ?? 1);
const FIRST_SEED = Number(process.env['SIGNALBOX_TRAIN_SEED'] ?? 1);

/**
 * How long a history may take to come to its end, milliseconds; what does not is told with its story. What a remote refused
 * a third time is left alone for five minutes.
 */
const PATIENCE = 400_000;

let env: TestWorkflowEnvironment;
let bundle: WorkflowBundleOption;
beforeAll(async () => {
  bundle = await workflowBundle(process.env);
  env = await realServer({});
});
afterAll(() => env.teardown());

/** A history of one seed: the real train, a real git server, a stand-in for GitHub, and everything that may come between. */
class History {
  readonly #random: Random;
  readonly #far: TrainRemoteWorld;
  readonly #story: Story;
  readonly #driver: TrainDriver<RequestMember>;
  /** Members that left: nothing of them is merged any more. */
  readonly #neverAgain = new Set<RequestMember>();

  constructor(random: Random, far: TrainRemoteWorld, story: Story) {
    this.#random = random;
    this.#far = far;
    this.#story = story;
    const { world, members } = far;
    const remote = createRemoteActivities(world.host, { git: [1, 1], api: 1, watch: [20] });
    const activities = { ...createTrainActivities(world.host), ...remote };
    this.#driver = new TrainDriver({ env, bundle, world, activities, members, random, story });
    for (const { member, file, branch } of members)
      story.note(`${member.run.run}/${member.task} writes ${file} (${member.commit.slice(0, 7)}), on ${branch}`);
  }

  /** What the train has told since, and whether all that was promised before still holds. */
  async #listen(): ReturnType<TrainDriver<RequestMember>['listen']> {
    const heard = await this.#driver.listen();
    for (const one of heard.news) {
      if (this.#driver.answers.get(one)?.outcome !== 'withdrawn') continue;
      // Who left is not merged, whatever is under way; but of what one was about to merge that was terminated nobody knows.
      if (!this.#driver.mayHaveForgotten(one)) this.#neverAgain.add(one);
    }
    for (const one of this.#neverAgain)
      expect([one.file, this.#far.mergedBy(one)]).toEqual([one.file, this.#far.merged.has(one) ? ['a person'] : []]);
    return heard;
  }

  /** A person does something with the request of a member that waits for it. */
  #byHand(what: string, act: (one: RequestMember) => boolean): void {
    const { answers, withdrawn } = this.#driver;
    const requested = this.#far.withRequest(what === 'merges' ? 'ready' : 'open');
    const waiting = requested.filter((one) => !answers.has(one) && !withdrawn.has(one));
    const one = waiting[this.#random.integer(0, Math.max(0, waiting.length - 1))];
    if (one === undefined) return;
    this.#story.note(`a person ${what} ${one.member.task}${act(one) ? '' : ': not now'}`);
  }

  #push(what: 'harmless' | 'broken' | 'mended'): void {
    this.#story.note(`a person pushes what is ${what} to the remote’s branch`);
    this.#far.pushMain(what);
  }

  #check(): void {
    this.#story.note('the remote’s own checks get on');
    this.#far.check(() => this.#random.chance(0.7));
  }

  #edit(): void {
    this.#story.note(this.#far.isEdited ? 'what was edited is as before' : 'somebody edits a file');
    this.#far.edit();
  }

  async #step(): Promise<void> {
    const [driver, random, far] = [this.#driver, this.#random, this.#far];
    const roll = random.next();
    const one = random.pick(far.members as [RequestMember, ...RequestMember[]]);
    if (roll < 0.24) await driver.ask(driver.members.find((other) => !driver.submitted.has(other)) ?? one);
    else if (roll < 0.29) await driver.withdraw(one);
    else if (roll < 0.5) this.#check();
    else if (roll < 0.6) this.#byHand('merges', (other) => far.merge(other));
    else if (roll < 0.63) this.#byHand('closes', (other) => far.close(other));
    else if (roll < 0.66) this.#byHand('pushes to the branch of', (other) => far.pushTo(other));
    else if (roll < 0.71) this.#push('harmless');
    else if (roll < 0.73) this.#push('broken');
    else if (roll < 0.75) this.#push('mended');
    else if (roll < 0.78) this.#edit();
    else if (roll < 0.83) far.cut(random.pick(['cut', 'late']), random.pick(['api', 'git']));
    else if (roll < 0.89) await driver.restartWorkers();
    else if (roll < 0.92) await driver.terminate();
    else if (roll < 0.94) await driver.resume();
    else for (const other of driver.unanswered()) await driver.ask(other);
  }

  /** @param run is cancelled half-way, if any is */
  async play(steps: number, run: string | null): Promise<void> {
    const driver = this.#driver;
    await driver.startWorkers();
    try {
      await driver.play(
        { count: steps, pause: 500, run },
        async () => await this.#step(),
        async () => {
          await this.#listen();
        },
      );
      await this.#settle();
    } finally {
      await driver.end();
    }
    this.#judge();
  }

  /** Nothing goes wrong by itself any more, and people look after what waits for them. */
  async #settle(): Promise<void> {
    this.#story.note('nothing goes wrong any more');
    this.#driver.faults = false;
    this.#far.mendLines();
    if (this.#far.isEdited) this.#edit();
    // People's git and the remote's answers share this process.
    await this.#driver.settle({ every: 400, patience: PATIENCE }, () => this.#isSettled());
  }

  async #isSettled(): Promise<boolean> {
    const [driver, far] = [this.#driver, this.#far];
    const isRunning = await driver.isRunning();
    const { queue } = await this.#listen();
    far.check(() => true);
    far.pushMain('mended');
    // What Signalbox did not verify a person merges or closes themselves; what they closed has no use for its branch.
    for (const one of far.withForeign().filter((other) => !driver.answers.has(other) && !far.merged.has(other))) {
      if (this.#random.chance(0.5) && far.merge(one)) {
        this.#story.note(`a person merges ${one.member.task} as it is`);
        continue;
      }
      this.#story.note(
        `a person ${far.close(one) ? 'closes' : 'has closed'} ${one.member.task}, and deletes its branch`,
      );
      far.deleteBranch(one);
    }
    if (queue?.halt != null || queue?.unlanded != null) await driver.resume();
    const waiting = await driver.askMissing(queue, isRunning);
    return waiting.length === 0 && (queue?.unlanded === null || !isRunning);
  }

  #judge(): void {
    const far = this.#far;
    const { answers, submitted } = this.#driver;
    for (const commit of far.history()) {
      const told = far.world.git('log', '-1', '--format=%h %an %s (%p)', commit);
      expect([told, far.isGreen(commit)]).toEqual([told, true]);
    }
    expect(far.forced()).toEqual([]);
    expect(far.isBehind()).toBe(true);
    for (const one of far.members) {
      const outcome = answers.get(one)?.outcome;
      const times = far.landings(one);
      const told = [one.file, outcome, far.mergedBy(one)];
      expect([...told, times]).toEqual([...told, far.mergedBy(one).length]);
      // What a person did, they did; all else that is on the remote's branch was told so, and the other way round.
      const isForgotten = outcome === 'withdrawn' && this.#driver.mayHaveForgotten(one);
      const isTold = far.merged.has(one) || isForgotten || (times === 1) === (outcome === 'merged');
      expect([...told, times <= 1, isTold]).toEqual([...told, true, true]);
      // A new train does not know a request that was over while there was none, and showed what a person pushed.
      const isUnknown = this.#driver.wasTerminated && (far.closed.has(one) || far.merged.has(one));
      const requests = isUnknown ? 2 : 1;
      expect([...told, far.requestsOf(one) <= requests]).toEqual([...told, true]);
      const isLeft = outcome === 'withdrawn' || !submitted.has(one) || far.closed.has(one);
      if (one.kind === 'good' && !isLeft && outcome !== 'merged') expect([...told, answers.get(one)]).toBeUndefined();
      if (['red', 'ci-red'].includes(one.kind)) expect(outcome).not.toBe('merged');
    }
    expect(far.world.git('status', '--porcelain')).toBe('');
  }
}

const KINDS: readonly [RequestKind, ...RequestKind[]] = ['good', 'good', 'good', 'red', 'ci-red'];

describe('the train into a remote with pull requests, while people merge, close, push and cancel, lines break and workers die', () => {
  test.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
    'merges each green task once, nothing that was withdrawn, forces nothing that is a person’s, and follows green trees only (seed %i)',
    async (seed) => {
      const random = new Random(seed);
      const kinds: RequestKind[] = [
        ...Array.from({ length: 3 }, () => random.pick(KINDS)),
        ...(['clash', 'good', 'clash', 'good'] as const),
      ];
      const far = await TrainRemoteWorld.create(kinds, random.integer(1, 3));
      try {
        const story = new Story();
        const run = random.pick(['r1', 'r2', null]);
        await story.play(`SIGNALBOX_TRAIN_SEED=${seed}`, async () => {
          await new History(random, far, story).play(44, run);
        });
      } finally {
        await far.world.close();
      }
    },
    PATIENCE + 120_000,
  );
});
