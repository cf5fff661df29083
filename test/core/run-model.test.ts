import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { claimsMeet, type Claims } from '../../core/globs.ts';
import { answerTo, grant } from '../../core/lock-grants.ts';
import { applySync, emptyLockTable, type SyncRequest } from '../../core/locks.ts';
import { packRun, unpackRun, type PackedTask } from '../../core/packed-run.ts';
import type { WaitKind } from '../../core/person.ts';
import { reduceRun } from '../../core/reduce-run.ts';
import { nextDeadline } from '../../core/reduce-waits.ts';
import { isOver } from '../../core/run-description.ts';
import type { RunEvent } from '../../core/run-events.ts';
import type { TaskNews } from '../../core/run-messages.ts';
import { initialRunState, type RunState, type TaskView } from '../../core/run-state.ts';
import { lockNews, lockSnapshot, tasksToStart, tasksToTell } from '../../core/schedule.ts';
import type { TaskReport } from '../../core/task-report.ts';
import { NO_USAGE } from '../../core/usage.ts';
import type { RunInput } from '../../core/workflow-inputs.ts';
import { settings, taskView } from '../support/run-rules.ts';

const GLOBS = ['a/**', 'a/x', 'b/**', 'b/y', 'c'];
const KINDS: readonly WaitKind[] = ['question', 'review', 'merge'];

/** A task's workflow, as far as its run can tell. */
class ModelTask {
  doing: 'working' | 'asking' | 'ended' = 'working';
  /** It was rejected: it writes nothing any more. */
  leaving = false;
  /** Its run took its locks away since it asked. */
  lost = false;
  seq: number;
  claims: Claims;
  asked: string[] = [];

  constructor(seq: number, claims: Claims) {
    this.seq = seq;
    this.claims = claims;
  }

  report(task: string, said: Pick<TaskReport, 'state'> & Partial<TaskReport>): TaskReport {
    this.seq += 1;
    this.doing = said.state === 'waiting' || said.state === 'needs_locks' ? 'asking' : 'working';
    if (said.state === 'merged' || said.state === 'failed' || said.state === 'cancelled') this.doing = 'ended';
    this.lost = false;
    const counts = { attempt: 1, turns: 1, usage: { ...NO_USAGE }, branch: null, commit: null, mergedCommit: null };
    return { task, seq: this.seq, reason: null, failure: null, ...counts, ...said };
  }

  hear(news: TaskNews): void {
    if (this.doing !== 'asking' || news.report !== this.seq) return;
    const rejected = news.kind === 'decision' && news.decision.outcome === 'reject';
    // What it held when it asked may have changed hands: it has to look whether its base is still right.
    if (!rejected && this.lost) expect(news.released).toBe(true);
    if (news.kind === 'growth') this.claims = { ...this.claims, writes: [...this.claims.writes, ...this.asked] };
    this.leaving ||= rejected;
    this.doing = 'working';
  }
}

/** A run's workflow: its reducer, and around it what `workflows/run.ts` does with messages. */
class ModelRun {
  readonly id: string;
  readonly views: Record<string, TaskView>;
  readonly tasks = new Map<string, ModelTask>();
  state: RunState;
  inbox: RunEvent[] = [];
  /** Starts and news that are under way. */
  under: (() => void)[] = [];
  told: string | null = '';
  readonly telling = new Set<string>();
  readonly starting = new Set<string>();

  constructor(id: string, views: TaskView[]) {
    this.id = id;
    this.views = Object.fromEntries(views.map((view) => [view.id, view]));
    this.state = initialRunState(settings({ maxParallel: 2, idleLocksMs: 50, growthWaitMs: 30 }), 'base');
    this.inbox.push({ type: 'loaded', at: 0, tasks: views, last: true });
  }

  /** One workflow task: it brings what has come by now, and what follows is done. */
  wake(at: number, count: number, send: (sync: SyncRequest) => void): void {
    for (const event of this.inbox.splice(0, count)) {
      this.#apply(event);
      if (event.type !== 'locks') continue;
      const { seq, granted } = event.answer;
      if (seq === this.state.seq && granted.some((id) => this.state.tasks[id]?.holds !== true)) this.told = null;
      const now = lockSnapshot(this.state, this.views, this.id);
      if (this.told !== null && this.told !== '' && now.slots === 0) this.told = lockNews(now);
    }
    for (const id of tasksToStart(this.state)) if (!this.starting.has(id)) this.#start(id, at);
    for (const id of tasksToTell(this.state)) if (!this.telling.has(id)) this.#tell(id, at);
    const snapshot = lockSnapshot(this.state, this.views, this.id);
    const text = lockNews(snapshot);
    if (text === this.told || (this.told === '' && snapshot.holds.length + snapshot.wants.length === 0)) return;
    this.told = text;
    const seq = this.state.seq + 1;
    this.#apply({ type: 'synced', at, seq });
    send({ ...snapshot, seq });
  }

