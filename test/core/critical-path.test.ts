import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { criticalPaths } from '../../core/critical-path.ts';
import type { TaskViews } from '../../core/run-state.ts';
import { newView } from '../../scripts/simulate/view.ts';

const views = (tasks: Record<string, { after?: string[]; estimate?: number }>): TaskViews =>
  Object.fromEntries(
    Object.entries(tasks).map(([id, { after = [], estimate = null }]) => [
      id,
      newView(id, { depends_on: after, priority: 0, claims: { reads: [], writes: [] }, estimate }),
    ]),
  );

describe('criticalPaths', () => {
  test('is the longest chain of what depends on a task, itself included', () => {
    const weights = criticalPaths(
      views({
        a: { estimate: 1 },
        b: { after: ['a'], estimate: 10 },
        c: { after: ['a'], estimate: 3 },
        d: { after: ['b', 'c'], estimate: 5 },
      }),
    );
    expect(weights).toEqual({
      a: { length: 1, weight: 16 },
      b: { length: 10, weight: 15 },
      c: { length: 3, weight: 8 },
      d: { length: 5, weight: 5 },
    });
  });

  test('takes the median for what nobody estimated, and the same for all if nobody estimated anything', () => {
    const some = criticalPaths(views({ a: { estimate: 2 }, b: { estimate: 4 }, c: { estimate: 60 }, d: {} }));
    expect(some['d']).toEqual({ length: 4, weight: 4 });
    const none = criticalPaths(views({ a: {}, b: { after: ['a'] } }));
    expect(none['a']?.weight).toBe(2 * (none['b']?.weight ?? 0));
  });

  test('counts unknown dependencies for nothing, and ends in a cycle', () => {
    const weights = criticalPaths(
      views({ a: { after: ['b', 'nowhere'], estimate: 1 }, b: { after: ['a'], estimate: 2 }, c: { after: ['c'] } }),
    );
    expect(Object.keys(weights).sort()).toEqual(['a', 'b', 'c']);
    for (const { weight } of Object.values(weights)) expect(weight).toBeGreaterThan(0);
  });

  test('is as long as the task itself and the longest of what depends on it, however the tasks are listed', () => {
    const graphs = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.array(fc.nat(30), { maxLength: 3 })), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(graphs, fc.boolean(), (graph, reversed) => {
        const tasks = graph.map(([estimate, after], index) => {
          const before = after.filter((other) => other < index).map(String);
          return [String(index), { after: before, estimate }] as const;
        });
        // A prefix, as ids that are numbers are listed by number.
        const named = tasks.map(
          ([id, task]) => [`t${id}`, { ...task, after: task.after.map((other) => `t${other}`) }] as const,
        );
        const weights = criticalPaths(views(Object.fromEntries(reversed ? named.reverse() : named)));
        for (const [id, { estimate }] of named) {
          const rest = named.flatMap(([other, { after }]) =>
            after.includes(id) ? [weights[other]?.weight ?? NaN] : [],
          );
          expect(weights[id]).toEqual({ length: estimate, weight: estimate + Math.max(0, ...rest) });
        }
      }),
    );
  });

  test('of a chain of 20,000 tasks needs no stack as deep', () => {
    const chain = Array.from({ length: 20_000 }, (_, index): [string, { after: string[]; estimate: number }] => [
      `t${index}`,
      { after: index === 0 ? [] : [`t${index - 1}`], estimate: 1 },
    ]);
    expect(criticalPaths(views(Object.fromEntries(chain)))['t0']?.weight).toBe(20_000);
  });
});
