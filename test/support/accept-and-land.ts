import type { TrainActivities } from '../../core/activities.ts';
import { packMembers } from '../../core/packed-train.ts';
import type { Candidate } from '../../core/train-lane.ts';
import type { LandingNews, TrainMember } from '../../core/train.ts';
import type { ProjectWorld } from './project-world.ts';

/** What became of a candidate, and of the landing that followed. */
export type Advanced = Awaited<ReturnType<TrainActivities['accept']>> & { landing?: LandingNews };

/** Accepts and lands a candidate of these members, by the train's own activities. */
export async function acceptAndLand(
  world: ProjectWorld,
  candidate: Candidate,
  members: readonly TrainMember[],
): Promise<Advanced> {
  const { repository } = world.run;
  const lane = members[0]?.ride.lane ?? null;
  const step = await world.train('accept', { repository, members: packMembers(members), candidate, lane, next: null });
  return step.outcome === 'moved' ? step : { ...step, landing: await world.train('land', { repository }) };
}
