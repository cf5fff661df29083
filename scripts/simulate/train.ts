import { blamed, canaryShown, checked, jobs, laneOf, merged, plan } from '../../core/train-checks.ts';
import { accepted, beginAccepting, landed } from '../../core/train-landing.ts';
import { emptyTrain, membersOf, submit, type TrainQueue } from '../../core/train-queue.ts';
import { memberKey, type Ride, type TrainMember } from '../../core/train.ts';
import { Random } from './random.ts';

/** What a train of members that finish at once comes to, in rounds of checks. */
export interface TrainOutcome {
  /** From the last finish to the last landing, in units of the time of a check. */
  rounds: number;
  checks: number;
  merged: number;
  rejected: number;
}

/** What is put into a simulated train. */
export interface TrainScenario {
  members: number;
  slots: number;
  /** The chance that a member fails, independent of the others. */
  failureRate: number;
  seed: number;
}

/** Which members of a scenario fail, in the order in which they come. */
export function failingMembers({ members, failureRate, seed }: TrainScenario): boolean[] {
  const random = new Random(seed);
  return Array.from({ length: members }, () => random.chance(failureRate));
}

/** A member for simulations and tests. */
export function trainMember(task: string, ride: Partial<Ride> = {}): TrainMember {
  const repository = { id: '0123456789abcdef', path: '/repository', branch: 'main', host: 'host' };
  return {
    run: { project: 'project', run: 'run', repository, manifest: { sha256: '0'.repeat(64), bytes: 1 } },
    task,
    name: `task-${task}`,
    attempt: 1,
    commit: `work-${task}`,
    base: 'base',
    ride: {
      checks: 'checks',
      lane: null,
      slots: 2,
      recheckTip: true,
      canary: 'off',
      push: 'none',
      ...ride,
    },
  };
}

/** Runs the train's own rules in virtual time; merging and landing take none. */
export function simulateTrain(scenario: TrainScenario): TrainOutcome {
  const bad = new Set<string>();
  let queue: TrainQueue = emptyTrain();
  for (const [index, fails] of failingMembers(scenario).entries()) {
    const member = trainMember(String(index + 1), { slots: scenario.slots });
    if (fails) bad.add(memberKey(member));
    queue = submit(queue, member);
  }
  const outcome: TrainOutcome = { rounds: 0, checks: 0, merged: 0, rejected: 0 };
  let tip = 'tip-0';
  let landings = 0;
  const verdicts = new Map<string, boolean>();
  while (membersOf(queue).length > 0) {
    queue = begin(queue, tip);
    const now = jobs(queue);
    if (now.length === 0) throw new Error('the train stands still');
    let free = true;
    for (const job of now) {
      if (job.kind === 'culprit') {
        // Its verdict is known: its task was checked by the same commands.
        queue = blamed(queue, job.id, {
          kind: 'failed_integration',
          summary: '',
          detail: '',
          attempt: 1,
          commit: null,
          tried: '',
          changes: '',
        });
        continue;
      }
      const key = job.kind === 'tip' ? `tip ${job.commit}` : job.commit;
      if (!verdicts.has(key)) {
        free = false;
        outcome.checks += 1;
        verdicts.set(key, job.kind === 'tip' || !isRed(job.commit, bad));
      }
    }
    if (!free) outcome.rounds += 1;
    for (const job of now) {
      if (job.kind === 'canary') queue = canaryShown(queue, job.id, true);
      if (job.kind !== 'candidate' && job.kind !== 'tip') continue;
      const green = verdicts.get(job.kind === 'tip' ? `tip ${job.commit}` : job.commit) === true;
      queue = checked(queue, job.id, green ? null : FAILURE);
    }
    for (;;) {
      const next = beginAccepting(queue);
      if (next.acceptance === null) break;
      // A name of its own, for what is in it is merged for good.
      tip = `tip-${++landings}`;
      const base = next.acceptance.check.candidate?.base ?? '';
      queue = accepted(next.queue, { commit: tip, base, commits: {} });
      queue = landed(queue, 1, { tip, landed: true, reason: null, hint: null, diverged: false }).queue;
    }
    for (const { result } of queue.outbox) outcome[result.outcome === 'merged' ? 'merged' : 'rejected'] += 1;
    queue = { ...queue, outbox: [] };
  }
  return outcome;
}

/** Plans what can be planned, and merges it: a commit's name lists what is in it, beyond the tip. */
function begin(before: TrainQueue, tip: string): TrainQueue {
  const { queue, planned } = plan(before);
  return planned.reduce((next, one) => {
    const lane = laneOf(next, one);
    if (lane === undefined) return next;
    const { checks } = one;
    const ids = checks.map(({ id }) => id);
    const keys = lane.members.slice(0, Math.max(...checks.map(({ size }) => size))).map(memberKey);
    const commits = keys.map((_, index) => [tip, ...keys.slice(0, index + 1)].join(' '));
    return merged(next, ids, { base: tip, tip, prefixes: [...checks], commits, cut: null, conflicts: [] });
  }, queue);
}

function isRed(commit: string, bad: ReadonlySet<string>): boolean {
  return commit.split(' ').some((key) => bad.has(key));
}

const FAILURE = {
  check: 'integration',
  command: 'npm test',
  exitCode: 1,
  signal: null,
  timedOut: false,
  outOfMemory: false,
  output: '',
};
