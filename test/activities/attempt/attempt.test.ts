import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createTaskActivities } from '../../../activities/attempt/task-activities.ts';
import type { Evidence } from '../../../core/evidence.ts';
import { prepare, takeTurn, turnInput, type Prepared } from '../../support/attempts.ts';
import { projectWorld, type ProjectWorld } from '../../support/project-world.ts';

let world: ProjectWorld;
afterEach(() => world.remove());

const prepared = (task: string): Promise<Prepared> => prepare(world, task);
const turned = (task: string): ReturnType<typeof takeTurn> => takeTurn(world, task);

describe('an attempt', () => {
  test('prepared again by the same task gets the same number; by another execution, one that no ref or record has', async () => {
    world = await projectWorld({ a: 'true' });
    const { run } = world;
    const first = await world.task('prepare', { run, task: 'a', execution: 'x', attemptsBefore: 0 });
    expect(await world.task('prepare', { run, task: 'a', execution: 'x', attemptsBefore: 0 })).toEqual(first);
    const second = await world.task('prepare', { run, task: 'a', execution: 'x', attemptsBefore: first.attempt });
    const other = await world.task('prepare', { run, task: 'a', execution: 'y', attemptsBefore: 0 });
    expect([first.attempt, second.attempt, other.attempt]).toEqual([1, 2, 3]);
    expect(first.base).toBe(world.git('rev-parse', 'main'));
  });

  test('a turn that is asked for twice runs once, and gives the same commit', async () => {
    world = await projectWorld({ a: 'cat > prompt.txt; date +%s%N >> times.txt' });
    const { attempt, made, result } = await turned('a');
    const again = await world.task('turn', turnInput({ attempt, made }));
    expect(again).toEqual(result);
    const bare = await world.host.bare(world.run.repository);
    const { stdout } = await bare.git(['show', `${result.commit}:times.txt`]);
    expect(stdout.toString().trim().split('\n')).toHaveLength(1);
    expect((await bare.git(['show', `${result.commit}:prompt.txt`])).stdout.toString()).toContain('Do a.');
    expect(bare.ref('refs/signalbox/r1/a/1')).toBe(result.commit);
  });

  test('finds what the contract promises in its environment, and nothing of the host’s', async () => {
    process.env['SIGNALBOX_TEST_HOST_SECRET'] = 'secret';
    world = await projectWorld({ a: 'env > env.txt; cat "$SIGNALBOX_TASK_FILE" > task.txt' });
    const { result } = await turned('a');
    delete process.env['SIGNALBOX_TEST_HOST_SECRET'];
    const bare = await world.host.bare(world.run.repository);
    const env = (await bare.git(['show', `${result.commit}:env.txt`])).stdout.toString();
    for (const line of [
      'SIGNALBOX_PROJECT=world',
      'SIGNALBOX_RUN_ID=r1',
      'SIGNALBOX_TASK_ID=a',
      'SIGNALBOX_ATTEMPT=1',
      'SIGNALBOX_TURN=1',
    ]) {
      expect(env).toContain(line);
    }
    expect(env).not.toContain('SIGNALBOX_TEST_HOST_SECRET');
    expect((await bare.git(['show', `${result.commit}:task.txt`])).stdout.toString()).toContain('Do a.');
  });

  test('a failed agent keeps its work in the ref, with what it said as the reason', async () => {
    world = await projectWorld({ a: 'echo half > half.txt; echo "no more credit" >&2; exit 7' });
    const { result } = await turned('a');
    expect(result).toMatchObject({ outcome: 'failed', changed: 1 });
    expect(result.reason).toContain('no more credit');
    const bare = await world.host.bare(world.run.repository);
    expect((await bare.git(['show', 'refs/signalbox/r1/a/1:half.txt'])).stdout.toString()).toBe('half\n');
  });

  test('is verified on a fresh checkout of its snapshot, without what lies around in its workspace', async () => {
    const doctor = 'test -f kept.txt && test ! -e build/out.txt';
    world = await projectWorld(
      { a: 'echo build/ > .gitignore; mkdir build; echo x > build/out.txt; echo k > kept.txt' },
      { checks: { doctor } },
    );
    const { attempt, made, result } = await turned('a');
    expect(
      await world.task('verify', { attempt, base: made.base, commit: result.commit, round: 1, inputs: {} }),
    ).toMatchObject({
      failure: null,
      commands: 1,
    });
    expect(existsSync(world.host.attemptDirectory(attempt))).toBe(false);
  });

  test('a failing doctor is told with its command, exit code and output', async () => {
    world = await projectWorld(
      { a: 'echo k > kept.txt' },
      { checks: { doctor: 'echo to-stdout; echo to-stderr >&2; exit 3' } },
    );
    const { attempt, made, result } = await turned('a');
    const { failure } = await world.task('verify', {
      attempt,
      base: made.base,
      commit: result.commit,
      round: 1,
      inputs: {},
    });
    expect(failure).toMatchObject({ check: 'doctor', exitCode: 3, timedOut: false, output: 'to-stdout\nto-stderr' });
  });

  test('files that a commit cannot hold are saved when the workspace goes', async () => {
    const agent = 'mkdir sub; echo evil > "sub/.GIT"; echo ok > ok.txt; ln -s /etc link';
    world = await projectWorld({ a: agent }, { checks: { doctor: 'test ! -e sub' } });
    const { attempt, made, result } = await turned('a');
    expect(result.changed).toBe(2);
    await world.task('verify', { attempt, base: made.base, commit: result.commit, round: 1, inputs: {} });
    const saved = path.join(`${world.host.attemptDirectory(attempt)}.left-out`, 'sub', '.GIT');
    expect(readFileSync(saved, 'utf8')).toBe('evil\n');
  });

  test('a turn whose end nobody waited for is over before the next one begins', async () => {
    world = await projectWorld({ a: 'if [ $SIGNALBOX_TURN = 1 ]; then sleep 600; else echo two > two.txt; fi' });
    const input = turnInput(await prepared('a'));
    const tasks = createTaskActivities(world.host);
    const worker = new MockActivityEnvironment();
    const first = worker.run((turn: Parameters<typeof tasks.turn>[0]) => tasks.turn(turn), {
      ...input,
      turn: 1,
      evidence: [],
    });
    const sandbox = await world.host.sandboxOf(await world.host.manifests.manifest(world.run));
    while ((await sandbox.list()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    // The worker lets go of the turn, which runs on.
    worker.cancel('WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true }));
    await expect(first).rejects.toThrow('WORKER_SHUTDOWN');
    expect(await sandbox.list()).toHaveLength(1);
    const interrupted: Evidence = {
      kind: 'interrupted',
      summary: 's',
      detail: '',
      attempt: 1,
      commit: null,
      tried: '',
      changes: '',
    };
    const second = await world.task('turn', { ...input, turn: 2, evidence: [interrupted] });
    expect(second).toMatchObject({ outcome: 'finished', changed: 1 });
    expect(await sandbox.list()).toEqual([]);
  });

  test('closed before it has a result, it keeps its work and leaves no workspace', async () => {
    world = await projectWorld({ a: 'true' });
    const { attempt, made } = await prepared('a');
    const { writeFileSync } = await import('node:fs');
    writeFileSync(path.join(world.host.attemptDirectory(attempt), 'tree', 'late.txt'), 'late\n');
    const { commit } = await world.task('closeAttempt', { attempt, base: made.base });
    const bare = await world.host.bare(world.run.repository);
    expect((await bare.git(['show', `${commit ?? ''}:late.txt`])).stdout.toString()).toBe('late\n');
    expect(existsSync(world.host.attemptDirectory(attempt))).toBe(false);
    expect(await world.task('closeAttempt', { attempt, base: made.base })).toEqual({ commit });
  });
});
