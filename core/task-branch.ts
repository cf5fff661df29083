import type { Config } from './config.ts';

/** The branch that a task's work is on, in its clone and on a remote. */
export function taskBranch({ repository }: Pick<Config, 'repository'>, run: string, task: string): string {
  return `${repository.task_branch_prefix}${run}/${task}`;
}
