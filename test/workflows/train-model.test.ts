import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/activity';
import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { asActivities } from '../../activities/activity-failure.ts';
import { createTrainActivities } from '../../activities/merge/train-activities.ts';
import { hostQueue, trainWorkflowId } from '../../core/ids.ts';
import { membersOf, type TrainQueue } from '../../core/train-queue.ts';
import { memberKey, type TrainResult } from '../../core/train.ts';
import { Random } from '../../scripts/simulate/random.ts';
import { bundleWorkflows } from '../../workers/workflow-bundle.ts';
import { realServer } from '../support/real-server.ts';
import { TEST_QUEUE } from '../support/test-queue.ts';
import { TrainGitWorld, type GitMember, type WorkKind } from '../support/train-git-world.ts';
import { until } from '../support/until.ts';

/** How many histories are played; more find more. */
const SEEDS = Number(process.env['SIGNALBOX_TRAIN_SEEDS'] ?? 2);
const FIRST_SEED = Number(process.env['SIGNALBOX_TRAIN_SEED'] ?? 1);

let env: TestWorkflowEnvironment;
let bundle: WorkflowBundleOption;
beforeAll(async () => {
  bundle = await bundleWorkflows();
  env = await realServer({});
});
afterAll(() => env.teardown());

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A history of one seed: the real train on real repositories, and everything that may come between. */
class History {
  readonly #random: Random;
  readonly #git: TrainGitWorld;
  readonly #answers = new Map<string, TrainResult>();
  readonly #submitted = new Set<GitMember>();
  readonly #withdrawn = new Set<GitMember>();
  /** Withdrawn members that were not in the accepted tip when they were told so. */
  readonly #neverAgain = new Set<GitMember>();
  /** Those that had their answer when the train lost its memory: a task that has one does not ask again. */
  readonly #done = new Set<string>();
  #faults = true;
  #edited = false;
  #workers: { stop: () => Promise<void> } | null = null;

  constructor(random: Random, git: TrainGitWorld) {
    this.#random = random;
    this.#git = git;
  }

