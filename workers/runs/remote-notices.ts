import { examineRemote } from '../../activities/remotes/examine-remote.ts';
import { SignalboxError } from '../../core/failures.ts';

/**
 * What a person should know of where a run's results are sent, one sentence each. It is asked before agents start.
 *
 * @throws SignalboxError `environment` if the run is to go through pull requests, and none could be made or merged: its work
 *   would never land
 */
export async function remoteNotices(request: Parameters<typeof examineRemote>[0]): Promise<string[]> {
  const found = await examineRemote(request);
  if (found === null) return [];
  const { problem, notices } = found;
  if (problem === null) return notices;
  const mend = problem.hint ?? 'Try again later.';
  if (request.config.repository.remote?.push === 'pull_request') {
    throw new SignalboxError('environment', problem.reason, { hint: mend });
  }
  return [`nothing can be sent to the remote as it is: ${problem.reason}. ${mend}`, ...notices];
}
