import type { RunRef } from '../../core/run-ref.ts';
import type { Check } from './run-checks.ts';

/** How many verdicts are remembered. */
const KEPT = 1000;

/**
 * Which commands passed on which trees, for as long as this process lives: what a task's verdict has just proven need not
 * be run again when the very same tree is the candidate. Valid for one run, whose manifest pins all that a check depends
 * on; forgetting costs a check, no more.
 */
export class PassedChecks {
  readonly #kept = new Set<string>();

  /** Remembers that the commands passed, in this order, on one fresh checkout of the tree. */
  add(run: RunRef, tree: string, checks: readonly Check[]): void {
    this.#kept.add(keyOf(run, tree, checks));
    for (const oldest of this.#kept) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(oldest);
    }
  }

  /** Have exactly these commands passed on this tree? */
  has(run: RunRef, tree: string, checks: readonly Check[]): boolean {
    return this.#kept.has(keyOf(run, tree, checks));
  }
}

function keyOf(run: RunRef, tree: string, checks: readonly Check[]): string {
  return JSON.stringify([run.project, run.run, run.manifest.sha256, tree, checks.map((check) => check.command)]);
}
