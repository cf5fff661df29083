import { SignalboxError } from '../../core/failures.ts';
import { didYouMean } from '../../core/nearest.ts';

/**
 * The failure for a run that the server does not know.
 *
 * @param keptIn the repository that still holds what the run's attempts wrote, or `null`
 */
export function noSuchRun(
  project: string,
  run: string,
  known: readonly { run_id: string }[],
  keptIn: string | null,
): SignalboxError {
  if (keptIn !== null) {
    return new SignalboxError('not_found', `the server has no history of run ${run} any more, so it cannot go on`, {
      hint:
        `"signalbox run start" starts another one, which does not repeat what was merged. What the attempts wrote is ` +
        `in refs/signalbox/${run}/ of ${keptIn}.`,
    });
  }
  const ids = known.map(({ run_id }) => run_id);
  const hint =
    didYouMean(run, ids) ??
    (ids.length === 0 ? 'It has no runs yet; start one with "signalbox run start".' : 'See "signalbox run list".');
  return new SignalboxError('not_found', `project ${project} has no run ${JSON.stringify(run)}`, { hint });
}

/** The failure for a task that a run does not have. */
export function noSuchTask(run: string, task: string, known: readonly string[]): SignalboxError {
  const hint = didYouMean(task, known) ?? `See "signalbox task list --run ${run}".`;
  return new SignalboxError('not_found', `run ${run} has no task ${JSON.stringify(task)}`, { hint });
}