  get #train(): WorkflowHandle {
    const { id, branch } = this.#git.world.run.repository;
    return env.client.workflow.getHandle(trainWorkflowId(id, branch));
  }

  async #startWorkers(): Promise<void> {
    const { host } = this.#git.world;
    const connection = env.nativeConnection;
    const shared = { connection, shutdownGraceTime: '100ms', maxHeartbeatThrottleInterval: '100ms' } as const;
    const workers = [
      await Worker.create({ ...shared, taskQueue: TEST_QUEUE, workflowBundle: bundle }),
      await Worker.create({
        ...shared,
        taskQueue: hostQueue(TEST_QUEUE, host.host),
        activities: this.#failing(asActivities(createTrainActivities(host), host.redactor)),
      }),
    ];
    const running = workers.map((worker) => worker.run());
    this.#workers = {
      stop: async () => {
        for (const worker of workers) worker.shutdown();
        await Promise.all(running);
      },
    };
  }

  /** Activities whose worker dies now and then: before they do anything, or when all is done and nobody knows. */
  #failing<T extends object>(activities: T): T {
    type Activity = (...args: unknown[]) => Promise<unknown>;
    const entries = Object.entries(activities as Record<string, Activity>).map(([name, activity]) => {
      const dies = (): void => {
        if (this.#faults && this.#random.chance(0.15)) throw ApplicationFailure.retryable(`${name} died`, 'died');
      };
      return [
        name,
        async (...args: unknown[]): Promise<unknown> => {
          dies();
          const result = await activity(...args);
          dies();
          return result;
        },
      ];
    });
    return Object.fromEntries(entries) as T;
  }

  /** Asks for one to be merged, or to be taken out: a task does the one, then perhaps the other, till it has an answer. */
  async #ask(one: GitMember): Promise<void> {
    if (this.#done.has(memberKey(one.member))) return;
    this.#submitted.add(one);
    const { run, task, attempt } = one.member;
    const { repository } = run;
    const isLeaving = this.#withdrawn.has(one);
    await env.client.workflow.signalWithStart('train', {
      workflowId: trainWorkflowId(repository.id, repository.branch),
      taskQueue: TEST_QUEUE,
      args: [{ version: 1, repository }],
      signal: isLeaving ? 'withdraw' : 'submit',
      signalArgs: [isLeaving ? { run, task, attempt } : one.member],
    });
  }

  async #withdraw(one: GitMember): Promise<void> {
    if (!this.#unanswered().includes(one)) return;
    this.#withdrawn.add(one);
    await this.#ask(one);
  }

  /** The train may have gone home, or have been terminated. */
  async #quietly<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof WorkflowNotFoundError || /workflow/i.test(String(error))) return null;
      throw error;
    }
  }

  /** What the train has told since; nobody is ever told two things. */
  async #listen(): Promise<TrainQueue | null> {
    this.#git.look();
    const queue = await this.#quietly(() => this.#train.query<TrainQueue>('queue'));
    for (const { key, result } of queue?.answered ?? []) {
      const one = this.#git.members.find(({ member }) => memberKey(member) === key)!;
      const before = this.#answers.get(key);
      if (before !== undefined) expect([key, result.outcome]).toEqual([key, before.outcome]);
      if (before === undefined && result.outcome === 'withdrawn') {
        expect(this.#withdrawn).toContain(one);
        if (!(await this.#git.isAccepted(one))) this.#neverAgain.add(one);
      }
      if (result.outcome === 'merged') expect(await this.#git.isAccepted(one)).toBe(true);
      this.#answers.set(key, result);
    }
    for (const one of this.#neverAgain) expect([one.file, await this.#git.isAccepted(one)]).toEqual([one.file, false]);
    return queue;
  }

  #unanswered(): GitMember[] {
    return [...this.#submitted].filter(({ member }) => !this.#answers.has(memberKey(member)));
  }

  async #step(): Promise<void> {
    const { members } = this.#git;
    const roll = this.#random.next();
    const one = members[this.#random.integer(0, members.length - 1)]!;
    if (roll < 0.45) await this.#ask(members.find((other) => !this.#submitted.has(other)) ?? one);
    else if (roll < 0.52) await this.#withdraw(one);
    else if (roll < 0.6) this.#git.commit('harmless');
    else if (roll < 0.63) this.#git.commit('broken');
    else if (roll < 0.68) this.#git.commit('mended');
    else if (roll < 0.73) this.#edit();
    else if (roll < 0.8) await this.#restartWorkers();
    else if (roll < 0.84) await this.#terminate();
    else if (roll < 0.9) await this.#quietly(() => this.#train.signal('resume'));
    else for (const other of this.#unanswered()) await this.#ask(other);
  }

  async #terminate(): Promise<void> {
    await this.#quietly(() => this.#train.terminate());
    await this.#listen();
    for (const key of this.#answers.keys()) this.#done.add(key);
  }

  #edit(): void {
    if (this.#edited) expect(this.#git.unedit()).toBe(true);
    else this.#git.edit();
    this.#edited = !this.#edited;
  }

  async #restartWorkers(): Promise<void> {
    await this.#workers?.stop();
    await this.#startWorkers();
  }

  async play(steps: number, long: boolean): Promise<void> {
    await this.#startWorkers();
    try {
      for (let step = 0; step < steps; step += 1) {
        await this.#step();
        await pause(this.#random.integer(0, 300));
        this.#git.tidy();
        await this.#listen();
      }
      if (long) await this.#makeLong();
      await this.#settle();
    } finally {
      await this.#quietly(() => this.#train.terminate());
      await this.#workers?.stop();
    }
    this.#judge();
  }

  /** Sends so many messages that the train continues as new. */
  async #makeLong(): Promise<void> {
    const [first] = this.#git.members;
    await this.#ask(first!);
    const { runId } = await this.#train.describe();
    for (let sent = 0; sent < 2100; sent += 100)
      await Promise.all(Array.from({ length: 100 }, () => this.#train.signal('resume')));
    await until(async () => (await this.#train.describe()).runId !== runId);
  }

  /** Nothing goes wrong by itself any more, and tasks that have no answer ask again. */
  async #settle(): Promise<void> {
    this.#faults = false;
    if (this.#edited) this.#edit();
    await until(() => this.#isSettled());
  }

  async #isSettled(): Promise<boolean> {
    // What a train that was terminated had in it can still be asked for; it does nothing for that any more.
    const isRunning = (await this.#quietly(() => this.#train.describe()))?.status.name === 'RUNNING';
    const queue = await this.#listen();
    if (queue?.halt != null) this.#git.commit('mended');
    // A person looks after it; by itself it tries less and less often.
    if (queue?.halt != null || queue?.unlanded != null) await this.#quietly(() => this.#train.signal('resume'));
    const isTidy = this.#git.tidy();
    const waiting = this.#git.members.filter(({ member }) => !this.#answers.has(memberKey(member)));
    const there = queue !== null && isRunning ? membersOf(queue).map(memberKey) : [];
    for (const one of waiting) if (!there.includes(memberKey(one.member))) await this.#ask(one);
    const isLanded = queue?.unlanded === null;
    // Whoever asks next finds it not landed, and lands it.
    if (waiting.length === 0 && !isLanded && !isRunning) {
      this.#done.clear();
      await this.#ask(
        this.#git.members.find(({ member }) => this.#answers.get(memberKey(member))?.outcome === 'merged')!,
      );
    }
    return waiting.length === 0 && isLanded && isTidy;
  }

  #isVictim({ member }: GitMember): boolean {
    const answer = this.#answers.get(memberKey(member));
    if (answer?.outcome !== 'rejected' || answer.evidence.kind !== 'failed_integration') return false;
    return answer.evidence.commit !== null && this.#git.isFlaky(answer.evidence.commit);
  }

  #judge(): void {
    const git = this.#git;
    for (const commit of git.history()) {
      const told = git.world.git('log', '-1', '--format=%h %an %s (%p)', commit);
      if (!git.byUser.has(commit)) expect([told, git.isGreen(commit)]).toEqual([told, true]);
    }
    for (const one of git.members) {
      const outcome = this.#answers.get(memberKey(one.member))?.outcome;
      const times = git.landings(one).length;
      expect([one.file, outcome, times <= 1]).toEqual([one.file, outcome, true]);
      if (outcome !== 'withdrawn')
        expect([one.file, outcome, times === 1]).toEqual([one.file, outcome, outcome === 'merged']);
      // What a flaky check of a tree with others was red for, nobody can tell: only then may good work go back.
      const isRight = outcome === 'merged' || (outcome === 'withdrawn' && this.#withdrawn.has(one));
      if (one.kind === 'good' && !this.#isVictim(one) && !isRight)
        expect([one.file, this.#answers.get(memberKey(one.member))]).toBeUndefined();
      if (one.kind === 'red') expect(outcome).not.toBe('merged');
      if (this.#neverAgain.has(one)) expect([one.file, times]).toEqual([one.file, 0]);
    }
    expect(git.status()).toBe('?? notes.txt');
    expect(git.notesAreKept()).toBe(true);
    expect(git.isWhole()).toBe(true);
  }
}

const KINDS: readonly [WorkKind, ...WorkKind[]] = ['good', 'good', 'good', 'red'];

describe('the train on real repositories, while workers die, people commit, edit and withdraw, and the train is terminated', () => {
  test.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
    'accepts green trees only, lands each good task once, and leaves the checkout alone (seed %i)',
    async (seed) => {
      const random = new Random(seed);
      const kinds: WorkKind[] = [
        ...Array.from({ length: 5 }, () => random.pick(KINDS)),
        ...(['pair', 'clash', 'good', 'flaky', 'pair', 'clash', 'good'] as const),
      ];
      const git = await TrainGitWorld.create(kinds, seed % 2 === 0, random.integer(1, 3));
      try {
        await new History(random, git).play(30, seed % 3 === 1);
      } finally {
        git.remove();
      }
    },
    180_000,
  );
});
