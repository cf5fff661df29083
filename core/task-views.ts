import { claimsOf } from './catalogue.ts';
import type { RunManifest } from './run-manifest.ts';
import type { TaskView } from './run-state.ts';

/** The tasks of a manifest as a run's rules see them. */
export function taskViews({ tasks, config }: Pick<RunManifest, 'tasks' | 'config'>): TaskView[] {
  return tasks.map((task) => {
    const { id, name, depends_on, priority, limits } = task.manifest;
    return {
      id,
      name,
      depends_on,
      priority,
      claims: claimsOf(task, config),
      attempts: limits.attempts ?? config.run.attempts,
      turns: limits.turns ?? config.run.turns,
    };
  });
}
