import { configSchema } from '../../core/config.ts';
import { runSettings } from '../../core/run-settings.ts';
import type { RunSettings, TaskView } from '../../core/run-state.ts';

/** A task of a run, ordinary but for what is said; it writes a folder of its own. */
export function taskView(task: Partial<TaskView> & { id: string }): TaskView {
  return {
    name: `task-${task.id}`,
    depends_on: [],
    priority: 0,
    claims: { reads: [], writes: [`${task.id}/**`] },
    estimate: null,
    attempts: 3,
    turns: 4,
    approval: 'none',
    inputs: [],
    done: null,
    ...task,
  };
}

/** A run's settings: the defaults of the configuration, but for what is said. */
export function settings(given: Partial<RunSettings> = {}): RunSettings {
  return { ...runSettings({ ...configSchema.parse({}), project: 'demo' }), ...given };
}
