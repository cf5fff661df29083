import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { BareRepository } from '../../activities/git/bare-repository.ts';
import { taskHistory } from '../../activities/git/merged-tasks.ts';
import { readRef } from '../../activities/git/refs.ts';
import { SignalboxError } from '../../core/failures.ts';
import { trainWorkflowId } from '../../core/ids.ts';
import { membersOf, type TrainQueue } from '../../core/train-queue.ts';
import type { TrainMember } from '../../core/train.ts';
import { sharedQueueOf } from '../../workers/server/namespace.ts';
import { queueQuery, submitSignal } from '../../workflows/messages.ts';

/** How often the branch is looked at, milliseconds. */
const GLANCE = 10;

/** How often the train is asked how far it is, milliseconds. */
const QUESTION = 1000;

/** Submits members to the real train, and follows what becomes of them. */
export class TrainRun {
  readonly #client: Client;
  readonly #bare: BareRepository;
  readonly #members: readonly TrainMember[];

  constructor(client: Client, bare: BareRepository, members: readonly TrainMember[]) {
    this.#client = client;
    this.#bare = bare;
    this.#members = members;
  }

  /**
   * All at once, but in order: the failing ones are where they are in simulation.
   *
   * @returns seconds from the last submission to the last landing
   */
  async together(): Promise<number> {
    for (const member of this.#members) await this.#submit(member);
    const submitted = performance.now();
    const over = new AbortController();
    const landing = this.#lastLanding(over.signal);
    await this.#untilEmpty(QUESTION);
    over.abort();
    return ((await landing) - submitted) / 1000;
  }

  /** Each when the one before has landed, or has been sent back. @returns seconds from the first to the end of the last */
  async oneByOne(): Promise<number> {
    const began = performance.now();
    for (const member of this.#members) {
      await this.#submit(member);
      await this.#untilEmpty(GLANCE);
    }
    return (performance.now() - began) / 1000;
  }

  /** Ends the train: the next one begins without knowing how many fail, as each of those that are simulated. */
  async end(): Promise<void> {
    await this.#train().terminate('measured');
  }

  /** Fails if anything but the good members has landed, or not each of them once. */
  async requireLanded(failing: readonly boolean[]): Promise<void> {
    const [first] = this.#members;
    if (first === undefined) return;
    const tip = this.#bare.tip(first.run.repository.branch) ?? '';
    const { merges } = await taskHistory(this.#bare.gitDir, tip, first.base);
    const landed = merges.filter(({ run }) => run === first.run.run).map(({ task }) => task);
    const good = this.#members.filter((_, index) => failing[index] !== true).map(({ task }) => task);
    if (JSON.stringify(landed.sort()) === JSON.stringify(good.sort())) return;
    throw new SignalboxError('internal', `${landed.length} have landed, ${good.length} should: ${landed.join(', ')}`);
  }

  async #submit(member: TrainMember): Promise<void> {
    const { repository } = member.run;
    await this.#client.workflow.signalWithStart('train', {
      workflowId: trainWorkflowId(repository.id, repository.branch),
      taskQueue: await sharedQueueOf(this.#client),
      args: [{ version: 1, repository }],
      signal: submitSignal,
      signalArgs: [member],
    });
  }

  async #untilEmpty(interval: number): Promise<void> {
    const train = this.#train();
    for (;;) {
      const queue: TrainQueue = await train.query(queueQuery);
      if (queue.halt !== null) throw new SignalboxError('internal', `the train stands: ${queue.halt.reason}`);
      if (membersOf(queue).length === 0) return;
      await sleep(interval);
    }
  }

  #train(): WorkflowHandle {
    const { id, branch } = this.#members[0]?.run.repository ?? { id: '', branch: '' };
    return this.#client.workflow.getHandle(trainWorkflowId(id, branch));
  }

  async #lastLanding(over: AbortSignal): Promise<number> {
    const { path: directory, branch } = this.#members[0]?.run.repository ?? { path: '', branch: '' };
    const look = (): string | null => readRef(path.join(directory, '.git'), `refs/heads/${branch}`);
    let seen = look();
    let at = performance.now();
    while (!over.aborted) {
      await sleep(GLANCE);
      const now = look();
      if (now !== seen) [seen, at] = [now, performance.now()];
    }
    return at;
  }
}
