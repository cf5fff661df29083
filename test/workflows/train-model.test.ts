import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowBundleOption } from '@temporalio/worker';
import { createTrainActivities } from '../../activities/merge/train-activities.ts';
import { Random } from '../../scripts/simulate/random.ts';
import { workflowBundle } from '../../workers/workflow-bundle.ts';
import { realServer } from '../support/real-server.ts';
import { Story } from '../support/story.ts';
import { TrainDriver } from '../support/train-driver.ts';
import { TrainGitWorld, type GitMember, type Part, type WorkKind } from '../support/train-git-world.ts';

/** How many histories are played; more find more. */
const SEEDS = Number(process.env['SIGNALBOX_TRAIN_SEEDS'] ?? 2);
const FIRST_SEED = Number(process.env['SIGNALBOX_TRAIN_SEED'] ?? 1);

/** How long a history may take to come to its end, milliseconds; what does not is told with its story. */
const PATIENCE = 120_000;

let env: TestWorkflowEnvironment;
let bundle: WorkflowBundleOption;
beforeAll(async () => {
  bundle = await workflowBundle(process.env);
  env = await realServer({});
});
afterAll(() => env.teardown());

/** Where somebody commits: in no lane, in one, in two, or in both at once with what is in none. */
const PLACES: readonly [Part[], ...Part[][]] = [[''], [''], ['x/'], ['y/'], ['x/', 'y/'], ['', 'x/', 'y/']];

/** A history of one seed: the real train on real repositories, and everything that may come between. */
class History {
  readonly #random: Random;
  readonly #git: TrainGitWorld;
  readonly #story: Story;
  readonly #driver: TrainDriver<GitMember>;
  /** Members that left: nothing of them is accepted any more. */
  readonly #neverAgain = new Set<GitMember>();
  /** Members whose work the user took out of their branch: of the second kind, when nothing was on its way there. */
  readonly #takenOut = new Set<GitMember>();
  readonly #gone = new Set<GitMember>();

  constructor(random: Random, git: TrainGitWorld, story: Story) {
    this.#random = random;
    this.#git = git;
    this.#story = story;
    const { world, members } = git;
    const activities = createTrainActivities(world.host);
    this.#driver = new TrainDriver({ env, bundle, world, activities, members, random, story });
    for (const { member, kind, files } of members)
      story.note(`${member.run.run}/${member.task} is ${kind}: ${files.join(', ')} (${member.commit.slice(0, 7)})`);
  }