  continueAsNew(): void {
    if (this.under.length + this.inbox.length + this.starting.size > 0) return;
    // Nothing of it is looked at.
    const input = {} as RunInput;
    const packed = JSON.parse(JSON.stringify(packRun(input, this.state))) as [RunInput, ...PackedTask[][]];
    const state = unpackRun(...packed);
    expect(state).toEqual(this.state);
    this.told = null;
  }

  #apply(event: RunEvent): void {
    this.state = reduceRun(this.state, event, this.views);
    if (event.type === 'started') this.starting.delete(event.task);
    for (const [id, task] of this.tasks) if (this.state.tasks[id]?.holds !== true) task.lost = true;
  }

  #start(id: string, at: number): void {
    this.starting.add(id);
    this.under.push(() => {
      const progress = this.state.tasks[id];
      const view = this.views[id];
      if (view === undefined || progress?.holds !== true) {
        this.starting.delete(id);
        return;
      }
      const claims = { ...view.claims, writes: [...view.claims.writes, ...progress.extra] };
      this.tasks.set(id, new ModelTask(progress.seq, claims));
      this.inbox.push({ type: 'started', at, task: id });
    });
  }

  #tell(id: string, at: number): void {
    const news = this.state.tasks[id]?.news;
    if (!news) return;
    this.telling.add(id);
    this.under.push(() => {
      this.tasks.get(id)?.hear(news);
      this.telling.delete(id);
      this.inbox.push({ type: 'told', at, task: id, report: news.report });
    });
  }
}

/** Two runs on one repository, their tasks, people and time. */
class ModelWorld {
  readonly runs: ModelRun[];
  table = emptyLockTable();
  syncs: SyncRequest[] = [];
  now = 1;

  constructor(tasks: readonly (readonly Claims[])[]) {
    this.runs = tasks.map(
      (list, at) =>
        new ModelRun(
          `run${at}`,
          list.map((claims, index) =>
            taskView({
              id: `t${index}`,
              claims,
              approval: index === 2 ? 'start' : 'none',
              depends_on: index === 3 ? ['t0'] : [],
            }),
          ),
        ),
    );
  }

  wake(run: ModelRun, count: number): void {
    run.wake(this.now, count, (sync) => this.syncs.push(sync));
  }

  serve(count: number): void {
    const heard = new Set<string>();
    for (const sync of this.syncs.splice(0, count)) {
      this.table = applySync(this.table, sync, this.now);
      heard.add(sync.run);
    }
    const granting = grant(this.table, this.now);
    this.table = granting.table;
    for (const run of this.runs) {
      if (this.table.runs[run.id] === undefined || (!heard.has(run.id) && granting.granted[run.id] === undefined))
        continue;
      run.inbox.push({ type: 'locks', at: this.now, answer: answerTo(run.id, granting) });
    }
  }

  tick(run: ModelRun): void {
    const due = nextDeadline(run.state);
    if (due === null) return;
    this.now = Math.max(this.now, due);
    run.inbox.push({ type: 'tick', at: this.now });
  }

  decide(run: ModelRun, nth: number, reject: boolean): void {
    const waiting = Object.entries(run.state.tasks).filter(([, { wait }]) => wait !== null);
    const [task, progress] = waiting[nth % Math.max(1, waiting.length)] ?? [];
    if (task === undefined || !progress?.wait) return;
    const outcome = reject ? 'reject' : progress.wait.kind === 'question' ? 'answer' : 'approve';
    const decision = { wait: progress.wait.id, outcome, text: 'x', inputs: {}, by: 'person' } as const;
    run.inbox.push({ type: 'decideTask', at: this.now, task, decision });
  }

