import { isDeepStrictEqual } from 'node:util';
import { expect } from '@jest/globals';
import {
  blamed,
  canaryShown,
  checked,
  jobs,
  laneOf,
  merged,
  notMerged,
  plan,
  type Job,
} from '../../core/train-checks.ts';
import { halt, resume } from '../../core/train-halt.ts';
import { accepted, beginAccepting, landed, moved, type Acceptance } from '../../core/train-landing.ts';
import { emptyTrain, membersOf, submit, withdraw, type TrainQueue } from '../../core/train-queue.ts';
import { memberKey, type Ride, type TrainMember, type TrainResult } from '../../core/train.ts';
import { trainMember } from '../../scripts/simulate/train.ts';
import { conflictEvidence, integrationEvidence, integrationFailure } from './train-evidence.ts';

/** What a member really is. */
export interface MemberPlan {
  run: string;
  lane: string | null;
  checks: string;
  red: boolean;
  /** Red together with that other member, by the checks of this one. */
  redWith: string | null;
  conflictsWith: string | null;
  /** Does it conflict with whatever somebody else commits? */
  conflictsWithOthers: boolean;
}

/** How a train of the model is configured. */
export interface TrainPlan {
  ride: Pick<Ride, 'slots' | 'recheckTip' | 'canary'>;
  /** Do the checks prove anything? */
  proven: boolean;
  members: MemberPlan[];
}

interface Build {
  ids: number[];
  sizes: { id: number; size: number }[];
  members: TrainMember[];
  result: Parameters<typeof merged>[2] | null;
}

/**
 * The world around a train, and what is true in it. A commit is the list of what is in it, in the order in which it was
 * merged: members by their keys, and what others committed: `o1` is harmless, `break2` makes all checks red, `fix3` makes
 * everything before it good.
 */
export class TrainWorld {
  queue: TrainQueue = emptyTrain();
  readonly members = new Map<string, { member: TrainMember; truth: MemberPlan }>();
  readonly answers = new Map<string, TrainResult>();
  /** The accepted tip, and the user's branch. */
  tip = 'base';
  user: string[] = ['base'];
  builds: Build[] = [];
  /** What is being accepted; once that was done, with the new tip, or `null` where the branch had moved. */
  accepting: {
    acceptance: Acceptance;
    outcome: { commit: null } | { commit: string; base: string } | null;
  } | null = null;
  /** Jobs that were begun: also those that nobody wants any more. */
  readonly begun = new Map<number, Job>();
  #proven: boolean;
  readonly #plan: TrainPlan;
  readonly #withdrawn = new Set<string>();
  readonly #submitted = new Set<string>();
  readonly #verdicts = new Map<string, boolean>();
  /** What was green, or accepted: by its checks. */
  readonly #green = new Set<string>();
  readonly #canaries = new Set<boolean>();
  /** Accepted members, in order. */
  readonly #accepted: string[] = [];
  #commits = 0;

  constructor(world: TrainPlan) {
    this.#plan = world;
    this.#proven = world.proven;
    for (const [index, truth] of world.members.entries()) {
      const ride = { ...world.ride, lane: truth.lane, checks: truth.checks };
      const plain = trainMember(`m${index}`, ride);
      const member = { ...plain, run: { ...plain.run, run: truth.run } };
      this.members.set(memberKey(member), { member, truth });
    }
  }