  /** What the train has told since, and whether all that was promised before still holds. */
  async #listen(): ReturnType<TrainDriver<GitMember>['listen']> {
    const git = this.#git;
    git.look();
    const heard = await this.#driver.listen();
    for (const one of heard.news) {
      const outcome = this.#driver.answers.get(one)?.outcome;
      const isAccepted = await git.isAccepted(one);
      if (outcome === 'merged' && !this.#takenOut.has(one))
        expect([one.files, outcome, isAccepted]).toEqual([one.files, outcome, true]);
      if (outcome !== 'withdrawn') continue;
      // Who left is not taken, whatever is under way; but of what one was about to take that was terminated nobody knows.
      if (this.#driver.mayHaveForgotten(one)) continue;
      expect([one.files, outcome, isAccepted]).toEqual([one.files, outcome, false]);
      this.#neverAgain.add(one);
    }
    for (const one of this.#neverAgain)
      expect([one.files, 'accepted', await git.isAccepted(one)]).toEqual([one.files, 'accepted', false]);
    // The accepted tip follows when the train next looks at the branch.
    for (const one of this.#gone) expect([one.files, 'landed', git.landings(one)]).toEqual([one.files, 'landed', []]);
    return heard;
  }

  async #step(): Promise<void> {
    const driver = this.#driver;
    const random = this.#random;
    const roll = random.next();
    const one = random.pick(this.#git.members as [GitMember, ...GitMember[]]);
    if (roll < 0.42) await driver.ask(driver.members.find((other) => !driver.submitted.has(other)) ?? one);
    else if (roll < 0.48) await driver.withdraw(one);
    else if (roll < 0.5) await driver.cancelRun(one.member.run.run);
    else if (roll < 0.58) this.#commit('harmless', random.pick(PLACES));
    else if (roll < 0.61) this.#commit('broken', [random.pick(['', 'x/', 'y/'])]);
    else if (roll < 0.66) this.#commit('mended');
    else if (roll < 0.71) await this.#takeBack();
    else if (roll < 0.75) this.#edit();
    else if (roll < 0.81) await driver.restartWorkers();
    else if (roll < 0.85) await driver.terminate();
    else if (roll < 0.9) await driver.resume();
    else for (const other of driver.unanswered()) await driver.ask(other);
  }

  #commit(what: 'harmless' | 'broken' | 'mended', parts: readonly Part[] = ['']): void {
    this.#story.note(`somebody commits what is ${what}, in ${parts.map((part) => part || './').join(' and ')}`);
    this.#git.commit(what, parts);
  }

  #edit(): void {
    this.#story.note(this.#git.isEdited ? 'what was edited is as before' : 'somebody edits a file');
    expect(this.#git.edit()).toBe(true);
  }

  /** The user takes out what came last. What was merged with it stays out, unless something was on its way to the branch. */
  async #takeBack(): Promise<void> {
    const driver = this.#driver;
    const before = { ...driver.moves };
    const isLanded = before.underWay === 0 && (await this.#git.isLanded());
    const out = this.#git.takeBack();
    const isPromised = isLanded && driver.moves.begun === before.begun;
    this.#story.note(`the user takes out ${out.length} commits${isPromised ? ', for good' : ''}`);
    for (const one of this.#git.members.filter(({ member }) => out.includes(member.commit))) {
      this.#takenOut.add(one);
      if (isPromised && driver.answers.get(one)?.outcome === 'merged') this.#gone.add(one);
    }
  }

  /** @param run is cancelled half-way, if any is @param long is the train to continue as new? */
  async play(steps: number, { run, long }: { run: string | null; long: boolean }): Promise<void> {
    const driver = this.#driver;
    await driver.startWorkers();
    try {
      await driver.play(
        { count: steps, pause: 300, run },
        async () => await this.#step(),
        async () => {
          this.#git.tidy();
          await this.#listen();
        },
      );
      if (long) await driver.makeLong();
      await this.#settle();
    } finally {
      await driver.end();
    }
    this.#judge();
  }

  /** Nothing goes wrong by itself any more, and tasks that have no answer ask again. */
  async #settle(): Promise<void> {
    this.#story.note('nothing goes wrong any more');
    this.#driver.faults = false;
    if (this.#git.isEdited) this.#edit();
    await this.#driver.settle({ every: 50, patience: PATIENCE }, () => this.#isSettled());
  }

  async #isSettled(): Promise<boolean> {
    const driver = this.#driver;
    // What a train that was terminated had in it can still be asked for; it does nothing for that any more.
    const isRunning = await driver.isRunning();
    const { queue } = await this.#listen();
    if (queue?.halt != null) this.#commit('mended');
    // A person looks after it; by itself it tries less and less often.
    if (queue?.halt != null || queue?.unlanded != null) await driver.resume();
    const isTidy = this.#git.tidy();
    const waiting = await driver.askMissing(queue, isRunning);
    const isLanded = queue?.unlanded === null;
    // Whoever asks next finds it not landed, and lands it.
    if (waiting.length === 0 && !isLanded && !isRunning) {
      const merged = [...driver.answers].filter(([, { outcome }]) => outcome === 'merged').map(([one]) => one);
      const again = merged.find((one) => !this.#takenOut.has(one)) ?? merged[0];
      if (again === undefined) return true;
      this.#gone.delete(again);
      driver.forgets(again);
      await driver.ask(again);
    }
    return waiting.length === 0 && isLanded && isTidy;
  }

  #isVictim(one: GitMember): boolean {
    const answer = this.#driver.answers.get(one);
    if (answer?.outcome !== 'rejected' || answer.evidence.kind !== 'failed_integration') return false;
    return answer.evidence.commit !== null && this.#git.isFlaky(answer.evidence.commit);
  }

  #judge(): void {
    const git = this.#git;
    const { answers, withdrawn, submitted } = this.#driver;
    for (const commit of git.history()) {
      const told = git.world.git('log', '-1', '--format=%h %an %s (%p)', commit);
      if (!git.byUser.has(commit)) expect([told, git.isRight(commit)]).toEqual([told, true]);
    }
    for (const one of git.members) {
      const outcome = answers.get(one)?.outcome;
      const times = git.landings(one).length;
      expect([one.files, outcome, times <= 1]).toEqual([one.files, outcome, true]);
      if (outcome !== 'withdrawn' && !this.#takenOut.has(one))
        expect([one.files, outcome, times === 1]).toEqual([one.files, outcome, outcome === 'merged']);
      // What a flaky check of a tree with others was red for, nobody can tell: only then may good work go back.
      const left = outcome === 'withdrawn' ? withdrawn.has(one) : !submitted.has(one);
      if (['good', 'wide'].includes(one.kind) && !this.#isVictim(one) && outcome !== 'merged' && !left)
        expect([one.files, answers.get(one)]).toBeUndefined();
      if (one.kind === 'red') expect(outcome).not.toBe('merged');
      if (this.#neverAgain.has(one) || this.#gone.has(one)) expect([one.files, times]).toEqual([one.files, 0]);
    }
    expect(git.status()).toBe('?? notes.txt');
    expect(git.notesAreKept()).toBe(true);
    expect(git.isWhole()).toBe(true);
  }
}

const KINDS: readonly [WorkKind, ...WorkKind[]] = ['good', 'good', 'good', 'wide', 'red'];

describe('the train on real repositories, while workers die, people commit, edit, take back and withdraw, runs are cancelled, and the train is terminated', () => {
  test.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
    'accepts green trees only, lands each good task once and nothing that was withdrawn, and leaves the checkout alone (seed %i)',
    async (seed) => {
      const random = new Random(seed);
      const kinds: WorkKind[] = [
        ...Array.from({ length: 5 }, () => random.pick(KINDS)),
        ...(['pair', 'clash', 'good', 'flaky', 'pair', 'clash', 'good', 'wide', 'good'] as const),
      ];
      const git = await TrainGitWorld.create(kinds, seed % 2 === 0, random.integer(1, 3));
      try {
        const story = new Story();
        const run = random.pick(['r1', 'r2', null]);
        await story.play(`SIGNALBOX_TRAIN_SEED=${seed}`, async () => {
          await new History(random, git, story).play(40, { run, long: seed % 3 === 1 });
        });
      } finally {
        git.remove();
      }
    },
    PATIENCE + 120_000,
  );
});
