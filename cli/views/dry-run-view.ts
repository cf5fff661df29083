import type { TaskView } from '../../core/run-state.ts';
import type { PreparedRun } from '../../workers/runs/prepare-run.ts';
import { short } from './run-view.ts';
import { table } from './table.ts';
import { displayText, plural } from './text.ts';

/** What a run would be, for scripts. */
export function dryRunResult(prepared: PreparedRun): unknown {
  const { manifest, project, baseCommit, maxParallel, notices, order } = prepared;
  return {
    dry_run: true,
    project: manifest.config.project,
    repository: project.repository,
    integration_branch: manifest.config.repository.integration_branch,
    base_commit: baseCommit,
    backend: manifest.backend,
    max_parallel: maxParallel,
    notices,
    tasks: order.map(({ id, name, depends_on, priority, claims, done }) => ({
      ...{ id, name, depends_on, priority, claims },
      // Merged by an earlier run, in this commit.
      done,
    })),
  };
}

/** What a run would be, for people: the tasks in the order in which they could start. @param columns of the terminal */
export function dryRunText(prepared: PreparedRun, columns: number | null): string {
  const { manifest, baseCommit, maxParallel, order } = prepared;
  const { config, backend } = manifest;
  const branch = config.repository.integration_branch;
  const reuses = order.some((task) => task.done !== null);
  const rows = order.map((task) => [
    task.id,
    displayText(task.name, 40),
    task.depends_on.join(', '),
    String(task.priority),
    ...(reuses ? [short(task.done?.commit ?? '')] : []),
    displayText(scopeOf(task), 80),
  ]);
  const heads = ['TASK', 'NAME', 'AFTER', 'PRIORITY', ...(reuses ? ['MERGED AS'] : []), 'WRITES'];
  return [
    `${plural(order.length, 'task')} of project ${config.project} into ${branch} at ${short(baseCommit)}, ` +
      `at most ${maxParallel} at once, agent ${config.agent.provider}, backend ${backend}. Nothing was started.`,
    '',
    table(
      heads.map((head) => (head === 'NAME' ? { head, cut: 12 } : head === 'WRITES' ? { head, cut: 20 } : { head })),
      rows,
      columns,
    ),
  ].join('\n');
}

function scopeOf({ claims }: TaskView): string {
  return claims.writes.join(' ');
}
