import type { CheckFailure } from './checks.ts';
import { rebuilt, sameLane, type Lane } from './train-lane.ts';
import { runWorkflowId } from './ids.ts';
import { membersOf, type TrainQueue } from './train-queue.ts';
import type { Halt, TrainHalt } from './train.ts';

/** The train stands: what runs is ended, and what was red is nobody's fault for now. What is being accepted comes to its end. */
export function halt(queue: TrainQueue, why: Halt): TrainQueue {
  const lanes = queue.lanes.map((lane): Lane => {
    const back = queue.culprits.map(({ member }) => member).filter((member) => sameLane(lane.ride, member.ride));
    const members = [...back, ...lane.members].sort((one, other) => one.arrival - other.arrival);
    if (lane.accepting === null) return rebuilt({ ...lane, members });
    // Its members stay the first; a culprit that came before them waits behind.
    const accepting = lane.checks.filter((check) => check.id === lane.accepting);
    return { ...rebuilt(lane), members: [...lane.members, ...back], checks: accepting, accepting: lane.accepting };
  });
  return { ...queue, halt: why, lanes, culprits: [] };
}

/** Why the train stands whose tip fails its checks by itself. */
export function tipHalt(tip: string, failure: CheckFailure): Halt {
  return {
    kind: 'tip',
    reason: `the ${failure.check} check \`${failure.command}\` fails on the accepted tip ${tip.slice(0, 10)} itself, so nobody is blamed`,
    hint: 'mend it with a commit on the branch; or, if the check was at fault, say "signalbox run resume"',
    detail: failure.output,
    tip,
  };
}

/** The train goes on after a halt: a person said so, or the tip is another. */
export function resume(queue: TrainQueue): TrainQueue {
  return queue.halt === null ? queue : { ...queue, halt: null, epoch: queue.epoch + 1 };
}

/** What a run is to know of a halt; `null` if there is none, or it has nothing in the train. @param run its workflow id */
export function haltNews(queue: TrainQueue, run: string): TrainHalt | null {
  const own = membersOf(queue).filter((member) => runWorkflowId(member.run.project, member.run.run) === run);
  if (queue.halt === null || own.length === 0) return null;
  const { kind, reason, hint, detail } = queue.halt;
  return { kind, reason, hint, detail, tasks: own.map(({ task }) => task) };
}
