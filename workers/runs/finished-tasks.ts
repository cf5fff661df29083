import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Project } from '../../activities/catalogue/project.ts';
import { BareRepository } from '../../activities/git/bare-repository.ts';
import { standingMerges, taskHistory, type TaskHistory } from '../../activities/git/merged-tasks.ts';
import type { UserRepository } from '../../activities/git/user-repository.ts';
import type { Home } from '../../activities/home.ts';
import type { DoneTask } from '../../core/selection.ts';
import type { Task } from '../../core/task-file.ts';
import { repositoryRef } from './repository-ref.ts';

/** The tasks that need not be done, by id. */
export interface FinishedTasks {
  finished: Record<string, DoneTask>;
  /** Those of them whose merges have not landed on the user's branch yet. */
  unlanded: string[];
}

/**
 * Finds the tasks that earlier runs merged: those whose file is byte for byte what it was then, and whose merge is still
 * in the history that new work starts from, and not reverted there. Reads the repositories only.
 *
 * @param tip the user's branch
 */
export async function finishedTasks(request: {
  home: Home;
  project: Project & { config: { project: string } };
  user: UserRepository;
  tip: string;
  tasks: readonly Task[];
}): Promise<FinishedTasks> {
  const { project, user, tip, tasks } = request;
  const landed = await taskHistory(user.commonDir, tip);
  const waiting = await acceptedHistory(request);
  // What waits to land was merged last.
  const merges = standingMerges([...(waiting === null ? [] : [waiting]), landed]);
  const newest = new Map<string, DoneTask>();
  for (const { project: of, task, digest, run, commit } of merges) {
    const key = `${task} ${digest}`;
    if (of === project.config.project && !newest.has(key)) newest.set(key, { run, commit });
  }
  const finished = tasks.flatMap(({ manifest: { id }, digest }) => {
    const done = newest.get(`${id} ${digest}`);
    return done === undefined ? [] : [[id, done] as const];
  });
  const onBranch = new Set(landed.merges.map(({ commit }) => commit));
  return {
    finished: Object.fromEntries(finished),
    unlanded: finished.flatMap(([id, { commit }]) => (onBranch.has(commit) ? [] : [id])),
  };
}

/** The history of accepted work that waits to land; `null` where all has: then the user's branch alone decides. */
async function acceptedHistory({
  home,
  project,
  user,
  tip,
}: Parameters<typeof finishedTasks>[0]): Promise<TaskHistory | null> {
  if (!existsSync(home.repositories)) return null;
  const { id, branch } = repositoryRef(home, project, user);
  const gitDir = path.join(home.repositories, `${id}.git`);
  if (!existsSync(gitDir)) return null;
  const bare = await BareRepository.open(gitDir);
  const accepted = bare.tip(branch);
  const seen = bare.ref(`refs/user/heads/${branch}`);
  if (accepted === null || accepted === tip) return null;
  // What had landed and is not on their branch any more, they took out.
  if (seen !== null && (await bare.isAncestor(accepted, seen))) return null;
  return await taskHistory(gitDir, accepted, tip);
}