  /** Each step of the train is written down and read again, as over a continue-as-new. */
  #step(next: TrainQueue): void {
    const before = this.queue;
    const copy = JSON.parse(JSON.stringify(next)) as TrainQueue;
    if (!isDeepStrictEqual(copy, next)) expect(copy).toEqual(next);
    this.queue = copy;
    if (before.halt === null && next.halt !== null) {
      expect(next.culprits).toEqual([]);
      expect(next.outbox.length).toBe(before.outbox.length);
    }
    this.expectOrder();
  }

  /** What holds at any time. */
  expectOrder(): void {
    const { queue } = this;
    const waiting = membersOf(queue).map(memberKey);
    expect(new Set(waiting).size).toBe(waiting.length);
    const told = [...this.answers.keys(), ...queue.outbox.map(({ member }) => memberKey(member))];
    for (const key of this.#submitted) {
      // Either it waits or it has an answer, never both.
      if (waiting.includes(key) === told.includes(key)) expect([key, { waiting, told }]).toBeUndefined();
    }
    const running = jobs(queue);
    const culprits = running.filter(({ kind }) => kind === 'culprit').length;
    const merging = queue.lanes.flatMap(({ checks }) => checks.filter(({ candidate }) => candidate === null)).length;
    const ids = new Set(running.map(({ id }) => id));
    const bounds = {
      places: running.length - culprits + merging <= this.#plan.ride.slots,
      culprits: culprits <= 1,
      ids: ids.size === running.length,
      answered: queue.answered.length <= 50,
      leaving: queue.leaving.length <= this.members.size,
      lanes: queue.lanes.length <= this.members.size,
    };
    if (Object.values(bounds).includes(false)) expect({ bounds, queue }).toBeUndefined();
  }

  submit(key: string): void {
    this.#submitted.add(key);
    this.#step(submit(this.queue, this.members.get(key)!.member));
  }

  withdraw(key: string): void {
    this.#withdrawn.add(key);
    this.#submitted.add(key);
    const accepting = this.accepting?.acceptance.members.some((member) => memberKey(member) === key) === true;
    const { run, task, attempt } = this.members.get(key)!.member;
    this.#step(withdraw(this.queue, { run, task, attempt }));
    // One that is being accepted has to wait for what comes of it.
    if (accepting && !this.answers.has(key)) expect(membersOf(this.queue).map(memberKey)).toContain(key);
  }

  /** Answers reach their tasks. */
  deliver(): void {
    for (const { member, result } of this.queue.outbox) {
      const key = memberKey(member);
      const before = this.answers.get(key);
      if (before !== undefined) expect(result).toEqual(before);
      this.answers.set(key, result);
      if (result.outcome === 'withdrawn') expect(this.#withdrawn).toContain(key);
      const has = tokens(this.tip).includes(key);
      expect([key, result.outcome, has]).toEqual([key, result.outcome, result.outcome === 'merged']);
      if (result.outcome === 'merged' && this.#plan.ride.canary === 'warn' && !this.#canaries.has(true))
        expect(result.warnings).toHaveLength(1);
    }
    this.#step({ ...this.queue, outbox: [] });
  }

  plan(): void {
    const { queue, planned } = plan(this.queue);
    for (const one of planned) {
      const { checks } = one;
      const longest = Math.max(...checks.map(({ size }) => size));
      const members = laneOf(queue, one)!.members.slice(0, longest);
      this.builds.push({ ids: checks.map(({ id }) => id), sizes: checks, members, result: null });
    }
    this.#step(queue);
  }

  /** Merges what was planned. @param cuts are prefixes beyond a cut shortened to it, or left out? */
  build(nth: number, cuts: boolean): void {
    const build = pick(this.builds, nth);
    if (build === undefined) return;
    const base = [...tokens(this.tip), ...this.user.filter((token) => !tokens(this.tip).includes(token))];
    const done: TrainMember[] = [];
    const conflicts: Parameters<typeof merged>[2]['conflicts'] = [];
    /** How many fit, by how many were asked for. */
    const sizes = [0];
    let cut: number | null = null;
    for (const member of build.members) {
      const key = memberKey(member);
      if (cut === null && this.#conflict(key, base)) conflicts.push({ member, evidence: conflictEvidence() });
      else if (cut === null && this.#conflict(key, done.map(memberKey))) cut = done.length;
      else if (cut === null) done.push(member);
      sizes.push(done.length);
    }
    const prefixes = build.sizes.flatMap(({ id, size }, index) => {
      const real = sizes[size] ?? done.length;
      const isCut = cut !== null && size > real + conflicts.length;
      if (isCut && !cuts && index > 0) return [];
      return [{ id, size: real }];
    });
    const commits = done.map((_, at) => [...base, ...done.slice(0, at + 1).map(memberKey)].join(' '));
    build.result = { base: base.join(' '), tip: this.tip, prefixes, commits, cut, conflicts };
  }

  #conflict(key: string, others: readonly string[]): boolean {
    const { truth } = this.members.get(key)!;
    return others.some((other) => {
      const theirs = this.members.get(other)?.truth;
      if (theirs === undefined) return other !== 'base' && truth.conflictsWithOthers;
      if (truth.lane !== null && theirs.lane !== null && truth.lane !== theirs.lane) return false;
      return truth.conflictsWith === other || theirs.conflictsWith === key;
    });
  }

  built(nth: number): void {
    const build = pick(this.builds, nth);
    if (build?.result == null) return;
    this.builds = this.builds.filter((other) => other !== build);
    this.#step(merged(this.queue, build.ids, build.result));
  }

  notBuilt(nth: number): void {
    const build = pick(this.builds, nth);
    if (build === undefined) return;
    this.builds = this.builds.filter((other) => other !== build);
    this.#step(notMerged(this.queue, build.ids));
    this.#step(halt(this.queue, { kind: 'error', reason: 'no', hint: '', detail: '', tip: this.tip }));
  }

  begin(): void {
    for (const job of jobs(this.queue)) if (!this.begun.has(job.id)) this.begun.set(job.id, job);
  }

  /** A job comes to its end: one that is not wanted any more, too, and one that came to its end before. */
  verdict(nth: number, flaky: boolean, again: boolean): void {
    const job = pick([...this.begun.values()], nth);
    if (job === undefined) return;
    if (!again) this.begun.delete(job.id);
    this.#conclude(job, flaky);
  }

  #conclude(job: Job, flaky: boolean): void {
    const { checks } = job.member.ride;
    if (job.kind === 'canary') {
      this.#canaries.add(this.#proven);
      this.#step(canaryShown(this.queue, job.id, this.#proven));
    } else if (job.kind === 'culprit') {
      // Red with nothing but a base that was green beside it.
      const key = memberKey(job.member);
      const alone = tokens(job.commit);
      expect(alone.at(-1)).toBe(key);
      expect(this.#verdicts.get(`${job.commit} ${checks} ${job.epoch}`)).toBe(false);
      const without = this.#part(alone.slice(0, -1).join(' '), job.member.ride);
      if (this.#plan.ride.recheckTip) expect(this.#green).toContain(without);
      this.#step(blamed(this.queue, job.id, integrationEvidence()));
    } else {
      const cached = `${job.commit} ${checks} ${job.epoch}`;
      const green = this.#verdicts.get(cached) ?? (!flaky && this.isGreen(job.commit, checks));
      this.#verdicts.set(cached, green);
      if (green) this.#green.add(this.#part(job.commit, job.member.ride));
      this.#step(checked(this.queue, job.id, green ? null : integrationFailure()));
    }
  }

  /** What of a commit its lane's checks depend on: what independent lanes brought does not matter. */
  #part(commit: string, { lane, checks }: Ride): string {
    const isOther = (other: string | null | undefined): boolean => other != null && lane !== null && other !== lane;
    const part = tokens(commit).filter((token) => !isOther(this.members.get(token)?.truth.lane));
    return [...part, checks].join(' ');
  }

  /** What is true. */
  isGreen(commit: string, checks: string): boolean {
    const all = tokens(commit);
    const fixed = all.findLastIndex((token) => token.startsWith('fix'));
    const relevant = all.slice(fixed + 1);
    return !relevant.some((token) => {
      const truth = this.members.get(token)?.truth;
      if (truth === undefined) return token.startsWith('break');
      if (truth.checks !== checks) return false;
      if (truth.red) return true;
      const other = truth.redWith === null ? undefined : this.members.get(truth.redWith)?.truth;
      if (other === undefined || !relevant.includes(truth.redWith!)) return false;
      return truth.lane === null || other.lane === null || truth.lane === other.lane;
    });
  }

  beginAccepting(): void {
    const { queue, acceptance } = beginAccepting(this.queue);
    if (acceptance !== null) this.accepting = { acceptance, outcome: null };
    this.#step(queue);
  }

  /** Accepts it, if nobody came between. Done again it finds that it was done. */
  accept(): void {
    const { accepting } = this;
    if (accepting === null) return;
    const { check, lane, members } = accepting.acceptance;
    const candidate = check.candidate!;
    const fresh = tokens(candidate.commit).filter((token) => !tokens(this.tip).includes(token));
    if (accepting.outcome !== null) return;
    const others = tokens(this.tip).filter((token) => !tokens(candidate.commit).includes(token));
    const independent = others.every((token) => {
      const other = this.members.get(token)?.member.ride.lane;
      return other != null && lane.ride.lane !== null && other !== lane.ride.lane;
    });
    if (this.user.some((token) => !tokens(candidate.commit).includes(token)) || !independent) {
      accepting.outcome = { commit: null };
      return;
    }
    const { checks } = lane.ride;
    expect(this.#green).toContain(this.#part(candidate.commit, lane.ride));
    const commit = [...tokens(this.tip), ...fresh].join(' ');
    const brought = tokens(candidate.base).filter((token) => !tokens(this.tip).includes(token));
    const base = brought.length === 0 ? this.tip : candidate.base;
    expect(this.isGreen(commit, checks)).toBe(true);
    if (this.#plan.ride.canary === 'block') expect(this.#canaries).toContain(true);
    if (this.#plan.ride.canary === 'warn') expect(this.#canaries.size).toBeGreaterThan(0);
    // Just these are accepted, each for the first time, and nobody who was told that it would not.
    const keys = members.map(memberKey);
    expect(fresh.filter((token) => this.members.has(token))).toEqual(keys);
    for (const key of keys) {
      expect(this.#accepted).not.toContain(key);
      expect(this.answers.get(key)).toBeUndefined();
    }
    this.#accepted.push(...keys);
    this.#green.add(this.#part(commit, lane.ride));
    this.tip = commit;
    this.user = [...this.user, ...tokens(commit).filter((token) => !this.user.includes(token))];
    accepting.outcome = { commit, base };
  }

  acceptingOver(): void {
    if (this.accepting?.outcome == null) return;
    const { outcome } = this.accepting;
    this.accepting = null;
    this.#step(outcome.commit === null ? moved(this.queue) : accepted(this.queue, { ...outcome, commits: {} }));
  }

  /** A landing is over that brought so many arrivals to the user's branch. */
  land(arrivals: number): void {
    const news = { tip: this.tip, landed: true, reason: null, hint: null, diverged: false };
    this.#step(landed(this.queue, arrivals, news).queue);
  }

  push(kind: 'o' | 'break' | 'fix'): void {
    this.user = [...this.user, `${kind}${++this.#commits}`];
  }

  /** A person looks after a train that stands. */
  resume(mends: boolean): void {
    if (this.queue.halt === null) return;
    if (mends && this.queue.halt.kind === 'tip') this.push('fix');
    if (mends && this.queue.halt.kind === 'canary') this.#proven = true;
    this.#step(resume(this.queue));
  }

  /** From here on nothing goes wrong by itself: everybody has an answer after so many rounds. */
  settle(): void {
    for (const key of this.members.keys()) if (!this.answers.has(key)) this.submit(key);
    const most = 30 + 12 * this.members.size;
    for (let round = 0; round < most; round += 1) {
      this.deliver();
      if (this.answers.size === this.members.size && this.accepting === null) return;
      this.resume(true);
      this.accept();
      this.acceptingOver();
      this.land(this.queue.arrivals.length);
      this.beginAccepting();
      this.plan();
      while (this.builds.length > 0) {
        this.build(0, true);
        this.built(0);
      }
      this.begin();
      const wanted = new Set(jobs(this.queue).map(({ id }) => id));
      for (const id of this.begun.keys()) if (!wanted.has(id)) this.begun.delete(id);
      while (this.begun.size > 0) this.verdict(this.begun.size - 1, false, false);
    }
    expect(this.members.size - this.answers.size).toBe(0);
  }

  /** Each green member was accepted once, and nobody else. */
  expectJustice(): void {
    expect(new Set(this.#accepted).size).toBe(this.#accepted.length);
    expect(tokens(this.tip).filter((token) => this.members.has(token))).toEqual(this.#accepted);
    for (const [key, { outcome }] of this.answers) expect(this.#accepted.includes(key)).toBe(outcome === 'merged');
    expect(membersOf(this.queue)).toEqual([]);
    expect(this.queue.lanes).toEqual([]);
  }
}

function tokens(commit: string): string[] {
  return commit.split(' ');
}

function pick<T>(list: readonly T[], nth: number): T | undefined {
  return list[nth % Math.max(1, list.length)];
}
