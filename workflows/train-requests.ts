import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import { runWorkflowId } from '../core/ids.ts';
import { reduceRequest, type RequestEvent } from '../core/pull-request.ts';
import { driveRequest, watchedRequests } from '../core/request-drive.ts';
import type { OpenAnswer, RemoteActivities } from '../core/remote.ts';
import type { RepositoryRef } from '../core/run-ref.ts';
import {
  beginDraft,
  beginMerging,
  lookForMerge,
  noteDraft,
  noteRequest,
  requestNews,
  updateRequest,
  withoutDraft,
} from '../core/train-requests.ts';
import type { RequestedMember, TrainQueue } from '../core/train-queue.ts';
import { memberKey, type MemberId } from '../core/train.ts';
import { remoteActivities, requestActivities } from './activity-proxies.ts';
import * as messages from './messages.ts';
import { signalIfOpen } from './services.ts';
import { messageOf } from './train-runner.ts';

/** Brings members to their pull requests, and watches these, beside the train's own work. */
export class TrainRequests {
  readonly #repository: RepositoryRef;
  readonly #change: (change: (queue: TrainQueue) => TrainQueue) => void;
  readonly #driving = new Set<string>();
  /** Members whose draft was opened, or refused: it is not tried again. */
  readonly #drafted = new Set<string>();
  /** What runs were told last, as JSON, by member. */
  readonly #told = new Map<string, string>();
  /** Members whose run is being told: one thing after the other, so that the last word is the last to arrive. */
  readonly #telling = new Set<string>();
  /** What is watched, as JSON, and how to end it. */
  #watching: { text: string; scope: CancellationScope } | null = null;
  #alarm: number | null = null;

  constructor(repository: RepositoryRef, change: (change: (queue: TrainQueue) => TrainQueue) => void) {
    this.#repository = repository;
    this.#change = change;
  }

  /** Is nothing in the middle of something that a continued train could not take up? */
  isIdle(): boolean {
    return this.#driving.size === 0 && this.#telling.size === 0;
  }

  /** Goes on with every request that can go on; called whenever the state has changed. */
  reconcile(queue: TrainQueue): void {
    for (const member of withoutDraft(queue)) this.#change((before) => beginDraft(before, member, Date.now()));
    const { requests } = queue;
    const waiting = requests.filter(({ isRebuilt }) => !isRebuilt);
    for (const member of requests) if (member.isRebuilt) this.#draft(member);
    for (const member of waiting) this.#goOn(member);
    this.#watch(waiting);
    const due = waiting.flatMap(({ pause, request, candidate }) => {
      const isOurs = request.number === null || request.head !== candidate || request.blind;
      return [pause, isOurs ? request.lookAt : null];
    });
    this.#wakeAt(due.filter((time) => time !== null && time > Date.now()));
    this.#tell(requests);
  }

