import { criticalPaths } from '../../core/critical-path.ts';
import { claimsMeet, type GlobOptions } from '../../core/globs.ts';
import type { SimInput, SimTask } from './graph.ts';
import { workOf, type Span } from './span.ts';

/**
 * What many tools do: all tasks that are ready and do not clash start together, as many as there are places, best
 * first; when the last of them has ended, the next wave starts.
 */
export function simulateBarrier({ runs }: SimInput): Span[] {
  const cache: GlobOptions['cache'] = new Map();
  const left = runs.map((run) => {
    const weights = criticalPaths(Object.fromEntries(run.tasks.map(({ view }) => [view.id, view])));
    const rank = ({ view }: SimTask): [number, number] => [view.priority, weights[view.id]?.weight ?? 0];
    const tasks = run.tasks.toSorted((a, b) => rank(b)[0] - rank(a)[0] || rank(b)[1] - rank(a)[1]);
    return { ...run, waiting: tasks, merged: new Set<string>() };
  });
  const spans: Span[] = [];
  for (let now = 0; ;) {
    const wave: Span[] = [];
    for (const run of left) {
      let places = run.maxParallel;
      run.waiting = run.waiting.filter((task) => {
        if (places === 0 || !task.view.depends_on.every((id) => run.merged.has(id))) return true;
        if (wave.some((span) => claimsMeet(span.task.view.claims, task.view.claims, { cache }))) return true;
        places -= 1;
        wave.push({ run: run.id, task, start: now, end: now + workOf(task) });
        return false;
      });
    }
    if (wave.length === 0) return spans;
    for (const { run, task } of wave) {
      if (!task.fails) left.find(({ id }) => id === run)?.merged.add(task.view.id);
    }
    spans.push(...wave);
    now = Math.max(...wave.map(({ end }) => end));
  }
}
