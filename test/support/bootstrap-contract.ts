import { readdirSync } from 'node:fs';
import { afterEach, expect, test } from '@jest/globals';
import type { AttemptRef, PreparedAttempt, TurnResult } from '../../core/activities.ts';
import { NO_USAGE } from '../../core/usage.ts';
import type { Home } from '../../activities/home.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import { projectWorld, type ProjectWorld } from './project-world.ts';

const EXECUTION = 'execution-1';

/** Makes `deps` with many files, one that tells the lock file, and one that tells the build. */
export const INSTALL = [
  'mkdir -p deps/lib packages/a/deps',
  'cp lock.txt deps/lock.txt',
  'echo nested > packages/a/deps/nested.txt',
  'for i in $(seq 80); do echo $i > deps/lib/$i.txt; done',
  'head -c 12 /dev/urandom | od -An -tx1 > deps/build.txt',
].join(' && ');

/** A configuration whose dependencies are {@link INSTALL}ed. */
export function withBootstrap(doctor: string, commands: string | string[] = INSTALL): object {
  return {
    checks: {
      doctor,
      bootstrap: { commands, inputs: ['lock.txt'], outputs: ['deps', 'packages/*/deps'], network: 'none' },
    },
    sandbox: { network: 'none' },
  };
}

/** What a bootstrap must do in every sandbox; tests for inside a `describe`. */
export function testBootstrap(sandbox: (home: Home) => Promise<Sandbox>): void {
  let world: ProjectWorld;
  afterEach(() => world.remove());

  async function start(agents: Record<string, string>, config: object): Promise<void> {
    world = await projectWorld(agents, config, {}, { sandbox });
    world.write('lock.txt', 'locked\n');
    world.write('packages/a/package.txt', 'a package\n');
    world.git('add', '.');
    world.git('commit', '-qm', 'lock');
  }

  async function prepared(task: string): Promise<{ attempt: AttemptRef; made: PreparedAttempt }> {
    const { run } = world;
    const made = await world.task('prepare', { run, task, execution: EXECUTION, attemptsBefore: 0 });
    return { attempt: { run, task, attempt: made.attempt, execution: EXECUTION }, made };
  }

  async function turned(attempt: AttemptRef, base: string, turn = 1): Promise<TurnResult> {
    const spent = { spent: { ...NO_USAGE }, spentMs: 0, allowance: 1, inputs: {} };
    const result = await world.task('turn', { attempt, base, turn, thread: null, evidence: [], extra: [], ...spent });
    expect(result).toMatchObject({ outcome: 'finished', reason: null });
    return result;
  }

  async function verified(task: string): ReturnType<typeof world.task<'verify'>> {
    const { attempt, made } = await prepared(task);
    const { commit } = await turned(attempt, made.base);
    return await world.task('verify', { attempt, commit, round: 1, inputs: {} });
  }

  async function shown(commit: string, file: string): Promise<string> {
    const bare = await world.host.bare(world.run.repository);
    return (await bare.git(['show', `${commit}:${file}`])).stdout.toString();
  }

  async function namesIn(commit: string): Promise<string[]> {
    const bare = await world.host.bare(world.run.repository);
    const { stdout } = await bare.git(['ls-tree', '-r', '--name-only', commit]);
    return stdout.toString().trim().split('\n');
  }

  test('an agent finds the dependencies, keeps what it does to them over its turns, and none of it is its work', async () => {
    const agent = `
if [ $SIGNALBOX_TURN = 1 ]; then
  cat deps/lock.txt packages/a/deps/nested.txt > found.txt; ls deps/lib | wc -l >> found.txt
  echo changed > deps/lock.txt; rm deps/lib/1.txt; mv deps/lib deps/moved; echo new > deps/new.txt
else
  cat deps/lock.txt deps/new.txt > kept.txt; ls deps/moved | wc -l >> kept.txt
fi`;
    await start({ a: agent }, withBootstrap('true'));
    const { attempt, made } = await prepared('a');
    const first = await turned(attempt, made.base);
    expect((await shown(first.commit, 'found.txt')).replaceAll(' ', '')).toBe('locked\nnested\n80\n');
    const second = await turned(attempt, made.base, 2);
    expect((await shown(second.commit, 'kept.txt')).replaceAll(' ', '')).toBe('changed\nnew\n79\n');
    expect(await namesIn(second.commit)).toEqual(['a.txt', 'found.txt', 'kept.txt', 'lock.txt', 'packages/a/package.txt']);
  });

  test('what one agent does to its dependencies nobody else sees: not its own verdict, nor the next task', async () => {
    const spoil = 'echo spoilt > deps/lock.txt; rm -rf deps/lib/*; rm packages/a/deps/nested.txt; touch work.txt';
    const doctor = 'test "$(cat deps/lock.txt packages/a/deps/nested.txt | xargs)" = "locked nested" && test -e deps/lib/80.txt';
    await start({ a: spoil, b: 'cat deps/build.txt deps/lock.txt > work.txt' }, withBootstrap(doctor));
    expect(await verified('a')).toMatchObject({ failure: null, commands: 1 });
    const { attempt, made } = await prepared('b');
    const { commit } = await turned(attempt, made.base);
    expect(await shown(commit, 'work.txt')).toMatch(/^ [0-9a-f ]+\nlocked\n$/);
    const [one, ...more] = world.host.snapshots.list();
    expect([one?.record.outputs.map((output) => output.path), more]).toEqual([['deps', 'packages/a/deps'], []]);
  });

  test('the commit that is checked decides: a task that changes the inputs gets other dependencies for its checks', async () => {
    const doctor = 'test "$(cat deps/lock.txt)" = "$(cat lock.txt)" && cat deps/lock.txt && false';
    await start({ a: 'echo unlocked > lock.txt', b: 'cat deps/lock.txt > work.txt' }, withBootstrap(doctor));
    expect((await verified('a')).failure).toMatchObject({ check: 'doctor', output: 'unlocked' });
    expect((await verified('b')).failure).toMatchObject({ check: 'doctor', output: 'locked' });
    expect(world.host.snapshots.list()).toHaveLength(2);
  });

  test('afterwards nothing of them is left in workspaces and checkouts, and no snapshot is in use', async () => {
    await start({ a: 'touch work.txt' }, withBootstrap('echo more > deps/more.txt; rm -rf deps/lib/*'));
    const { attempt, made } = await prepared('a');
    expect(world.host.snapshots.list().map(({ inUse }) => inUse)).toEqual([true]);
    const { commit } = await turned(attempt, made.base);
    expect(await world.task('verify', { attempt, commit, round: 1, inputs: {} })).toMatchObject({ failure: null });
    expect(world.host.snapshots.list().map(({ inUse }) => inUse)).toEqual([false]);
    const left = [world.home.workspaces, world.home.checkouts]
      .flatMap((directory) => readdirSync(directory, { recursive: true, encoding: 'utf8' }))
      .filter((name) => /(outputs\.json|layers|incoming)$/.test(name));
    expect(left).toEqual([]);
    // The next check in the same checkout begins anew.
    const again = await world.task('verify', { attempt, commit, round: 2, inputs: {} });
    expect(again).toMatchObject({ failure: null });
  });

  test('commands that fail on what a task wrote are a failed check of it, with what they said', async () => {
    const command = `${INSTALL} && grep -q locked lock.txt || { echo "no such package"; echo bad lock >&2; exit 4; }`;
    await start({ a: 'echo none > lock.txt' }, withBootstrap('true', command));
    const report = await verified('a');
    expect(report.failure).toMatchObject({ check: 'bootstrap', exitCode: 4, output: 'no such package\nbad lock' });
  });
}
