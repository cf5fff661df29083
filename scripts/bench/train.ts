import path from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createAgents } from '../../activities/agent/agents.ts';
import { hostId } from '../../activities/home.ts';
import { createTrainActivities } from '../../activities/merge/train-activities.ts';
import { ProjectHost } from '../../activities/project-host.ts';
import { ArtefactStore } from '../../activities/records/artefact-store.ts';
import { ManifestReader } from '../../activities/records/manifest-reader.ts';
import { SignalboxError } from '../../core/failures.ts';
import { packMembers } from '../../core/packed-train.ts';
import { failingMembers, simulateTrain } from '../simulate/train.ts';
import { TRAIN_GOALS } from '../simulate/train-table.ts';
import { s, type Verdict } from './report.ts';
import { BenchRepository, benchTasks } from './repository.ts';
import { finishedMembers } from './train-members.ts';
import { TrainRun } from './train-run.ts';
import type { BenchWorld } from './world.ts';

/** What is measured of the train. */
export interface TrainSize {
  members: number;
  /** Shares of them that fail. */
  rates: readonly number[];
  /** What a check takes. */
  seconds: number;
  slots: number;
  /** How many trains for each share. */
  seeds: number;
  /** How many files the repository has. */
  files: number;
}

export const FULL_TRAIN: TrainSize = {
  members: 50,
  rates: [0, 0.02, 0.1],
  seconds: 2,
  slots: 2,
  seeds: 3,
  files: 5000,
};
export const QUICK_TRAIN: TrainSize = { members: 10, rates: [0, 0.1], seconds: 0.5, slots: 2, seeds: 1, files: 200 };

/** The goals are for so many members and places. */
const GOAL = { members: 50, slots: 2 };

/** The git work of so many members on so many times the files; in seconds, in all. */
const GIT = { times: 10, goal: 1 };

const BYTES = 200;

/** How many trains are simulated for the mean of all. */
const SIMULATED = 1000;

/** Members that finish at once, merged by the real train; beside them, one at a time; and git's part of it alone. */
export async function measureTrain(world: BenchWorld, size: TrainSize): Promise<Verdict[]> {
  const { members, seconds, slots, files } = size;
  const repository = await trainRepository(world, 'train', files, size);
  await world.startWorker(repository, null);
  await repository.setTasks(benchTasks(members));
  const session = await world.session(repository);
  const verdicts: Verdict[] = [];
  try {
    /** In units of a check. */
    const ride = async (name: string, rate: number, seed: number, together: boolean): Promise<number> => {
      const failing = failingMembers({ members, slots, failureRate: rate, seed });
      const pinned = await world.pin(repository, name);
      const { bare, members: list } = await finishedMembers(pinned, failing, together ? {} : { slots: 1 });
      const run = new TrainRun(session.client, bare, list);
      const took = together ? await run.together() : await run.oneByOne();
      await run.requireLanded(failing);
      await run.end();
      return took / seconds;
    };
    // With failures: all that they take is there then, as in a train that has run before.
    await ride('warm', Math.max(...size.rates), 1, true);
    for (const rate of size.rates) {
      const units: number[] = [];
      for (let seed = 1; seed <= size.seeds; seed += 1) {
        units.push(await ride(`together-${Math.round(rate * 1000)}-${seed}`, rate, seed, true));
      }
      verdicts.push(verdictOf(size, rate, units));
    }
    const serial = await ride('one-by-one', size.rates[0] ?? 0, 1, false);
    const what = `  one at a time, ${percent(size.rates[0] ?? 0)} failing`;
    verdicts.push({ what, goal: '', measured: `${serial.toFixed(1)} checks’ time`, met: null });
  } finally {
    await session.close();
  }
  return [...verdicts, ...(await gitWork(world, size))];
}

/**
 * A mean over a thousand seeds, estimated from a few by how long these took for each round that they take in simulation.
 * By themselves a few say little: with 2 % of 50 failing, a train takes from 2 to more than 10 rounds.
 */
