import type { CandidatesRequest, CandidatesResult } from '../core/activities.ts';
import { packMembers } from '../core/packed-train.ts';
import type { RepositoryRef } from '../core/run-ref.ts';
import { laneOf, merged, notMerged, plan, type PlannedChecks } from '../core/train-checks.ts';
import { halt } from '../core/train-halt.ts';
import { accepted } from '../core/train-landing.ts';
import type { Candidate } from '../core/train-lane.ts';
import type { TrainQueue } from '../core/train-queue.ts';
import { trainActivities } from './activity-proxies.ts';
import { namesOf } from './train-lander.ts';
import { errorHalt } from './train-runner.ts';
import type { TrainState } from './train-state.ts';

/** What is to be merged, without where. */
export type Merge = Omit<CandidatesRequest, 'repository'>;

/**
 * Merges what was planned to be checked. What comes next is mostly known before the last candidate is accepted, and is
 * merged along with that, which saves a turn of the train.
 */
export class TrainBuilder {
  readonly #repository: RepositoryRef;
  readonly #state: TrainState;
  #known: { merge: string; result: CandidatesResult } | null = null;

  constructor(repository: RepositoryRef, state: TrainState) {
    this.#repository = repository;
    this.#state = state;
  }

  /** What will have to be merged when that which is being accepted is, if nothing comes in between. */
  foresee(queue: TrainQueue, { commit }: Candidate): Merge | null {
    const after = plan(accepted(queue, { commit, base: queue.tip ?? '', commits: {} }));
    const [next] = after.planned;
    return next === undefined ? null : (mergeOf(after.queue, next)?.merge ?? null);
  }

  /** That much is merged. */
  note(merge: Merge, result: CandidatesResult): void {
    this.#known = { merge: JSON.stringify(merge), result };
  }

  async build(planned: PlannedChecks, joinHint: string): Promise<void> {
    const { change, queue } = this.#state;
    const ids = planned.checks.map(({ id }) => id);
    const found = mergeOf(queue, planned);
    if (found === null) return;
    try {
      const result = this.#take(found.merge) ?? (await this.#merge(found));
      if (result.kind === 'merged') change((before) => merged(before, ids, result));
      else {
        const { reason, detail, tip } = result;
        change((before) => halt(notMerged(before, ids), { kind: 'base', reason, hint: joinHint, detail, tip }));
      }
    } catch (error) {
      change((before) => halt(notMerged(before, ids), errorHalt(error, 'the tasks could not be merged', '')));
    }
  }

  #take(merge: Merge): CandidatesResult | null {
    const known = this.#known;
    this.#known = null;
    return known?.merge === JSON.stringify(merge) ? known.result : null;
  }

  async #merge({ merge, names }: { merge: Merge; names: string }): Promise<CandidatesResult> {
    const repository = this.#repository;
    return await trainActivities(repository, `merge ${names}`).candidates({ repository, ...merge });
  }
}

/** What merging planned checks takes, of what is still there; `null` if nothing is. */
function mergeOf(queue: TrainQueue, planned: PlannedChecks): { merge: Merge; names: string } | null {
  const ids = planned.checks.map(({ id }) => id);
  const lane = laneOf(queue, planned);
  const prefixes = lane?.checks.filter(({ id }) => ids.includes(id)).map(({ id, size }) => ({ id, size })) ?? [];
  const members = lane?.members.slice(0, Math.max(0, ...prefixes.map(({ size }) => size))) ?? [];
  const [first] = members;
  if (first === undefined) return null;
  return { merge: { run: first.run, members: packMembers(members), prefixes }, names: namesOf(members) };
}
