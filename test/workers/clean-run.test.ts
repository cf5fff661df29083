import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { cleanRun, type CleanedRun } from '../../workers/clean/clean-run.ts';
import { projectWorld, type ProjectWorld } from '../support/project-world.ts';
import { NO_USAGE } from '../../core/usage.ts';

let world: ProjectWorld;
afterEach(() => world.remove());

const AGENT = 'mkdir sub; echo only-copy > sub/.GIT; echo work > work.txt';

/** Cleans up after the world's run, as if it had ended. */
async function clean(force: boolean): Promise<CleanedRun> {
  const { home, run, host } = world;
  const description = { tasks: { a: {} } } as unknown as RunDescription;
  return await cleanRun({ home, bare: await host.bare(run.repository), run, description, dryRun: false, force });
}

describe('cleaning up after a run', () => {
  test.each([false, true])('keeps what no commit can hold (forced: %s)', async (force) => {
    world = await projectWorld({ a: AGENT });
    const { run, host } = world;
    const made = await world.task('prepare', { run, task: 'a', execution: 'x', attemptsBefore: 0 });
    const attempt = { run, task: 'a', attempt: made.attempt, execution: 'x' };
    await world.task('turn', {
      attempt,
      base: made.base,
      turn: 1,
      thread: null,
      evidence: [],
      extra: [],
      spent: { ...NO_USAGE },
      spentMs: 0,
      allowance: 1,
      inputs: {},
    });
    const workspace = host.attemptDirectory(attempt);
    // Unforced: the attempt was closed. Forced: its task was terminated, and its work tree is still there.
    if (!force) await world.task('closeAttempt', { attempt, base: made.base });
    const { kept } = await clean(force);
    expect(existsSync(path.join(workspace, 'tree'))).toBe(false);
    expect(readFileSync(path.join(`${workspace}.left-out`, 'sub', '.GIT'), 'utf8')).toBe('only-copy\n');
    expect(kept.join('\n')).toContain(`${workspace}.left-out`);
    const bare = await host.bare(run.repository);
    expect((await bare.git(['show', 'refs/signalbox/r1/a/1:work.txt'])).stdout.toString()).toBe('work\n');
  });
});
