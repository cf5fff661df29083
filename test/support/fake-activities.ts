import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import type {
  CandidatesRequest,
  CandidatesResult,
  PreparedAttempt,
  RunActivities,
  TaskActivities,
  TrainActivities,
  TurnResult,
} from '../../core/activities.ts';
import type { CheckFailure, CheckReport } from '../../core/checks.ts';
import { checkEvidence, type Evidence } from '../../core/evidence.ts';
import { agentsQueue, hostQueue } from '../../core/ids.ts';
import type { PushAnswer, RemoteActivities } from '../../core/remote.ts';
import type { TaskView } from '../../core/run-state.ts';
import { unpackMembers } from '../../core/packed-train.ts';
import { memberKey, type LandingNews, type Ride, type TrainMember } from '../../core/train.ts';
import { FakeRemote } from './fake-remote.ts';
import { taskView } from './run-rules.ts';
import { TEST_QUEUE } from './test-queue.ts';
import { ArtefactStore } from '../../activities/records/artefact-store.ts';
import { ManifestReader } from '../../activities/records/manifest-reader.ts';
import { createRunActivities } from '../../activities/runs/run-activities.ts';

/** What becomes of a turn. */
type TurnScript = Partial<TurnResult> | 'hang' | 'lost';

/** What happens to one task, by attempt, and for turns perhaps by turn; the last entry holds for all later ones. */
export interface TaskScript {
  turns?: (TurnScript | TurnScript[])[];
  verify?: ('pass' | 'fail')[];
  candidate?: ('merge' | 'conflict')[];
}

/** A world for the workflows without files: activities that do what a script says, and count what they are asked. */
export class FakeWorld {
  readonly host = 'fakehost';
  readonly views: TaskView[];
  readonly scripts: Record<string, TaskScript>;
  readonly calls: string[] = [];
  readonly merged: string[] = [];
  /** How often the accepted tip was landed, or tried to be. */
  landings = 0;
  /** What each landing waits for. */
  beforeLanding: () => Promise<void> = () => Promise.resolve();
  /** Called when candidates are asked for. */
  whenMerging: () => Promise<void> = () => Promise.resolve();
  /** Called when something was accepted, before the train hears of it. */
  whenAccepted: () => Promise<void> = () => Promise.resolve();
  /** What the user's repository says to the next landings; landed when it is used up. */
  refusals: LandingNews[] = [];
  tip = 'base';
  /** The remote with its pull requests. */
  readonly far = new FakeRemote();
  /** Is the tree of this commit red? Its name lists the tasks that are merged in it. */
  isRed: (commit: string) => boolean = () => false;
  /** Tasks whose work a tip holds already: that tip, by the task. */
  readonly held = new Map<string, string>();
  /** Commits whose integration checks hang until they are released. */
  readonly hanging = new Set<string>();
  /** Checks of the train that run now, and the most that there ever were at once. */
  checking = 0;
  mostChecking = 0;
  /** What the next checks of the tip alone say, and whether the canary proves the checks. */
  tipChecks: CheckReport[] = [];
  canaries: boolean[] = [];
  /** How members are to be checked and merged. */
  ride: Ride = {
    checks: 'checks',
    lane: null,
    slots: 2,
    recheckTip: true,
    canary: 'off',
    push: 'none',
  };
  /** What agents were given, turn by turn. */
  readonly turns: Parameters<TaskActivities['turn']>[0][] = [];
  /** Paths that other tasks changed in the meantime. */
  changed: string[] = [];
  scope: 'off' | 'warn' | 'block' = 'warn';
  /** Where results are pushed, and what the remote says to pushes. */
  remote: NonNullable<PreparedAttempt['remote']> | null = null;
  pushAnswer: PushAnswer = { outcome: 'pushed', branch: 'b', commit: 'c' };
  /** What the hook was called for, as `kind task`; while it is broken, it throws. */
  readonly notices: string[] = [];
  hookIsBroken = false;
  /** Tasks in one answer of `loadTasks`: few, so that small runs are loaded in parts. */
  chunk = 2;
  /** How many agents work on its host at once. */
  mostAgents = 100;
  /** Can the server list workflows? The one for skipped time cannot. */
  lists = false;
  /** Tasks between their first activity and their merge, and the most that there ever were at once. */
  readonly working = new Set<string>();
  mostWorking = 0;
  /** Turns that hang now, and the most that there ever were at once. */
  turning = 0;
  mostTurning = 0;
  #release = new Map<string, () => void>();

