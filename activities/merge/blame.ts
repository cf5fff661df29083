import type { TrainActivities } from '../../core/activities.ts';
import { checkEvidence, type Evidence } from '../../core/evidence.ts';
import { taskHistory } from '../git/merged-tasks.ts';
import type { ProjectHost } from '../project-host.ts';
import type { StepControl } from '../step-control.ts';
import { checkCommit } from './integration-check.ts';

/** How many of the tasks that were merged meanwhile are named. */
const NAMED = 8;

/**
 * Says what is wrong with a member that is red on the tip: is it red by itself, too, or only together with what was
 * merged since it started? Its own snapshot tells; mostly the verdict on that is known.
 */
export async function blame(
  host: ProjectHost,
  input: Parameters<TrainActivities['blame']>[0],
  control: StepControl,
): Promise<Evidence> {
  const { member, commit, failure, session } = input;
  const { run, task, attempt, ride } = member;
  const evidence = checkEvidence('failed_integration', failure, attempt, commit);
  const { branch } = run.repository;
  const alone = await checkCommit(
    host,
    { run, task, attempt, lane: ride.lane, commit: member.commit, session },
    control,
  );
  if (alone.failure !== null) {
    return { ...evidence, summary: `${evidence.summary}; so it does on the work alone, without what was merged since` };
  }
  const since = await mergedSince(host, input);
  const others =
    since.length === 0
      ? `what ${branch} got meanwhile`
      : since.slice(0, NAMED).join(', ') + (since.length > NAMED ? ` and ${since.length - NAMED} more` : '');
  const summary = `${evidence.summary} together with ${others}; the work alone passes`;
  return { ...evidence, summary };
}

/** The tasks that were merged after the member started, newest first. */
async function mergedSince(
  host: ProjectHost,
  { member, commit }: Parameters<TrainActivities['blame']>[0],
): Promise<string[]> {
  const bare = await host.bare(member.run.repository);
  const { merges } = await taskHistory(bare.gitDir, commit, member.base);
  const others = merges.filter(({ run, task }) => run !== member.run.run || task !== member.task);
  return await Promise.all(
    others.map(async ({ task, commit: merge }) => {
      const [subject = ''] = (await bare.commitInfo(merge)).message.split('\n');
      return subject.replace(/^Merge task /, 'task ') || `task ${task}`;
    }),
  );
}
