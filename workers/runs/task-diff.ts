import { existsSync } from 'node:fs';
import { BareRepository } from '../../activities/git/bare-repository.ts';
import { fileStats, showChanges, type DiffStyle } from '../../activities/git/diff.ts';
import { OUR_EMAIL, type CommitInfo } from '../../activities/git/objects.ts';
import { ENDED_STATUSES } from '../../core/description.ts';
import { CommandFailedError, SignalboxError } from '../../core/failures.ts';
import { parseMergeMessage } from '../../core/merge-message.ts';
import type { Session } from '../session.ts';
import { describeTask, type AttemptDetails, type TaskDetails } from './describe-task.ts';

export type { DiffStyle } from '../../activities/git/diff.ts';

/** What an attempt wrote. */
export interface TaskDiff {
  run_id: string;
  task_id: string;
  attempt: number;
  /** What it started from, and the commit in Signalbox's own repository that holds its work; the same if it has none. */
  base: string;
  commit: string;
  /** The attempt goes on: this is what its last turn left. */
  in_progress: boolean;
  /** How many lines were added and removed; `null` for a file that is not text. A rename is both. */
  files: { path: string; lines: { added: number; removed: number } | null }[];
}

/** A {@link TaskDiff}, and its text as git prints it. */
export interface ReadTaskDiff extends TaskDiff {
  print: (style: DiffStyle) => Promise<{ bytes: Buffer; truncated: boolean }>;
}

/**
 * What an attempt at a task wrote, against what it started from, whatever became of it.
 *
 * @param attempt by default the newest that left something
 * @throws SignalboxError `not_found` for an unknown run, task or attempt, and for one that left nothing;
 *   `environment` if its work lies on another host
 */
export async function taskDiff(
  session: Session,
  { run, task, attempt }: { run: string; task: string; attempt: number | undefined },
): Promise<ReadTaskDiff> {
  const details = await describeTask(session, run, task);
  if (!existsSync(details.git_dir)) {
    throw new SignalboxError('environment', `the repository that holds the work of run ${run} is not on this host`, {
      hint: 'Ask on the host where the run was started.',
    });
  }
  const bare = await BareRepository.open(details.git_dir);
  const { number, commit, info } = await workOf(bare, details, attempt);
  const base = isSnapshot(info, task, number) ? (info.parents[0] ?? commit) : commit;
  const ended = details.history.find((known) => known.attempt === number)?.outcome != null;
  return {
    run_id: run,
    task_id: task,
    attempt: number,
    base,
    commit,
    in_progress: !ended && !ENDED_STATUSES.includes(details.status),
    files: await fileStats(bare, base, commit),
    print: (style) => showChanges(bare, base, commit, style),
  };
}

async function workOf(
  bare: BareRepository,
  details: TaskDetails,
  attempt: number | undefined,
): Promise<{ number: number; commit: string; info: CommitInfo }> {
  const { history } = details;
  if (attempt !== undefined && !history.some((known) => known.attempt === attempt)) throw noAttempt(details, attempt);
  for (const known of history.toReversed()) {
    if (attempt !== undefined && known.attempt !== attempt) continue;
    const info = known.commit === null ? null : await readCommit(bare, known.commit);
    // Where its ref was cleaned up, its report tells of the newest snapshot, which may be that of an attempt before.
    const own = info !== null && (known.ref !== null || isSnapshot(info, details.task_id, known.attempt));
    if (known.commit !== null && own) return { number: known.attempt, commit: known.commit, info };
  }
  throw await nothingLeft(bare, details, attempt);
}

/** The commit of an attempt's work: it has one parent, what the attempt started from. */
function isSnapshot({ author, parents, message }: CommitInfo, task: string, attempt: number): boolean {
  return (
    parents.length === 1 && author.endsWith(`<${OUR_EMAIL}>`) && message.startsWith(`${task}, attempt ${attempt}: `)
  );
}

async function readCommit(bare: BareRepository, commit: string): Promise<CommitInfo | null> {
  try {
    return await bare.commitInfo(commit);
  } catch (error) {
    if (error instanceof CommandFailedError) return null;
    throw error;
  }
}

function noAttempt({ task_id, run_id, history }: TaskDetails, attempt: number): SignalboxError {
  const known = history.map((each) => each.attempt);
  const hint =
    known.length === 0
      ? `See "signalbox task describe ${task_id} --run ${run_id}".`
      : `There ${known.length === 1 ? 'is attempt' : 'are attempts'} ${known.join(', ')}.`;
  return new SignalboxError('not_found', `task ${task_id} of run ${run_id} has no attempt ${attempt}`, { hint });
}

async function nothingLeft(
  bare: BareRepository,
  details: TaskDetails,
  attempt: number | undefined,
): Promise<SignalboxError> {
  const { task_id, run_id, history, merged_commit } = details;
  const which = attempt === undefined ? `task ${task_id} of run ${run_id}` : `attempt ${attempt} at task ${task_id}`;
  const last = history.findLast((known) => attempt === undefined || known.attempt === attempt);
  const elsewhere = last === undefined ? await mergedElsewhere(bare, task_id, merged_commit) : null;
  const hint = elsewhere ?? (last === undefined ? null : hintFor(last)) ?? `The task is ${details.status}.`;
  return new SignalboxError('not_found', `${which} has left no work here`, { hint });
}

function hintFor({ workspace, outcome, reason }: AttemptDetails): string | null {
  if (workspace !== null) return `Its first turn has not ended; its work tree is ${workspace}.`;
  return outcome === null ? null : `It ended as ${[outcome, reason?.replace(/\.$/, '')].filter(Boolean).join(': ')}.`;
}

/** A task that an earlier run merged has no attempts in this one. */
async function mergedElsewhere(bare: BareRepository, task: string, merged: string | null): Promise<string | null> {
  const note = merged === null ? null : parseMergeMessage((await readCommit(bare, merged))?.message ?? '');
  if (note === null) return null;
  return `It was merged by run ${note.run}: "signalbox task diff ${task} --run ${note.run}".`;
}