  constructor(tasks: (Partial<TaskView> & { id: string })[], scripts: Record<string, TaskScript> = {}) {
    this.scripts = scripts;
    this.views = tasks.map(taskView);
  }

  /** Has one more task in its manifest. */
  add(task: Partial<TaskView> & { id: string }): void {
    this.views.push(taskView(task));
  }

  /** Lets a turn, or a check, that hangs come to its end. @param what the task, or the commit that is checked */
  release(what: string): void {
    this.hanging.delete(what);
    this.#release.get(what)?.();
  }

  count(call: string): number {
    return this.calls.filter((known) => known === call).length;
  }

  activities(client: Client): TaskActivities & TrainActivities & RunActivities & RemoteActivities {
    const real = createRunActivities({
      client,
      queue: TEST_QUEUE,
      manifests: new ManifestReader(new ArtefactStore('/nowhere')),
      searchable: false,
      hook: null,
      webUi: () => null,
    });
    const far = this.far.activities(() => this.tip);
    return {
      ...real,
      ...far,
      loadTasks: ({ from }) => {
        const next = from + this.chunk;
        return Promise.resolve({ tasks: this.views.slice(from, next), next: next < this.views.length ? next : null });
      },
      ...(this.lists ? {} : { openRuns: () => Promise.resolve([]), endFormerTasks: () => Promise.resolve() }),
      notify: ({ task, wait }) => {
        this.notices.push(`${wait.kind} ${task}`);
        return this.hookIsBroken ? Promise.reject(new Error('the hook is broken')) : Promise.resolve();
      },
      pushTask: (input) => {
        if (this.remote === null) return far.pushTask(input);
        this.#note('pushTask', input.task);
        return Promise.resolve(this.pushAnswer);
      },
      pushIntegration: ({ run }) => {
        this.#note('pushIntegration', run.run);
        return Promise.resolve(this.pushAnswer);
      },
      prepare: ({ task, attemptsBefore }) => {
        this.#note('prepare', task);
        this.working.add(task);
        this.mostWorking = Math.max(this.mostWorking, this.working.size);
        const attempt = attemptsBefore + 1;
        return Promise.resolve({
          attempt,
          base: this.tip,
          branch: `signalbox/r/${task}`,
          queue: hostQueue(TEST_QUEUE, this.host),
          agents: agentsQueue(TEST_QUEUE, this.host),
          hints: false,
          scope: this.scope,
          ...(this.remote === null ? {} : { remote: this.remote }),
        });
      },
      turn: async (asked) => {
        const {
          attempt: { task, attempt },
          turn,
        } = asked;
        this.#note('turn', task);
        this.turns.push(asked);
        const ofAttempt = nth(this.scripts[task]?.turns, attempt) ?? {};
        const scripted = (Array.isArray(ofAttempt) ? nth(ofAttempt, turn) : ofAttempt) ?? {};
        if (scripted === 'lost') throw ApplicationFailure.nonRetryable('the disk is full', 'environment');
        const finished: TurnResult = {
          outcome: 'finished',
          reason: null,
          error: null,
          thread: `thread-${task}`,
          message: 'done',
          usage: { input_tokens: 10, cached_input_tokens: 4, output_tokens: 2, cost_usd: 0.01 },
          durationMs: 1000,
          commit: `commit-${task}-${attempt}`,
          changed: 1,
          changes: '',
          undeclared: [],
          question: null,
          warnings: [],
        };
        if (scripted !== 'hang') return { ...finished, ...scripted };
        this.turning += 1;
        this.mostTurning = Math.max(this.mostTurning, this.turning);
        const ended = await this.#hang(task);
        this.turning -= 1;
        return { ...finished, outcome: ended && turn === 1 ? 'ended' : 'finished' };
      },
      hints: () => Promise.resolve(passed()),
      verify: ({ attempt: { task, attempt } }) => {
        this.#note('verify', task);
        const report = nth(this.scripts[task]?.verify, attempt) === 'fail' ? failed('doctor') : passed();
        return Promise.resolve({ ...report, ride: this.ride });
      },
      changedSince: () => Promise.resolve(this.changed),
      closeAttempt: ({ attempt: { task, attempt } }) => {
        this.#note('close', task);
        return Promise.resolve({ commit: `commit-${task}-${attempt}` });
      },
      candidates: async (request) => {
        await this.whenMerging();
        return this.#candidates(request);
      },
      check: async ({ commit }) => {
        this.#note('check', commit);
        this.checking += 1;
        this.mostChecking = Math.max(this.mostChecking, this.checking);
        const ended = this.hanging.has(commit) && (await this.#hang(commit));
        this.checking -= 1;
        if (ended) throw new Error('ended');
        return this.isRed(commit) ? failed('integration') : passed();
      },
      checkTip: () => Promise.resolve(this.tipChecks.shift() ?? passed()),
      canary: () => Promise.resolve({ proven: this.canaries.shift() ?? true }),
      blame: ({ member, failure, commit }) =>
        Promise.resolve(checkEvidence('failed_integration', failure, member.attempt, commit)),
      accept: async (request) => {
        const members = unpackMembers(request.members);
        const { commit, base, tip } = request.candidate;
        const before = this.tip;
        // Nested prefixes: what has landed of them since is part of the candidate.
        if (tip !== this.tip && !commit.startsWith(this.tip)) return { outcome: 'moved' };
        this.tip = commit;
        for (const member of members) {
          this.merged.push(member.task);
          this.working.delete(member.task);
        }
        await this.whenAccepted();
        return {
          outcome: 'accepted',
          commit,
          base: base === tip ? before : base,
          commits: {},
          next: request.next === null ? null : this.#candidates(request.next),
        };
      },
      land: async () => {
        this.calls.push('land');
        this.landings += 1;
        await this.beforeLanding();
        return this.#land();
      },
    };
  }

  #candidates(request: Omit<CandidatesRequest, 'repository'>): CandidatesResult {
    const { tip } = this;
    const members = unpackMembers(request.members);
    const conflicts = members.flatMap((member) => {
      const { run, task, attempt } = member;
      this.#note('candidate', task);
      if (nth(this.scripts[task]?.candidate, attempt) !== 'conflict') return [];
      return [{ member: { run, task, attempt }, evidence: conflict(attempt) }];
    });
    const left = new Set(conflicts.map(({ member }) => memberKey(member)));
    const kept = members.filter((member) => !left.has(memberKey(member)));
    const commits = kept.map((_, index) => {
      const rest = kept.slice(0, index + 1);
      // Only requests' commits are told apart by what they were made on: nested prefixes are, by what they begin with.
      const on = rest[0]?.ride.push === 'pull_request' && tip !== 'base' ? `-on-${tip}` : '';
      const isHeld = rest.every(({ task }) => this.held.get(task) === tip);
      return isHeld ? tip : `${commitOf(rest)}${on}`;
    });
    const prefixes = request.prefixes.flatMap(({ id, size }) => {
      const fit = members.slice(0, size).filter((member) => !left.has(memberKey(member))).length;
      return fit === 0 ? [] : [{ id, size: fit }];
    });
    return { kind: 'merged', base: tip, tip, prefixes, commits, cut: null, conflicts };
  }

