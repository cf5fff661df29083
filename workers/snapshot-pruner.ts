import { VerdictStore } from '../activities/checks/verdict-store.ts';
import { homeOf } from '../activities/home.ts';
import { dropDrafts } from '../activities/sandbox/step-directory.ts';
import { humanSize } from '../core/size.ts';
import { prune } from './snapshots.ts';

/** How often dependency snapshots are looked through, in milliseconds. */
const ROUND = 3_600_000;

/**
 * Keeps a host's dependency snapshots within their bounds, forgets old verdicts, and drops half-made records of steps, from
 * now on.
 *
 * @returns what ends it
 */
export function startPruning(
  env: Readonly<Record<string, string | undefined>>,
  onProgress: (text: string) => void,
): () => void {
  const look = async (): Promise<void> => {
    try {
      const { steps, verdicts } = homeOf(env);
      dropDrafts(steps);
      new VerdictStore(verdicts).prune();
      const { removed } = await prune(env, { dryRun: false });
      const bytes = removed.reduce((sum, snapshot) => sum + snapshot.bytes, 0);
      if (removed.length > 0)
        onProgress(
          `Removed ${removed.length} dependency snapshot${removed.length === 1 ? '' : 's'}, ${humanSize(bytes)}.`,
        );
    } catch (error) {
      onProgress(`Dependency snapshots could not be looked through: ${String(error)}`);
    }
  };
  void look();
  const timer = setInterval(() => void look(), ROUND);
  timer.unref();
  return () => clearInterval(timer);
}
