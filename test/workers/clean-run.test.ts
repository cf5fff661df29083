import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { makePrivateDirectory } from '../../activities/home.ts';
import { GatewayLedger } from '../../activities/models/gateway-ledger.ts';
import { UsageLedger } from '../../activities/records/usage-ledger.ts';
import type { RunDescription } from '../../core/description.ts';
import { cleanRun, type CleanedRun } from '../../workers/clean/clean-run.ts';
import { takeTurn } from '../support/attempts.ts';
import { projectWorld, type ProjectWorld } from '../support/project-world.ts';
import { STUBBORN_TREE } from '../support/stubborn-tree.ts';
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
  test('removes what was counted for it, and not what was for a run whose name goes on', async () => {
    world = await projectWorld({ a: AGENT });
    const { home, run } = world;
    const entry = { usage: { ...NO_USAGE, input_tokens: 1 }, warnings: {}, over: true };
    const gateway = new GatewayLedger(path.join(makePrivateDirectory(home.gateway), 'usage'), 'g');
    for (const id of ['r1', 'r10', 'r1.0']) {
      new UsageLedger(home).record({ project: 'world', run: id }, `world..${id}..a..1..turn-1`, entry);
      gateway.response(`world..${id}..a..1..turn-1`, entry.usage, 'm');
    }
    const { removed } = await clean(false);
    expect(removed).toEqual([
      UsageLedger.directory(home, run),
      path.join(home.gateway, 'usage', 'world..r1..a..1..turn-1'),
    ]);
    expect(readdirSync(path.join(home.usage, 'world')).sort()).toEqual(['r1.0', 'r10']);
    expect(readdirSync(path.join(home.gateway, 'usage'))).toHaveLength(2);
  });

  test('removes the records of its steps, whatever they left in their homes', async () => {
    world = await projectWorld({ a: AGENT });
    const { home } = world;
    const { attempt, made } = await takeTurn(world, 'a');
    await world.task('closeAttempt', { attempt, base: made.base });
    const [step = ''] = readdirSync(home.steps);
    const record = path.join(home.steps, step);
    execFileSync('sh', ['-c', STUBBORN_TREE], {
      env: { ...process.env, HOME: makePrivateDirectory(path.join(record, 'home')) },
    });
    const { removed } = await clean(false);
    expect(removed).toContain(record);
    expect(existsSync(record)).toBe(false);
  });

  test.each([false, true])('keeps what no commit can hold (forced: %s)', async (force) => {
    world = await projectWorld({ a: AGENT });
    const { run, host } = world;
    const { attempt, made } = await takeTurn(world, 'a');
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