  #land(): LandingNews {
    const refusal = this.refusals.shift();
    return { ...(refusal ?? { landed: true, reason: null, hint: null, diverged: false }), tip: this.tip };
  }

  #note(what: string, task: string): void {
    this.calls.push(`${what} ${task}`);
  }

  /** Waits to be released, or to be cancelled. @returns whether it was cancelled */
  async #hang(task: string): Promise<boolean> {
    const context = Context.current();
    const timer = setInterval(() => context.heartbeat(), 100);
    try {
      await Promise.race([new Promise<void>((resolve) => this.#release.set(task, resolve)), context.cancelled]);
      return false;
    } catch {
      return true;
    } finally {
      clearInterval(timer);
    }
  }
}

function nth<T>(list: readonly T[] | undefined, attempt: number): T | undefined {
  return list?.[Math.min(attempt, list.length) - 1];
}

function commitOf(members: readonly TrainMember[]): string {
  return `merge-${members.map(({ task }) => task).join('-')}`;
}

function conflict(attempt: number): Evidence {
  const [summary, detail] = ['conflicts in x.ts', '<<<<'];
  return { kind: 'conflict', summary, detail, attempt, commit: null, tried: '', changes: '' };
}

/** A report of checks that passed. */
export function passed(): CheckReport {
  return { failure: null, commands: 1, durationMs: 1 };
}

/** A report of a check that failed. */
export function failed(check: string): CheckReport {
  const failure: CheckFailure = {
    check,
    command: 'npm test',
    exitCode: 1,
    signal: null,
    timedOut: false,
    outOfMemory: false,
    output: 'not ok 1',
  };
  return { failure, commands: 1, durationMs: 1 };
}
