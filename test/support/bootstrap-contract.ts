import { readdirSync } from 'node:fs';
import { afterEach, expect, test } from '@jest/globals';
import type { Home } from '../../activities/home.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import { BootstrapWorld, INSTALL, withBootstrap } from './bootstrap-world.ts';

/** What a bootstrap must do in every sandbox; tests for inside a `describe`. */
export function testBootstrap(sandbox: (home: Home) => Promise<Sandbox>): void {
  let project: BootstrapWorld;
  afterEach(() => project.world.remove());

  async function start(agents: Record<string, string>, config: object): Promise<void> {
    project = await BootstrapWorld.create(sandbox, agents, config);
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
    const { attempt, made } = await project.prepared('a');
    const first = await project.turned(attempt, made.base);
    expect((await project.shown(first.commit, 'found.txt')).replaceAll(' ', '')).toBe('locked\nnested\n80\n');
    const second = await project.turned(attempt, made.base, 2);
    expect((await project.shown(second.commit, 'kept.txt')).replaceAll(' ', '')).toBe('changed\nnew\n79\n');
    expect(await project.namesIn(second.commit)).toEqual([
      'a.txt',
      'found.txt',
      'kept.txt',
      'lock.txt',
      'packages/a/package.txt',
    ]);
  });

  test('what one agent does to its dependencies nobody else sees: not its own verdict, nor the next task', async () => {
    const spoil = 'echo spoilt > deps/lock.txt; rm -rf deps/lib/*; rm packages/a/deps/nested.txt; touch work.txt';
    const doctor =
      'test "$(cat deps/lock.txt packages/a/deps/nested.txt | xargs)" = "locked nested" && test -e deps/lib/80.txt';
    await start({ a: spoil, b: 'cat deps/build.txt deps/lock.txt > work.txt' }, withBootstrap(doctor));
    expect(await project.verified('a')).toMatchObject({ failure: null, commands: 1 });
    const { attempt, made } = await project.prepared('b');
    const { base } = made;
    const { commit } = await project.turned(attempt, base);
    expect(await project.shown(commit, 'work.txt')).toMatch(/^ [0-9a-f ]+\nlocked\n$/);
    const [one, ...more] = project.world.host.snapshots.list();
    expect([one?.record.outputs.map((output) => output.path), more]).toEqual([['deps', 'packages/a/deps'], []]);
  });

  test('the commit that is checked decides: a task that changes the inputs gets other dependencies for its checks', async () => {
    const doctor = 'test "$(cat deps/lock.txt)" = "$(cat lock.txt)" && cat deps/lock.txt && false';
    await start({ a: 'echo unlocked > lock.txt', b: 'cat deps/lock.txt > work.txt' }, withBootstrap(doctor));
    expect((await project.verified('a')).failure).toMatchObject({ check: 'doctor', output: 'unlocked' });
    expect((await project.verified('b')).failure).toMatchObject({ check: 'doctor', output: 'locked' });
    expect(project.world.host.snapshots.list()).toHaveLength(2);
  });

  test('afterwards nothing of them is left in workspaces and checkouts, and no snapshot is in use', async () => {
    await start({ a: 'touch work.txt' }, withBootstrap('echo more > deps/more.txt; rm -rf deps/lib/*'));
    const { attempt, made } = await project.prepared('a');
    expect(project.world.host.snapshots.list().map(({ inUse }) => inUse)).toEqual([true]);
    const { base } = made;
    const { commit } = await project.turned(attempt, base);
    expect(await project.world.task('verify', { attempt, base, commit, round: 1, inputs: {} })).toMatchObject({
      failure: null,
    });
    expect(project.world.host.snapshots.list().map(({ inUse }) => inUse)).toEqual([false]);
    const left = [project.world.home.workspaces, project.world.home.checkouts]
      .flatMap((directory) => readdirSync(directory, { recursive: true, encoding: 'utf8' }))
      .filter((name) => /(outputs\.json|layers|incoming)$/.test(name));
    expect(left).toEqual([]);
    // The next check in the same checkout begins anew.
    const again = await project.world.task('verify', { attempt, base, commit, round: 2, inputs: {} });
    expect(again).toMatchObject({ failure: null });
  });

  test('commands that fail on what a task wrote are a failed check of it, with what they said', async () => {
    const command = `${INSTALL} && grep -q locked lock.txt || { echo "no such package"; echo bad lock >&2; exit 4; }`;
    await start({ a: 'echo none > lock.txt' }, withBootstrap('true', command));
    const report = await project.verified('a');
    expect(report.failure).toMatchObject({ check: 'bootstrap', exitCode: 4, output: 'no such package\nbad lock' });
  });

  test('dependencies that cannot be installed fail the attempt with the reason, and are not tried over and over', async () => {
    await start({ a: 'true' }, withBootstrap('true', 'date +%s%N; echo no registry; exit 7'));
    const reasons: string[] = [];
    for (const attemptsBefore of [0, 1, 2]) {
      const failed = project.prepared('a', attemptsBefore).then(String, String);
      reasons.push(await failed);
    }
    const [first = '', second = '', third = ''] = reasons;
    expect(first).toMatch(/bootstrap check `date .*` ended with exit code 7:\n\d+\nno registry/);
    expect(second).not.toBe(first);
    // It rests, and tells what the last try came to.
    expect(third).toBe(second);
    expect(project.told.filter((line) => line.endsWith('failed'))).toHaveLength(2);
    expect(readdirSync(project.world.home.steps)).toEqual([]);
  });

  test('commands that do not leave what is named, or what git tracks, are told as such', async () => {
    await start({ a: 'true' }, withBootstrap('true', 'mkdir deps'));
    await expect(project.prepared('a')).rejects.toThrow(
      'bootstrap check `mkdir deps`: left nothing that checks.bootstrap.outputs calls packages/*/deps',
    );
    project.world.remove();
    await start({ a: 'true' }, withBootstrap('true'));
    project.world.write('packages/a/deps/tracked.txt', 'tracked\n');
    project.world.git('add', '.');
    project.world.git('commit', '-qm', 'track');
    await expect(project.prepared('a')).rejects.toThrow(
      'checks.bootstrap.outputs (deps, packages/*/deps) match packages/a/deps/tracked.txt, which git tracks',
    );
  });

  test('what an agent wrote has a part in the dependencies of its own tree only', async () => {
    // The commands do more than their inputs say.
    const install = `${INSTALL} && if test -e plugin.sh; then . ./plugin.sh; fi`;
    const doctor = 'cat deps/lock.txt; test -e deps/plugin.txt && exit 3; exit 4';
    await start(
      { a: 'echo new > lock.txt; echo "echo x > deps/plugin.txt" > plugin.sh', b: 'echo new > lock.txt' },
      withBootstrap(doctor, install),
    );
    expect((await project.verified('a')).failure).toMatchObject({ exitCode: 3, output: 'new' });
    expect((await project.verified('b')).failure).toMatchObject({ exitCode: 4, output: 'new' });
  });
}
