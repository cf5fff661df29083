import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import type { RunRef } from '../../core/run-ref.ts';

/**
 * Ends and removes what a run that has ended still has in sandboxes: what is exactly its own, so that no other run's or
 * Signalbox's is touched.
 *
 * @returns what was, or would be, removed, and what could not be
 */
export async function removeRemnants(
  sandboxes: readonly Sandbox[],
  run: Pick<RunRef, 'project' | 'run'>,
  dryRun: boolean,
): Promise<{ removed: string[]; refused: string[] }> {
  const removed: string[] = [];
  const refused: string[] = [];
  for (const sandbox of sandboxes) {
    for (const { what, owner, remove } of await sandbox.remnants()) {
      if (owner.project !== run.project || owner.run !== run.run) continue;
      try {
        if (!dryRun) await remove();
        removed.push(what);
      } catch (error) {
        refused.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return { removed, refused };
}