function verdictOf({ members, slots }: TrainSize, rate: number, units: readonly number[]): Verdict {
  const roundsOf = (seed: number): number => simulateTrain({ members, slots, failureRate: rate, seed }).rounds;
  const simulated = units.map((_, index) => roundsOf(index + 1));
  const all = mean(Array.from({ length: SIMULATED }, (_, index) => roundsOf(index + 1)));
  const perRound = mean(units) / mean(simulated);
  const took = all * perRound;
  const single = units.map((unit, index) => `${unit.toFixed(1)} for ${simulated[index] ?? 0}`).join(', ');
  const goal = TRAIN_GOALS.find(({ failureRate }) => failureRate === rate);
  const applies = members === GOAL.members && slots === GOAL.slots ? goal : undefined;
  return {
    what: `${members} finished at once, ${percent(rate)} failing, ${slots} places`,
    goal: applies === undefined ? '' : `≤ ${applies.rounds} checks’ time`,
    measured: `${took.toFixed(1)} for ${all.toFixed(1)} rounds (${single})`,
    met: applies === undefined ? null : took <= applies.rounds,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** What merging and landing take by themselves, by the train's own activities, called in this process. */
async function gitWork(world: BenchWorld, size: TrainSize): Promise<Verdict[]> {
  const files = size.files * GIT.times;
  const repository = await trainRepository(world, 'git', files, size);
  await repository.setTasks(benchTasks(size.members));
  const pinned = await world.pin(repository, 'git');
  const { members } = await finishedMembers(
    pinned,
    Array.from({ length: size.members }, () => false),
  );
  const { home, run } = pinned;
  const host = new ProjectHost({
    home,
    host: hostId(home),
    queue: '',
    env: {},
    manifests: new ManifestReader(new ArtefactStore(home.artefacts)),
    sandboxOf: () => Promise.reject(new SignalboxError('internal', 'nothing is checked here')),
    agents: createAgents({ home }),
  });
  const activities = createTrainActivities(host);
  const { repository: ref } = run;
  const packed = packMembers(members);
  const began = performance.now();
  const prefixes = [{ id: 1, size: members.length }];
  const request = { repository: ref, run, members: packed, prefixes };
  const built = await inActivity(() => activities.candidates(request));
  const merged = performance.now();
  const commit = built.kind === 'merged' ? built.commits[members.length - 1] : undefined;
  if (built.kind !== 'merged' || commit === undefined)
    throw new SignalboxError('internal', 'the members could not be merged');
  const candidate = { commit, base: built.base, tip: built.tip };
  const acceptance = { repository: ref, members: packed, candidate, lane: null, next: null };
  const step = await inActivity(() => activities.accept(acceptance));
  const landing = await inActivity(() => activities.land({ repository: ref }));
  const landed = performance.now();
  if (step.outcome !== 'accepted' || !landing.landed)
    throw new SignalboxError('internal', 'the members could not be landed');
  const all = (landed - began) / 1000;
  const parts = [merged - began, landed - merged].map((part) => s(part / 1000)).join(' + ');
  return [
    {
      what: `git: ${members.length} branches merged and landed, ${files} files`,
      goal: `≤ ${s(GIT.goal)}`,
      measured: `${s(all)} (${parts})`,
      met: all <= GIT.goal,
    },
  ];
}

/** Calls an activity as a worker does. */
async function inActivity<T>(activity: () => Promise<T>): Promise<T> {
  return await new MockActivityEnvironment().run<[], T, () => Promise<T>>(activity);
}

/** A repository whose integration check takes its time, and fails where a bad file is. */
async function trainRepository(
  world: BenchWorld,
  name: string,
  files: number,
  { seconds, slots }: TrainSize,
): Promise<BenchRepository> {
  const check = `sleep ${seconds}; for file in out/*.bad; do [ ! -e "$file" ] || exit 1; done`;
  return await BenchRepository.create(path.join(world.root, name), name, files, BYTES, [
    `checks: { doctor: "true", integration: ${JSON.stringify(check)} }`,
    `train: { slots: ${slots} }`,
  ]);
}

function percent(rate: number): string {
  return `${Math.round(rate * 100)} %`;
}
