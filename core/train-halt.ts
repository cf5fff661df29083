import { rebuilt, sameLane, type Lane } from './train-lane.ts';
import type { TrainQueue } from './train-queue.ts';
import type { Halt } from './train.ts';

/** The train stands: what runs is ended, and what was red is nobody's fault for now. A landing comes to its end. */
export function halt(queue: TrainQueue, why: Halt): TrainQueue {
  const lanes = queue.lanes.map((lane): Lane => {
    const back = queue.culprits.map(({ member }) => member).filter((member) => sameLane(lane.ride, member.ride));
    const members = [...back, ...lane.members].sort((one, other) => one.arrival - other.arrival);
    if (lane.landing === null) return rebuilt({ ...lane, members });
    // Its members stay the first; a culprit that came before them waits behind.
    const landing = lane.checks.filter((check) => check.id === lane.landing);
    return { ...rebuilt(lane), members: [...lane.members, ...back], checks: landing, landing: lane.landing };
  });
  return { ...queue, halt: why, lanes, culprits: [] };
}

/** The train goes on after a halt: a person said so, or the tip is another. */
export function resume(queue: TrainQueue): TrainQueue {
  return queue.halt === null ? queue : { ...queue, halt: null, epoch: queue.epoch + 1 };
}