  /** A task that works does its next thing. */
  act(run: ModelRun, nth: number, what: 'wait' | 'grow' | 'retry' | 'fail' | 'merge' | 'die', glob: number): void {
    const working = [...run.tasks].filter(([, { doing }]) => doing === 'working');
    const [id, task] = working[nth % Math.max(1, working.length)] ?? [];
    if (id === undefined || task === undefined) return;
    const at = this.now;
    const say = (said: Parameters<ModelTask['report']>[1]): void => {
      run.inbox.push({ type: 'report', at, report: task.report(id, said) });
    };
    const kind = KINDS[glob % KINDS.length] ?? 'question';
    if (task.leaving || run.state.tasks[id]?.cancelling === true) say({ state: task.leaving ? 'failed' : 'cancelled' });
    else if (what === 'wait') say({ state: 'waiting', wait: { kind, question: '?' } });
    else if (what === 'grow') {
      task.asked = [GLOBS[glob % GLOBS.length] ?? 'c'];
      say({ state: 'needs_locks', claims: task.asked });
    } else if (what === 'retry') say({ state: 'retrying' });
    else if (what === 'fail') say({ state: 'failed' });
    else if (what === 'merge') say({ state: 'merged', mergedCommit: 'm' });
    else task.doing = 'ended';
    if (task.doing !== 'ended') return;
    run.tasks.delete(id);
    const died = what === 'die' && !task.leaving && run.state.tasks[id]?.cancelling !== true;
    run.inbox.push({ type: 'closed', at, task: id, how: died ? 'terminated' : 'failed', report: null });
  }

  /** Tasks that work write: no two of them what the other may not touch. */
  check(): void {
    const writing = this.runs.flatMap(({ tasks }) =>
      [...tasks.values()].filter(({ doing, leaving }) => doing === 'working' && !leaving),
    );
    for (const [at, one] of writing.entries()) {
      for (const other of writing.slice(at + 1)) expect(claimsMeet(one.claims, other.claims)).toBe(false);
    }
  }
}

const claims = fc.record({
  reads: fc.subarray(GLOBS, { maxLength: 1 }),
  writes: fc.subarray(GLOBS, { minLength: 1, maxLength: 2 }),
});
const moves = fc.array(
  fc.record({
    run: fc.nat(1),
    nth: fc.nat(3),
    count: fc.integer({ min: 1, max: 4 }),
    glob: fc.nat(5),
    move: fc.constantFrom(
      ...([
        'wake',
        'wake',
        'wake',
        'serve',
        'serve',
        'under',
        'under',
        'tick',
        'decide',
        'reject',
        'wait',
        'wait',
      ] as const),
      ...(['grow', 'grow', 'retry', 'fail', 'merge', 'die', 'pause', 'resume', 'cancel', 'again', 'continue'] as const),
    ),
  }),
  { minLength: 60, maxLength: 160 },
);

test('whatever comes in whatever order: no two tasks write the same, each is told what it asked, and every run ends', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(claims, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 2 }),
      moves,
      (tasks, steps) => {
        const world = new ModelWorld(tasks);
        for (const { run: at, nth, count, glob, move } of steps) {
          const run = world.runs[at];
          if (run === undefined) continue;
          world.now += 1;
          const task = `t${nth}`;
          switch (move) {
            case 'wake':
              world.wake(run, count);
              break;
            case 'serve':
              world.serve(count);
              break;
            case 'under':
              run.under.splice(nth % Math.max(1, run.under.length), 1).forEach((work) => work());
              break;
            case 'tick':
              world.tick(run);
              break;
            case 'decide':
            case 'reject':
              world.decide(run, nth, move === 'reject');
              break;
            case 'pause':
            case 'resume':
              run.inbox.push({ type: move, at: world.now });
              break;
            case 'cancel':
              run.inbox.push({ type: 'cancelTask', at: world.now, task });
              break;
            case 'again':
              run.inbox.push({ type: 'retryTask', at: world.now, task, guidance: null });
              break;
            case 'continue':
              run.continueAsNew();
              break;
            default:
              world.act(run, nth, move, glob);
          }
          world.check();
        }
        // From now on everything goes well, and comes to its end.
        for (const run of world.runs) run.inbox.push({ type: 'resume', at: world.now });
        const over = (): boolean => world.runs.every(({ state, views }) => isOver(state, views));
        for (let round = 0; round < 200 && !over(); round += 1) {
          world.now += 1;
          for (const run of world.runs) {
            world.decide(run, round, false);
            world.wake(run, 100);
            run.under.splice(0).forEach((work) => work());
            world.act(run, round, 'merge', 0);
            if (round % 10 === 9) world.tick(run);
            // A task that asks is cancelled by its run without a word from it.
            for (const [id, task] of run.tasks) {
              if (task.doing !== 'asking' || run.state.tasks[id]?.cancelling !== true) continue;
              task.doing = 'working';
              task.leaving = true;
            }
            world.check();
          }
          world.serve(100);
        }
        expect(world.runs.map(({ state, views }) => isOver(state, views))).toEqual([true, true]);
      },
    ),
    { numRuns: 300 },
  );
});
