import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { reduceRequest, type RequestEvent } from '../core/pull-request.ts';
import { driveRequest, watchedRequests } from '../core/request-drive.ts';
import type { RepositoryRef } from '../core/run-ref.ts';
import { noteRequest, updateRequest } from '../core/train-requests.ts';
import type { RequestedMember, TrainQueue } from '../core/train-queue.ts';
import { memberKey } from '../core/train.ts';
import { remoteActivities, requestActivities } from './activity-proxies.ts';

/** Brings members to their pull requests, and watches these, beside the train's own work. */
export class TrainRequests {
  readonly #repository: RepositoryRef;
  readonly #change: (change: (queue: TrainQueue) => TrainQueue) => void;
  readonly #driving = new Set<string>();
  /** What is watched, as JSON, and how to end it. */
  #watching: { text: string; scope: CancellationScope } | null = null;
  #alarm: number | null = null;

  constructor(repository: RepositoryRef, change: (change: (queue: TrainQueue) => TrainQueue) => void) {
    this.#repository = repository;
    this.#change = change;
  }

  /** Is nothing in the middle of something that a continued train could not take up? */
  isIdle(): boolean {
    return this.#driving.size === 0;
  }

  /** Goes on with every request that can go on; called whenever the state has changed. */
  reconcile({ requests }: TrainQueue): void {
    const waiting = requests.filter(({ isRebuilt }) => !isRebuilt);
    for (const member of waiting) this.#goOn(member);
    this.#watch(waiting);
    const pauses = waiting.flatMap(({ pause, request }) => [pause, request.number === null ? request.lookAt : null]);
    this.#wakeAt(pauses.filter((time) => time !== null && time > Date.now()));
  }

  #goOn(requested: RequestedMember): void {
    const { member, request, todo, candidate } = requested;
    if (todo !== null || this.#driving.has(memberKey(member))) return;
    const at = Date.now();
    if (request.head !== candidate) void this.#drive(requested, { type: 'pushed', at, head: candidate });
    else if (request.number === null && (request.lookAt === null || request.lookAt <= at))
      void this.#drive(requested, { type: 'tick', at });
  }

  /** Tells a request what happened, and does what follows. */
  async #drive(requested: RequestedMember, event: RequestEvent): Promise<void> {
    const { member, candidate } = requested;
    const { run, task } = member;
    const key = memberKey(member);
    this.#driving.add(key);
    const remote = remoteActivities(this.#repository, `pull request of ${task} ${member.name}`.slice(0, 100));
    const now = (): number => Date.now();
    try {
      let happened = event;
      if (requested.pushed !== candidate) {
        const push = await remote.pushTask({ run, task, commit: candidate });
        if (push.outcome === 'refused') happened = { type: 'refused', at: now(), refusal: push };
        else this.#change((queue) => updateRequest(queue, member, { pushed: candidate }));
      }
      const turn = await driveRequest(requested, happened, { remote, now });
      this.#driving.delete(key);
      this.#change((queue) => noteRequest(queue, member, turn));
    } catch (error) {
      // It could not be carried out, again and again: it is tried later.
      this.#driving.delete(key);
      const reason = error instanceof Error ? error.message : String(error);
      const refusal = { outcome: 'refused', reason, hint: null, passing: true } as const;
      const turn = reduceRequest(requested.request, { type: 'refused', at: now(), refusal }, member.attempt);
      this.#change((queue) => noteRequest(queue, member, turn));
    }
  }

  /** Watches those that wait for news; anew whenever they are others, or what is known of them is news. */
  #watch(requests: readonly RequestedMember[]): void {
    const idle = requests.filter(({ member }) => !this.#driving.has(memberKey(member)));
    const watched = watchedRequests(idle);
    const text = JSON.stringify(watched);
    if (text === (this.#watching?.text ?? '[]')) return;
    this.#watching?.scope.cancel();
    this.#watching = null;
    if (watched.length === 0) return;
    const scope = new CancellationScope();
    this.#watching = { text, scope };
    void this.#watchIn(scope, idle);
  }

  async #watchIn(scope: CancellationScope, requests: readonly RequestedMember[]): Promise<void> {
    try {
      const watching = requestActivities(this.#repository, `watch ${requests.length} pull requests`);
      const answer = await scope.run(() => watching.watchRequests({ requests: watchedRequests(requests) }));
      if (this.#watching?.scope === scope) this.#watching = null;
      for (const { run, task, view, stamp } of answer.views) {
        const seen = requests.find(({ member }) => member.run.run === run && member.task === task);
        if (seen !== undefined) void this.#drive(seen, { type: 'seen', at: Date.now(), view, stamp });
      }
      const { refusal } = answer;
      if (refusal !== null && answer.views.length === 0)
        for (const request of requests) void this.#drive(request, { type: 'refused', at: Date.now(), refusal });
    } catch (error) {
      if (this.#watching?.scope === scope) this.#watching = null;
      if (!isCancellation(error)) await sleep('30s');
    }
    this.#change((queue) => queue);
  }

  /** Sees to it that time passing is noticed. */
  #wakeAt(times: readonly (number | null)[]): void {
    const next = Math.min(...times.map((time) => time ?? Infinity));
    if (next === Infinity || (this.#alarm !== null && this.#alarm <= next)) return;
    this.#alarm = next;
    void sleep(Math.max(1, next - Date.now())).then(() => {
      if (this.#alarm === next) this.#alarm = null;
      this.#change((queue) => queue);
    });
  }
}
