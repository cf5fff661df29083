import { claimsOf } from './catalogue.ts';
import type { RunManifest } from './run-manifest.ts';
import type { TaskView } from './run-state.ts';

/** The tasks of a manifest, or some of them, as a run's rules see them. */
export function taskViews({ tasks, config, reused }: Pick<RunManifest, 'tasks' | 'config' | 'reused'>): TaskView[] {
  return tasks.map((task) => {
    const { id, name, depends_on, priority, limits, estimate, approval, inputs } = task.manifest;
    return {
      id,
      name,
      depends_on,
      priority,
      claims: claimsOf(task, config),
      attempts: limits.attempts ?? config.run.attempts,
      turns: limits.turns ?? config.run.turns,
      estimate: estimate ?? null,
      approval,
      inputs,
      done: reused[id] ?? null,
    };
  });
}
