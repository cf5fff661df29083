import type { TrainCheck } from '../../core/activities.ts';
import { packMembers } from '../../core/packed-train.ts';
import type { MergedPrefixes } from '../../core/train-checks.ts';
import type { Candidate } from '../../core/train-lane.ts';
import type { TrainMember } from '../../core/train.ts';
import { acceptAndLand, type Advanced } from './accept-and-land.ts';
import { finish } from './attempts.ts';
import type { ProjectWorld } from './project-world.ts';

/** What tests do with the members of a train in a project's world. */
export interface TrainMembers {
  /** Lets the agent of a task work, and gives its member for the train. */
  finished: (task: string) => Promise<TrainMember>;
  /** Merges members, asking for every prefix of them. */
  prefixesOf: (...members: TrainMember[]) => Promise<MergedPrefixes>;
  /** The candidate of all these members; without any, the user's own commits joined. */
  merged: (...members: TrainMember[]) => Promise<Candidate>;
  advance: (candidate: Candidate, ...members: TrainMember[]) => Promise<Advanced>;
  landed: (...members: TrainMember[]) => Promise<Advanced>;
  /** What the train asks of a check of a commit. */
  checkOf: (member: TrainMember, commit: string, session?: string) => TrainCheck;
}

/** @param of the world, which each test makes anew */
export function trainMembers(of: () => ProjectWorld): TrainMembers {
  /** Merges members, asking for every prefix of them. */
  async function prefixesOf(...members: TrainMember[]): Promise<MergedPrefixes> {
    const world = of();
    const prefixes = members.map((_, index) => ({ id: index + 1, size: index + 1 }));
    const { repository } = world.run;
    const result = await world.train('candidates', {
      repository,
      run: world.run,
      members: packMembers(members),
      prefixes,
    });
    if (result.kind !== 'merged') throw new Error(result.reason);
    return result;
  }

  /** The candidate of all these members; without any, the user's own commits joined. */
  async function merged(...members: TrainMember[]): Promise<Candidate> {
    const { base, tip, commits } = await prefixesOf(...members);
    return { commit: commits.at(-1) ?? base, base, tip };
  }

  async function advance(candidate: Candidate, ...members: TrainMember[]): Promise<Advanced> {
    return await acceptAndLand(of(), candidate, members);
  }

  async function landed(...members: TrainMember[]): Promise<Advanced> {
    return await advance(await merged(...members), ...members);
  }

  function checkOf({ run, task, attempt, ride }: TrainMember, commit: string, session = 's/1'): TrainCheck {
    return { run, task, attempt, lane: ride.lane, commit, session };
  }

  const finished = (task: string): Promise<TrainMember> => finish(of(), task);

  return { finished, prefixesOf, merged, advance, landed, checkOf };
}
