import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/activity';
import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { asActivities } from '../../activities/activity-failure.ts';
import { hostQueue, trainWorkflowId } from '../../core/ids.ts';
import { unpackMembers, type PackedMembers } from '../../core/packed-train.ts';
import { membersOf, type TrainQueue } from '../../core/train-queue.ts';
import { memberKey, type TrainMember, type TrainResult } from '../../core/train.ts';
import type { Random } from '../../scripts/simulate/random.ts';
import { TEST_QUEUE } from './test-queue.ts';
import type { ProjectWorld } from './project-world.ts';
import { inShort, type Story } from './story.ts';
import { until } from './until.ts';

/** How often an activity's worker dies: before it does anything, and as often when all is done and nobody knows. */
const DEADLY = 0.15;

/** How often one takes its time, before as after, one that moves a branch more often; and how long at most, milliseconds. */
const SLOW = { chance: 0.1, ofMoves: 0.4, most: 500 };

type Activity = (input: unknown) => Promise<unknown>;

/** A real train, its workers, which die now and then, and the tasks that ask it and are answered. */
export class TrainDriver<M extends { member: TrainMember }> {
  readonly members: readonly M[];
  readonly submitted = new Set<M>();
  readonly withdrawn = new Set<M>();
  readonly cancelledRuns = new Set<string>();
  readonly answers = new Map<M, TrainResult>();
  /** Do workers die? */
  faults = true;
  /** How often something that moves a branch began, and how much of that is under way. */
  readonly moves = { begun: 0, underWay: 0 };
  readonly #env: TestWorkflowEnvironment;
  readonly #bundle: WorkflowBundleOption;
  readonly #world: Pick<ProjectWorld, 'run' | 'host'>;
  readonly #activities: object;
  readonly #random: Random;
  readonly #story: Story;
  /** Those that had their answer when the train lost its memory: a task that has one does not ask again. */
  readonly #done = new Set<M>();
  /** When each member's last acceptance began, and when trains were terminated. */
  readonly #accepting = new Map<string, number>();
  #terminatedAt = 0;
  #moving: TrainMember[] = [];
  #workers: { stop: () => Promise<void> } | null = null;

  constructor(parts: {
    env: TestWorkflowEnvironment;
    bundle: WorkflowBundleOption;
    world: Pick<ProjectWorld, 'run' | 'host'>;
    activities: object;
    members: readonly M[];
    random: Random;
    story: Story;
  }) {
    this.#env = parts.env;
    this.#bundle = parts.bundle;
    this.#world = parts.world;
    this.#activities = parts.activities;
    this.members = parts.members;
    this.#random = parts.random;
    this.#story = parts.story;
  }

