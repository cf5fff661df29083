import { laneOf, merged, plan } from '../../core/train-checks.ts';
import { accepted, beginAccepting, landed } from '../../core/train-landing.ts';
import type { TrainQueue } from '../../core/train-queue.ts';

/** Plans what can be planned, and merges it all onto a base: a commit's name lists the tasks that are in it. */
export function planAndMerge(before: TrainQueue, base = 'base', tip = base): TrainQueue {
  const { queue, planned } = plan(before);
  return planned.reduce((next, one) => {
    const { members } = laneOf(queue, one)!;
    const { checks } = one;
    const commits = members.map((_, index) => [base, ...members.slice(0, index + 1).map(({ task }) => task)].join(' '));
    const ids = checks.map(({ id }) => id);
    return merged(next, ids, { base, tip, prefixes: [...checks], commits, cut: null, conflicts: [] });
  }, queue);
}

/**
 * Accepts what is ready, and lands it.
 *
 * @param commit the new tip; by default the candidate
 * @param onto what it was merged onto in the end; by default what the candidate was
 */
export function land(before: TrainQueue, commit?: string, onto?: string): TrainQueue {
  const { queue, acceptance } = beginAccepting(before);
  const { candidate } = acceptance!.check;
  const { base } = candidate!;
  return arrived(accepted(queue, { commit: commit ?? candidate!.commit, base: onto ?? base, commits: {} }));
}

/** A landing of all that is accepted is over. */
export function arrived(queue: TrainQueue): TrainQueue {
  const news = { tip: queue.tip ?? '', landed: true, reason: null, hint: null, diverged: false };
  return landed(queue, queue.arrivals.length, news).queue;
}

/** What is to be told, as `task outcome`. */
export function outcomes({ outbox }: TrainQueue): string[] {
  return outbox.map(({ member, result }) => `${member.task} ${result.outcome}`);
}
