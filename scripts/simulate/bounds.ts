import { claimsMeet, type GlobOptions } from '../../core/globs.ts';
import { heaviestClique } from './clique.ts';
import type { SimInput } from './graph.ts';
import { leastParallel } from './parallel-bound.ts';
import { leastInAnyOrder, type Exclusion } from './order-bound.ts';
import { makespanOf, workOf, type Span } from './span.ts';

/** What no schedule of the tasks that ran can beat, milliseconds. */
export interface Bounds {
  /** The longest chain of dependencies. */
  criticalPath: number;
  /** All work over the parallelism: `max_parallel`, or less where clashes allow a task fewer others beside it. */
  work: number;
  /** The heaviest set found of tasks of which no two can run at once, for their claims or their dependencies. */
  exclusive: number;
  /** The longest chain of tasks that follow one another in whatever order those run that exclude each other. */
  order: number;
}

/** The bounds for the tasks that a schedule contains; those that a failure blocked count for nothing. */
export function boundsOf(input: SimInput, spans: readonly Span[]): Bounds {
  const durations = spans.map(({ task }) => workOf(task));
  const exclusion = exclusionOf(spans);
  const { excludes } = exclusion;
  const ends = endsByDependencies(durations, exclusion);
  const exclusive = heaviestClique(durations, excludes);
  const criticalPath = Math.max(0, ...ends);
  const runs = input.runs.map(({ id, maxParallel }) => ({
    places: maxParallel,
    tasks: spans.flatMap(({ run }, at) => (run === id ? [at] : [])),
  }));
  const together = { places: runs.reduce((sum, run) => sum + run.places, 0), tasks: spans.map((_, at) => at) };
  const work = Math.max(
    ...runs.map(({ places, tasks }) => tasks.reduce((sum, at) => sum + (durations[at] ?? 0), 0) / places),
    ...[...runs, together].map(({ places, tasks }) => leastParallel(durations, tasks, places, excludes)),
  );
  const order = leastInAnyOrder(durations, exclusion, Math.max(criticalPath, work, exclusive), makespanOf(spans));
  return { criticalPath, work, exclusive, order };
}

/** What each task may not run at the same time as, by position; `dependencies` come before the task they are of. */
function exclusionOf(spans: readonly Span[]): Exclusion {
  const cache: GlobOptions['cache'] = new Map();
  const index = new Map(spans.map(({ run, task }, at) => [`${run} ${task.view.id}`, at]));
  const dependencies = spans.map(({ run, task }) =>
    task.view.depends_on.flatMap((id) => index.get(`${run} ${id}`) ?? []),
  );
  const order = [...spans.keys()].sort((a, b) => (spans[a]?.start ?? 0) - (spans[b]?.start ?? 0));
  const ancestors = spans.map(() => new Set<number>());
  for (const at of order) {
    for (const dependency of dependencies[at] ?? []) {
      ancestors[at]?.add(dependency);
      for (const ancestor of ancestors[dependency] ?? []) ancestors[at]?.add(ancestor);
    }
  }
  const clashes = spans.map(({ task: { view } }, at) => {
    const others = new Set<number>();
    for (const [other, { task }] of spans.entries()) {
      if (other !== at && claimsMeet(view.claims, task.view.claims, { cache })) others.add(other);
    }
    return others;
  });
  const follows = (a: number, b: number): boolean => ancestors[a]?.has(b) === true || ancestors[b]?.has(a) === true;
  return {
    order,
    dependencies,
    follows,
    excludes: (a, b) => clashes[a]?.has(b) === true || follows(a, b),
  };
}

function endsByDependencies(durations: readonly number[], { order, dependencies }: Exclusion): number[] {
  const ends = durations.map(() => 0);
  for (const at of order) {
    const before = (dependencies[at] ?? []).map((dependency) => ends[dependency] ?? 0);
    ends[at] = Math.max(0, ...before) + (durations[at] ?? 0);
  }
  return ends;
}