  get #train(): WorkflowHandle {
    const { id, branch } = this.#world.run.repository;
    return this.#env.client.workflow.getHandle(trainWorkflowId(id, branch));
  }

  async startWorkers(): Promise<void> {
    const { host } = this.#world;
    const connection = this.#env.nativeConnection;
    const shared = { connection, shutdownGraceTime: '100ms', maxHeartbeatThrottleInterval: '100ms' } as const;
    const workers = [
      await Worker.create({ ...shared, taskQueue: TEST_QUEUE, workflowBundle: this.#bundle }),
      await Worker.create({
        ...shared,
        taskQueue: hostQueue(TEST_QUEUE, host.host),
        activities: this.#failing(asActivities(this.#activities, host.redactor)),
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

  async restartWorkers(): Promise<void> {
    this.#story.note('all workers are restarted');
    await this.#workers?.stop();
    await this.startWorkers();
  }

  /** Ends the train and its workers. */
  async end(): Promise<void> {
    await this.#quietly(() => this.#train.terminate());
    await this.#workers?.stop();
  }

  #failing<T extends object>(activities: T): T {
    const entries = Object.entries(activities as Record<string, Activity>).map(([name, activity]) => {
      const isMove = ['accept', 'land', 'mergeRequest'].includes(name);
      const slow = isMove ? SLOW.ofMoves : SLOW.chance;
      const mayDie = async (when: string): Promise<void> => {
        if (this.faults && this.#random.chance(slow)) await sleep(this.#random.integer(0, SLOW.most));
        if (!this.faults || !this.#random.chance(DEADLY)) return;
        this.#story.note(`  ${name} dies ${when}`);
        throw ApplicationFailure.retryable(`${name} died`, 'died');
      };
      return [
        name,
        async (input: unknown): Promise<unknown> => {
          const moved = isMove ? movedBy(input as { members?: PackedMembers; member?: TrainMember }) : [];
          for (const one of moved) this.#accepting.set(memberKey(one), Date.now());
          this.#moving.push(...moved);
          if (isMove) this.moves.begun += 1;
          if (isMove) this.moves.underWay += 1;
          try {
            await mayDie('before');
            const result = await activity(input);
            this.#story.note(`  ${name} ${inShort(input)} -> ${inShort(result)}`);
            await mayDie('after');
            return result;
          } finally {
            if (isMove) this.moves.underWay -= 1;
            this.#moving = this.#moving.filter((one) => !moved.includes(one));
          }
        },
      ];
    });
    return Object.fromEntries(entries) as T;
  }

  /** Is work of a run being accepted, or merged on the remote, just now? */
  isMoving(run: string): boolean {
    return this.#moving.some((one) => one.run.run === run && !this.cancelledRuns.has(run));
  }

  get wasTerminated(): boolean {
    return this.#terminatedAt > 0;
  }

  /** Was a train terminated after it began to accept this one, or to merge it? Only then does the next one not know of it. */
  mayHaveForgotten({ member }: M): boolean {
    return this.#terminatedAt >= (this.#accepting.get(memberKey(member)) ?? Infinity);
  }

  /** Asks for one to be merged, or to be taken out: a task does the one, then perhaps the other, till it has an answer. */
  async ask(one: M): Promise<void> {
    if (this.#done.has(one)) return;
    const { run, task, attempt } = one.member;
    if (this.cancelledRuns.has(run.run) && !this.submitted.has(one)) return;
    this.submitted.add(one);
    const { repository } = run;
    const isLeaving = this.withdrawn.has(one);
    this.#story.note(`${isLeaving ? 'withdraw' : 'submit'} ${run.run}/${task}`);
    await this.#env.client.workflow.signalWithStart('train', {
      workflowId: trainWorkflowId(repository.id, repository.branch),
      taskQueue: TEST_QUEUE,
      args: [{ version: 1, repository }],
      signal: isLeaving ? 'withdraw' : 'submit',
      signalArgs: [isLeaving ? { run, task, attempt } : one.member],
    });
  }

  async withdraw(one: M): Promise<void> {
    if (!this.unanswered().includes(one)) return;
    this.withdrawn.add(one);
    await this.ask(one);
  }

  /** Cancels a whole run: all its tasks in the train leave it at once, and those that are not there never come. */
  async cancelRun(run: string): Promise<void> {
    if (this.cancelledRuns.has(run)) return;
    this.#story.note(`cancel ${run}`);
    const leaving = this.unanswered().filter(({ member }) => member.run.run === run);
    this.cancelledRuns.add(run);
    await Promise.all(leaving.map((one) => this.withdraw(one)));
  }

  /**
   * Plays a history.
   *
   * @param steps how many, with a pause of up to so many milliseconds after each; the run is cancelled half-way, if any is
   * @param look after each step and its pause
   */
  async play(
    steps: { count: number; pause: number; run: string | null },
    step: () => Promise<void>,
    look: () => Promise<void>,
  ): Promise<void> {
    const { count, pause, run } = steps;
    for (let done = 0; done < count; done += 1) {
      // The worst moment is when work of it is just being taken; that may not come.
      const isDue = run !== null && done > count / 4 && (this.isMoving(run) || done > count / 2);
      if (isDue) await this.cancelRun(run);
      await step();
      await sleep(this.#random.integer(0, pause));
      await look();
    }
  }

  /** Waits until all is settled. @param looks how often is looked, and for how long at most, milliseconds */
  async settle(looks: { every: number; patience: number }, isSettled: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + looks.patience;
    while (!(await isSettled())) {
      if (Date.now() > deadline) throw new Error('it does not come to an end');
      await sleep(looks.every);
    }
  }

  /** Lets those ask again that wait for an answer and are not in the train. @returns those that wait for one */
  async askMissing(queue: TrainQueue | null, isRunning: boolean): Promise<M[]> {
    const waiting = this.waiting();
    const there = queue !== null && isRunning ? membersOf(queue).map(memberKey) : [];
    for (const one of waiting) if (!there.includes(memberKey(one.member))) await this.ask(one);
    return waiting;
  }

  async resume(): Promise<void> {
    await this.#quietly(() => this.#train.signal('resume'));
  }

  async terminate(): Promise<void> {
    this.#story.note('the train is terminated');
    await this.#quietly(() => this.#train.terminate());
    this.#terminatedAt = Date.now();
    await this.listen();
    for (const one of this.answers.keys()) this.#done.add(one);
  }

  /** Lets one that has its answer ask again, as a task of a later run would. */
  forgets(one: M): void {
    this.#done.delete(one);
  }

  /** Sends so many messages that the train continues as new. */
  async makeLong(): Promise<void> {
    const runIdOf = async (): Promise<string | null> =>
      (await this.#quietly(() => this.#train.describe()))?.runId ?? null;
    const before = await runIdOf();
    if (before === null || !(await this.isRunning())) return;
    this.#story.note('so many messages that it continues as new');
    for (let sent = 0; sent < 2100; sent += 100)
      await Promise.all(Array.from({ length: 100 }, () => this.#train.signal('resume')));
    await until(async () => (await runIdOf()) !== before);
  }

  async isRunning(): Promise<boolean> {
    return (await this.#quietly(() => this.#train.describe()))?.status.name === 'RUNNING';
  }

  /**
   * What the train has told since; nobody is ever told two things.
   *
   * @returns its state, or `null` if there never was one, and those that were answered since
   */
  async listen(): Promise<{ queue: TrainQueue | null; news: M[] }> {
    const queue = await this.#quietly(() => this.#train.query<TrainQueue>('queue'));
    const news: M[] = [];
    for (const { key, result } of queue?.answered ?? []) {
      const one = this.members.find(({ member }) => memberKey(member) === key);
      if (one === undefined) throw new Error(`nobody is ${key}`);
      const before = this.answers.get(one);
      if (before !== undefined) expect([key, result.outcome]).toEqual([key, before.outcome]);
      if (before !== undefined) continue;
      this.#story.note(`answer ${one.member.run.run}/${one.member.task}: ${inShort(result)}`);
      if (result.outcome === 'withdrawn') expect([key, this.withdrawn.has(one)]).toEqual([key, true]);
      this.answers.set(one, result);
      news.push(one);
    }
    return { queue, news };
  }

  unanswered(): M[] {
    return [...this.submitted].filter((one) => !this.answers.has(one));
  }

  /** Those that will have an answer one day, and have none yet. */
  waiting(): M[] {
    return this.members.filter(
      (one) => !this.answers.has(one) && (this.submitted.has(one) || !this.cancelledRuns.has(one.member.run.run)),
    );
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
}

/** The members that an activity moves a branch for. */
function movedBy({ members, member }: { members?: PackedMembers; member?: TrainMember }): TrainMember[] {
  return [...(members === undefined ? [] : unpackMembers(members)), ...(member === undefined ? [] : [member])];
}
