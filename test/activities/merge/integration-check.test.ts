import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { projectWorld, type ProjectWorld } from '../../support/project-world.ts';
import { trainMembers } from '../../support/train-members.ts';

let world: ProjectWorld;
let counter: string;
beforeEach(() => {
  counter = path.join(mkdtempSync(path.join(tmpdir(), 'signalbox-count-')), 'runs');
});
afterEach(() => {
  world.remove();
  rmSync(path.dirname(counter), { recursive: true, force: true });
});

const { finished, prefixesOf, merged, advance, landed, checkOf } = trainMembers(() => world);
/** How often the integration checks ran. */
const runs = (): number => (existsSync(counter) ? readFileSync(counter, 'utf8').split('\n').length - 1 : 0);
const counted = (command: string): object => ({ doctor: 'true', integration: `echo run >> ${counter}; ${command}` });

describe('the integration check', () => {
  test('runs once for a tree, whoever asks and however often', async () => {
    world = await projectWorld({ a: 'echo A > a.txt' }, { checks: counted('true') });
    const member = await finished('a');
    const { commit } = await merged(member);
    for (const session of ['s/1', 's/1', 's/2'])
      expect(await world.train('check', checkOf(member, commit, session))).toMatchObject({ failure: null });
    expect(runs()).toBe(1);
  });

  test('does not run for a tree that its task has proven by the same commands', async () => {
    const command = `echo run >> ${counter}`;
    world = await projectWorld({ a: 'echo A > a.txt' }, { checks: { doctor: command } });
    const member = await finished('a');
    expect(runs()).toBe(1);
    const { commit } = await merged(member);
    expect(await world.train('check', checkOf(member, commit))).toMatchObject({ failure: null });
    expect(runs()).toBe(1);
  });

  test('that was red is red within its session, and runs again in another', async () => {
    world = await projectWorld({ a: 'echo A > a.txt' }, { checks: counted('echo no; exit 3') });
    const member = await finished('a');
    const { commit } = await merged(member);
    const red = await world.train('check', checkOf(member, commit, 's/1'));
    expect(red.failure).toMatchObject({ exitCode: 3, output: 'no' });
    expect((await world.train('check', checkOf(member, commit, 's/1'))).failure).toEqual(red.failure);
    expect(runs()).toBe(1);
    await world.train('check', checkOf(member, commit, 's/2'));
    expect(runs()).toBe(2);
  });

  test('of the tip alone runs whatever is known of it', async () => {
    world = await projectWorld({ a: 'echo A > a.txt' }, { checks: counted('true') });
    const member = await finished('a');
    const { base } = await merged(member);
    for (const id of [1, 2]) await world.train('checkTip', { ...checkOf(member, base), id });
    // The same one asked again, as after a crash, is read.
    await world.train('checkTip', { ...checkOf(member, base), id: 2 });
    expect(runs()).toBe(2);
  });

  test('is proven by a canary that makes it fail, once for its definition; one that passes proves nothing', async () => {
    const canary = { canary: { mode: 'env' } };
    world = await projectWorld(
      { a: 'echo A > a.txt' },
      { checks: { ...counted('test -z "$SIGNALBOX_CANARY"'), ...canary } },
    );
    const member = await finished('a');
    expect(member.ride.canary).toBe('warn');
    const { commit, base } = await merged(member);
    for (const one of [commit, base])
      expect(await world.train('canary', checkOf(member, one))).toEqual({ proven: true });
    expect(runs()).toBe(1);
    world.remove();
    world = await projectWorld({ a: 'echo A > a.txt' }, { checks: { ...counted('true'), ...canary } });
    const other = await finished('a');
    expect(await world.train('canary', checkOf(other, (await merged(other)).commit))).toEqual({ proven: false });
  });
});

describe('the blame', () => {
  const blamed = async (member: Awaited<ReturnType<typeof finished>>): Promise<string> => {
    const { commit } = await merged(member);
    const { failure } = await world.train('check', checkOf(member, commit));
    if (failure === null) throw new Error('it is green');
    const evidence = await world.train('blame', { member, commit, failure, session: 's/1' });
    expect(evidence).toMatchObject({ kind: 'failed_integration', commit, attempt: 1 });
    return evidence.summary;
  };

  test('of what is red only together names what was merged since', async () => {
    world = await projectWorld(
      { a: 'echo A > a.txt; echo A > one', b: 'echo B > two' },
      { checks: { doctor: 'true', integration: 'test ! -f one || test ! -f two' } },
    );
    const [first, second] = [await finished('a'), await finished('b')];
    await landed(first);
    expect(await blamed(second)).toMatch(/ended with exit code 1 together with task a: task-a; the work alone passes$/);
  });

  test('of what is red by itself says so', async () => {
    world = await projectWorld(
      { a: 'echo A > a.txt', b: 'echo B > two' },
      { checks: { doctor: 'true', integration: 'test ! -f two' } },
    );
    const [first, second] = [await finished('a'), await finished('b')];
    await landed(first);
    expect(await blamed(second)).toMatch(/so it does on the work alone/);
  });
});