  #goOn(requested: RequestedMember): void {
    const { member, request, todo, candidate } = requested;
    const at = Date.now();
    if (todo !== null || (request.lookAt !== null && request.lookAt > at)) return;
    if (request.head !== candidate) void this.#drive(member, { type: 'pushed', at, head: candidate });
    else if (request.number === null) void this.#drive(member, { type: 'tick', at });
  }

  /** Shows a member's work on a draft while it is checked here. That it cannot be done is told when it is needed. */
  #draft({ member, request }: RequestedMember): void {
    const key = memberKey(member);
    if (request.number !== null || this.#drafted.has(key)) return;
    this.#drafted.add(key);
    void this.#inTurn(member, async ({ run, task, commit, attempt }, remote) => {
      const wish = { member, ready: false, known: { number: null, head: commit } };
      // One that an earlier attempt made ready shows verified work only.
      const before = attempt === 1 ? null : openedAs(await remote.openRequest(wish));
      if (before !== null && !before.draft)
        return (queue) => noteDraft(queue, member, { pushed: false, opened: before });
      const push = await remote.pushTask({ run, task, commit });
      const pushed = push.outcome === 'pushed' || push.outcome === 'already';
      const opened = pushed ? openedAs(await remote.openRequest(wish)) : before;
      return (queue) => noteDraft(queue, member, { pushed, opened });
    }).catch(() => undefined);
  }

  /** Tells a request what happened, and does what follows. */
  async #drive(member: MemberId, event: RequestEvent): Promise<void> {
    if (this.#driving.has(memberKey(member))) return;
    const requested = this.#current(member);
    if (requested === undefined || requested.isRebuilt) return;
    const { candidate } = requested;
    const now = (): number => Date.now();
    try {
      await this.#inTurn(requested.member, async ({ run, task }, remote) => {
        let happened = event;
        let isForeign = false;
        if (requested.pushed !== candidate) {
          const push = await remote.pushTask({ run, task, commit: candidate });
          if (push.outcome === 'refused') {
            happened = { type: 'refused', at: now(), refusal: push };
            isForeign = push.foreign === true;
          } else this.#change((queue) => updateRequest(queue, member, { pushed: candidate }));
        }
        const mayMerge = (): boolean => this.#beginMerging(member);
        const turn = await driveRequest(requested, happened, { remote, mayMerge, now });
        return (queue) => {
          const noted = noteRequest(queue, member, turn);
          return isForeign ? lookForMerge(noted, member) : noted;
        };
      });
    } catch (error) {
      // It could not be carried out, again and again: it is tried later.
      const refusal = { outcome: 'refused', reason: messageOf(error), hint: null, passing: true } as const;
      const turn = reduceRequest(requested.request, { type: 'refused', at: now(), refusal }, member.attempt);
      this.#change((queue) => noteRequest(queue, member, turn));
    }
  }

  #beginMerging(member: MemberId): boolean {
    let isBegun = false;
    this.#change((queue) => {
      const begun = beginMerging(queue, member);
      isBegun = begun !== null;
      return begun ?? queue;
    });
    return isBegun;
  }

  /** Does one thing at a time for a member, and records what came of it. */
  async #inTurn<T extends RequestedMember['member']>(
    member: T,
    work: (member: T, remote: Omit<RemoteActivities, 'watchRequests'>) => Promise<(queue: TrainQueue) => TrainQueue>,
  ): Promise<void> {
    const key = memberKey(member);
    if (this.#driving.has(key)) return;
    this.#driving.add(key);
    const summary = `pull request of ${member.task} ${member.name}`.slice(0, 100);
    try {
      const change = await work(member, remoteActivities(this.#repository, summary));
      this.#driving.delete(key);
      this.#change(change);
    } catch (error) {
      this.#driving.delete(key);
      this.#change((queue) => queue);
      throw error;
    }
  }

  /** Watches those that wait for news; anew whenever they are others, or what is known of them is news. */
  #watch(requests: readonly RequestedMember[]): void {
    const idle = requests.filter(
      ({ member, request, candidate }) => !this.#driving.has(memberKey(member)) && request.head === candidate,
    );
    const watched = watchedRequests(idle, Date.now());
    const text = JSON.stringify(watched);
    if (text === (this.#watching?.text ?? '[]')) return;
    this.#watching?.scope.cancel();
    this.#watching = null;
    if (watched.length === 0) return;
    const scope = new CancellationScope();
    this.#watching = { text, scope };
    void this.#watchIn(scope, watched, idle);
  }

  async #watchIn(
    scope: CancellationScope,
    watched: Parameters<RemoteActivities['watchRequests']>[0]['requests'],
    requests: readonly RequestedMember[],
  ): Promise<void> {
    try {
      const watching = requestActivities(this.#repository, `watch ${watched.length} pull requests`);
      const { views, refusal, unseen } = await scope.run(() => watching.watchRequests({ requests: watched }));
      // What another watch has taken over is told by that one, and is about what is there now.
      if (this.#watching?.scope !== scope) return;
      this.#watching = null;
      const at = Date.now();
      const memberOf = (task: string, run: string): MemberId | undefined =>
        requests.find(({ member }) => member.run.run === run && member.task === task)?.member;
      for (const { run, task, view, stamp } of views) {
        const member = memberOf(task, run);
        if (member !== undefined) void this.#drive(member, { type: 'seen', at, view, stamp });
      }
      if (refusal !== null)
        for (const { task, run } of unseen ?? watched.map((one) => ({ task: one.task, run: one.run.run }))) {
          const member = memberOf(task, run);
          if (member !== undefined) void this.#drive(member, { type: 'refused', at, refusal });
        }
    } catch (error) {
      if (!isCancellation(error)) await sleep('30s');
      if (this.#watching?.scope === scope) this.#watching = null;
    }
    this.#change((queue) => queue);
  }

  /** Tells runs what their tasks' requests wait for, where that is news. */
  #tell(requests: readonly RequestedMember[]): void {
    const keys = new Set(requests.map(({ member }) => memberKey(member)));
    for (const key of this.#told.keys()) if (!keys.has(key)) this.#told.delete(key);
    for (const requested of requests) {
      const key = memberKey(requested.member);
      const { project, run } = requested.member.run;
      const news = requestNews(requested);
      const text = JSON.stringify(news);
      if (news === null || this.#telling.has(key) || this.#told.get(key) === text) continue;
      this.#told.set(key, text);
      this.#telling.add(key);
      void signalIfOpen(runWorkflowId(project, run), messages.requestSignal, news).finally(() => {
        this.#telling.delete(key);
        this.#change((queue) => queue);
      });
    }
  }

  /** A member's request as it is now. */
  #current(member: MemberId): RequestedMember | undefined {
    let found: RequestedMember | undefined;
    this.#change((queue) => {
      found = queue.requests.find((other) => memberKey(other.member) === memberKey(member));
      return queue;
    });
    return found;
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

function openedAs(answer: OpenAnswer): Extract<OpenAnswer, { outcome: 'opened' | 'updated' }> | null {
  return answer.outcome === 'opened' || answer.outcome === 'updated' ? answer : null;
}
