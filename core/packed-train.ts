import type { RunRef } from './run-ref.ts';
import type { Lane, Waiting } from './train-lane.ts';
import { emptyTrain, type TrainQueue } from './train-queue.ts';
import type { Ride, TrainMember } from './train.ts';
import type { TrainInput } from './workflow-inputs.ts';

/** A member whose run and ride are named by their places; the last number is its arrival, where it has one. */
export type PackedMember = [
  run: number,
  ride: number,
  task: string,
  name: string,
  attempt: number,
  commit: string,
  base: string,
  arrival?: number,
];

/** Members in some 170 bytes each: what they share is said once. */
export interface PackedMembers {
  runs: RunRef[];
  rides: Ride[];
  members: PackedMember[];
}

/** The train's state without its members, which are in further arguments: by lane, in order. */
export interface TrainHead extends Omit<TrainQueue, 'lanes'> {
  lanes: Omit<Lane, 'members'>[];
}

/** The arguments of the `train` workflow. Its members are in several, so that no payload grows large. */
export type TrainArguments = [input: TrainInput, ...members: { lane: number; packed: PackedMembers }[]];

/** Members in one argument; some 70 KB. */
const CHUNK = 400;

/** Packs members for a payload. */
export function packMembers(members: readonly (TrainMember | Waiting)[]): PackedMembers {
  const packed: PackedMembers = { runs: [], rides: [], members: [] };
  const runs = new Map<string, number>();
  const rides = new Map<string, number>();
  const placeOf = <T>(known: Map<string, number>, list: T[], value: T): number => {
    const key = JSON.stringify(value);
    const place = known.get(key) ?? list.push(value) - 1;
    known.set(key, place);
    return place;
  };
  for (const member of members) {
    const { run, ride, task, name, attempt, commit, base } = member;
    const entry: PackedMember = [
      placeOf(runs, packed.runs, run),
      placeOf(rides, packed.rides, ride),
      task,
      name,
      attempt,
      commit,
      base,
    ];
    if ('arrival' in member) entry.push(member.arrival);
    packed.members.push(entry);
  }
  return packed;
}

/** The members that {@link packMembers} packed; those that had no arrival get 0. */
export function unpackMembers({ runs, rides, members }: PackedMembers): Waiting[] {
  return members.flatMap(([run, ride, task, name, attempt, commit, base, arrival = 0]) => {
    const [of, by] = [runs[run], rides[ride]];
    return of === undefined || by === undefined
      ? []
      : [{ run: of, ride: by, task, name, attempt, commit, base, arrival }];
  });
}

/** A train's input with a state to go on from. */
export function packTrain(input: TrainInput, { lanes, ...rest }: TrainQueue): TrainArguments {
  const heads = lanes.map(({ members: _, ...lane }) => lane);
  const chunks = lanes.flatMap(({ members }, lane) =>
    Array.from({ length: Math.ceil(members.length / CHUNK) }, (_, at) => ({
      lane,
      packed: packMembers(members.slice(at * CHUNK, (at + 1) * CHUNK)),
    })),
  );
  return [{ ...input, queue: { ...rest, lanes: heads } }, ...chunks];
}

/** The state that a train goes on from; an empty one for a train that begins. */
export function unpackTrain(...[{ queue }, ...chunks]: TrainArguments): TrainQueue {
  if (queue === undefined) return emptyTrain();
  const lanes = queue.lanes.map((lane, index) => ({
    ...lane,
    members: chunks.filter((chunk) => chunk.lane === index).flatMap(({ packed }) => unpackMembers(packed)),
  }));
  return { ...queue, lanes };
}