describe('several members', () => {
  test('make nested candidates, each with a merge of its own', async () => {
    world = await projectWorld({ a: 'echo A > a.txt', b: 'echo B > b.txt', c: 'echo C > c.txt' });
    const members = [await finished('a'), await finished('b'), await finished('c')];
    const { prefixes, commits } = await prefixesOf(...members);
    expect(prefixes.map(({ id, size }) => [id, size])).toEqual([1, 2, 3].map((size) => [size, size]));
    const [first, , third] = commits;
    const advanced = await advance(await merged(...members), ...members);
    expect(advanced).toMatchObject({ outcome: 'accepted', commit: third, landing: { landed: true } });
    expect(world.git('log', '--first-parent', '--format=%s', '-3')).toBe(
      ['c', 'b', 'a'].map((task) => `Merge task ${task}: task-${task}`).join('\n'),
    );
    // They are what was merged for the candidates: nothing is to be told anew.
    expect(advanced).toMatchObject({ commits: {} });
    expect(world.git('rev-parse', 'main~2')).toBe(first);
  });

  test('of which one conflicts with another end before it; with the tip itself, it alone is sent back', async () => {
    world = await projectWorld({ a: 'echo A > a.txt', b: 'echo B > a.txt', c: 'echo C > c.txt' });
    const members = [await finished('a'), await finished('b'), await finished('c')];
    expect(await prefixesOf(...members)).toMatchObject({
      cut: 1,
      conflicts: [],
      prefixes: [1, 2, 3].map((id) => ({ id, size: 1 })),
    });
    await landed(members[0]!);
    const { conflicts, cut, prefixes } = await prefixesOf(...members.slice(1));
    expect(cut).toBeNull();
    expect(conflicts.map(({ member }) => member.task)).toEqual(['b']);
    expect(prefixes.map(({ size }) => size)).toEqual([1]);
  });
});

describe('lanes', () => {
  const lanes = [
    { name: 'web', paths: ['web/**'] },
    { name: 'server', paths: ['server/**'], integration: ['test -d server'] },
  ];

  test('are told by what a task changed, with checks of their own', async () => {
    world = await projectWorld(
      {
        w: 'mkdir web; echo w > web/w',
        s: 'mkdir server; echo s > server/s',
        both: 'mkdir web server; echo 1 > web/1; echo 1 > server/1',
      },
      { train: { lanes } },
    );
    const [web, server, both] = [await finished('w'), await finished('s'), await finished('both')];
    expect([web, server, both].map(({ ride }) => ride.lane)).toEqual(['web', 'server', null]);
    expect(web.ride.checks).not.toBe(server.ride.checks);
  });

  test('land on a tip that moved elsewhere only, where what is in no lane has to be made anew', async () => {
    world = await projectWorld(
      {
        w: 'mkdir web; echo w > web/w',
        s: 'mkdir server; echo s > server/s',
        x: 'echo x > x',
        again: 'mkdir web; echo 2 > web/w2',
      },
      { train: { lanes } },
    );
    const [web, server, none, second] = [
      await finished('w'),
      await finished('s'),
      await finished('x'),
      await finished('again'),
    ];
    const [ofWeb, ofNone, ofSecond] = [await merged(web), await merged(none), await merged(second)];
    expect(await landed(server)).toMatchObject({ outcome: 'accepted' });
    expect(await advance(ofWeb, web)).toMatchObject({ outcome: 'accepted', landing: { landed: true } });
    expect(await advance(ofNone, none)).toEqual({ outcome: 'moved' });
    // Its own paths are others by now: it was checked without them.
    expect(await advance(ofSecond, second)).toEqual({ outcome: 'moved' });
    expect(world.git('ls-files').split('\n')).toEqual(expect.arrayContaining(['server/s', 'web/w']));
  });

  test('tell what they replaced: the last tip of the train, or what a person committed to another lane meanwhile', async () => {
    const scripts = { w: 'mkdir web; echo w > web/w', s: 'mkdir server; echo s > server/s' };
    world = await projectWorld(scripts, { train: { lanes } });
    const [web, server] = [await finished('w'), await finished('s')];
    const first = world.git('rev-parse', 'main');
    const [ofWeb, ofServer] = [await merged(web), await merged(server)];
    expect(await advance(ofServer, server)).toMatchObject({ outcome: 'accepted', base: first });
    world.write('server/by-hand', 'x\n');
    world.git('add', 'server');
    world.git('commit', '-q', '-m', 'by hand');
    const theirs = world.git('rev-parse', 'main');
    expect(await advance(ofWeb, web)).toMatchObject({ outcome: 'accepted', base: theirs });
    // What the tip holds already makes no other one.
    const tip = world.git('rev-parse', 'main');
    expect(await merged(web)).toEqual({ commit: tip, base: tip, tip });
  });

  test('do not land unchecked on what a person committed outside of all lanes', async () => {
    const scripts = { w: 'mkdir web; echo w > web/w', s: 'mkdir server; echo s > server/s' };
    world = await projectWorld(scripts, { train: { lanes } });
    const [web, server] = [await finished('w'), await finished('s')];
    const ofWeb = await merged(web);
    world.write('broken', 'x\n');
    world.git('add', 'broken');
    world.git('commit', '-q', '-m', 'broken');
    expect(await landed(server)).toMatchObject({ outcome: 'accepted' });
    expect(await advance(ofWeb, web)).toEqual({ outcome: 'moved' });
  });
});
