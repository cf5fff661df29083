import type { TaskView } from '../../core/run-state.ts';

/** A task as a run sees it, with nothing but what scheduling looks at. */
export function newView(id: string, view: Pick<TaskView, 'depends_on' | 'priority' | 'claims' | 'estimate'>): TaskView {
  return { id, name: `task-${id}`, attempts: 3, turns: 1, approval: 'none', inputs: [], done: null, ...view };
}
