import { SignalboxError } from '../../core/failures.ts';
import { newGlobCaches } from '../../core/globs.ts';
import { answerTo, grant } from '../../core/lock-grants.ts';
import { emptyLockTable } from '../../core/locks.ts';
import type { SimInput } from './graph.ts';
import { SimRun, type Due } from './sim-run.ts';
import type { Span } from './span.ts';

/** Signalbox's own rules in virtual time. Messages take none. */
export function simulateRolling({ runs: inputs, seed }: SimInput): Span[] {
  const runs = inputs.map((run) => new SimRun(run));
  const due: Due[] = [];
  const spans: Span[] = [];
  const caches = newGlobCaches();
  let table = emptyLockTable();
  /** Lets runs and table talk until nobody has news. */
  const settle = (now: number): void => {
    for (let news = true; news;) {
      news = false;
      const heard = new Set<string>();
      for (const run of runs) {
        for (const started of run.start(now)) {
          spans.push(started.span);
          due.push(...started.due);
        }
        const next = run.sync(table, now);
        if (next === null) continue;
        table = next;
        heard.add(run.id);
      }
      if (heard.size === 0) return;
      const granting = grant(table, now, caches);
      table = granting.table;
      for (const run of runs) {
        if (table.runs[run.id] === undefined || !(heard.has(run.id) || run.id in granting.granted)) continue;
        run.apply({ type: 'locks', at: now, answer: answerTo(run.id, granting) });
        news = true;
      }
    }
  };
  settle(0);
  while (due.length > 0) {
    const now = Math.min(...due.map(({ at }) => at));
    for (const { run, event } of due.filter(({ at }) => at === now)) run.apply(event);
    due.splice(0, due.length, ...due.filter(({ at }) => at > now));
    settle(now);
  }
  if (!runs.every((run) => run.isOver())) throw new SignalboxError('internal', `graph ${seed}: a run never ended`);
  return spans;
}
