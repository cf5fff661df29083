import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { TrainCheck } from '../core/activities.ts';
import type { RepositoryRef } from '../core/run-ref.ts';
import { blamed, canaryShown, checked, jobs, type Job } from '../core/train-checks.ts';
import { halt } from '../core/train-halt.ts';
import type { TrainQueue } from '../core/train-queue.ts';
import { trainActivities } from './activity-proxies.ts';

/** How long a check that is not wanted any more is left to end by itself. */
const ENDING = '500ms';

/** How long what is wrong with a culprit waits: next checks begin at the same time, and others wait for those. */
const OTHERS_FIRST = '500ms';

/**
 * Carries out the checks that the train's state says are to run: starts what is new in it, ends what is no longer there,
 * and tells it the verdicts. Whoever continues the train starts them again, and so attaches to the running steps.
 */
export class TrainRunner {
  readonly #repository: RepositoryRef;
  readonly #execution: string;
  readonly #change: (change: (queue: TrainQueue) => TrainQueue) => void;
  readonly #running = new Map<number, CancellationScope>();
  readonly #ending = new Set<number>();
  #wanted: ReadonlySet<number> = new Set();

  /** @param execution the first execution run id of the train: who may attach to its steps */
  constructor(
    repository: RepositoryRef,
    execution: string,
    change: (change: (queue: TrainQueue) => TrainQueue) => void,
  ) {
    this.#repository = repository;
    this.#execution = execution;
    this.#change = change;
  }

  /** Brings what runs in line with what is to run. */
  reconcile(queue: TrainQueue): void {
    const wanted = jobs(queue);
    this.#wanted = new Set(wanted.map((job) => job.id));
    for (const id of this.#running.keys())
      if (!this.#wanted.has(id) && !this.#ending.has(id)) this.#end(id).catch(() => undefined);
    for (const job of wanted) if (!this.#running.has(job.id)) void this.#run(job);
  }

  /** Ends what is not wanted any more, unless it has ended by itself in the same moment, as checks that began together do. */
  async #end(id: number): Promise<void> {
    const scope = this.#running.get(id);
    this.#ending.add(id);
    await sleep(ENDING);
    this.#ending.delete(id);
    if (this.#running.get(id) === scope && !this.#wanted.has(id)) scope?.cancel();
  }

  async #run(job: Job): Promise<void> {
    const scope = new CancellationScope();
    this.#running.set(job.id, scope);
    try {
      const change = await scope.run(() => this.#carryOut(job));
      this.#running.delete(job.id);
      this.#change(change);
    } catch (error) {
      this.#running.delete(job.id);
      // What is no longer wanted was ended; by now the same job may be wanted again.
      if (isCancellation(error)) this.#change((queue) => queue);
      else this.#change((queue) => halt(queue, errorHalt(error, 'a check could not be carried out', job.commit)));
    }
  }

  async #carryOut(job: Job): Promise<(queue: TrainQueue) => TrainQueue> {
    const { id, member, commit, kind } = job;
    const { run, task, attempt, ride } = member;
    const session = `${this.#execution}/${job.epoch}`;
    const check: TrainCheck = { run, task, attempt, lane: ride.lane, commit, session };
    const short = commit.slice(0, 10);
    switch (kind) {
      case 'candidate': {
        const what = `integration checks of ${job.size === 1 ? `${task} ${member.name}`.slice(0, 80) : `${job.size} tasks`}`;
        const { failure } = await trainActivities(this.#repository, what).check(check);
        return (queue) => checked(queue, id, failure);
      }
      case 'tip': {
        const what = `integration checks of the tip ${short} alone`;
        const { failure } = await trainActivities(this.#repository, what).checkTip({ ...check, id });
        return (queue) => checked(queue, id, failure);
      }
      case 'canary': {
        const { proven } = await trainActivities(this.#repository, `canary of ${short}`).canary(check);
        return (queue) => canaryShown(queue, id, proven);
      }
      case 'culprit': {
        const what = `what is wrong with ${task} ${member.name}`.slice(0, 100);
        const { failure } = job;
        await sleep(OTHERS_FIRST);
        const evidence = await trainActivities(this.#repository, what).blame({ member, commit, failure, session });
        return (queue) => blamed(queue, id, evidence);
      }
    }
  }
}

/** Why the train stands when something could not be carried out. */
export function errorHalt(error: unknown, what: string, tip: string): Parameters<typeof halt>[1] {
  return {
    kind: 'error',
    reason: `${what}: ${messageOf(error).slice(0, 500)}`,
    hint: 'it is tried again by itself; "signalbox run resume" tries at once',
    detail: '',
    tip,
  };
}

/** What an error says, or what it was caused by. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
