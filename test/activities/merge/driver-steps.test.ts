import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { trainMember } from '../../../scripts/simulate/train.ts';
import { OUR_IDENTITY } from '../../../core/identity.ts';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { mergeCandidate, type MergeResult } from '../../../activities/git/candidate.ts';
import { memberMergeOptions } from '../../../activities/merge/driver-steps.ts';
import type { StepControl } from '../../../activities/step-control.ts';
import { mergeMessage } from '../../../core/merge-message.ts';
import type { TrainMember } from '../../../core/train.ts';
import { takeTurn } from '../../support/attempts.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { projectWorld, type ProjectWorld } from '../../support/project-world.ts';
import { sandboxOf } from '../../support/sandboxes.ts';
import { until } from '../../support/until.ts';

let world: ProjectWorld;
afterEach(() => world.remove());

const control = (): StepControl => ({
  detached: new AbortController().signal,
  ended: new AbortController().signal,
});

/** A world in which two tasks change `a.txt`, and whose configuration has one driver. */
async function worldWith(driver: object, one = 'echo A > a.txt', two = 'echo B > a.txt'): Promise<void> {
  world = await projectWorld({ one, two }, { merge: { drivers: [driver] } });
}

/** What an agent's attempt at a task came to. */
async function finished(task: string): Promise<TrainMember> {
  const { attempt, made, result } = await takeTurn(world, task);
  return { ...trainMember(task), run: world.run, attempt: attempt.attempt, commit: result.commit, base: made.base };
}

async function mergedOnto(tip: string, member: TrainMember, attended = control()): Promise<MergeResult> {
  const { host, run } = world;
  const note = { project: run.project, run: run.run, task: member.task, attempt: member.attempt };
  const message = mergeMessage({ ...note, digest: 'ab'.repeat(32), name: member.name, description: undefined });
  return await mergeCandidate({
    ...{
      bare: await host.bare(run.repository),
      tip,
      commit: member.commit,
      message,
      author: OUR_IDENTITY,
    },
    ...(await memberMergeOptions({ host, run, member, control: attended })),
  });
}

/** Both tasks have worked, and the first one is merged. */
async function worked(): Promise<{ tip: string; member: TrainMember }> {
  const [first, member] = [await finished('one'), await finished('two')];
  const merge = await mergedOnto(first.base, first);
  if (merge.kind !== 'merged') throw new Error(merge.kind);
  return { tip: merge.commit, member };
}

async function both(): Promise<MergeResult> {
  const { tip, member } = await worked();
  return await mergedOnto(tip, member);
}

async function fileOf(result: MergeResult, file = 'a.txt'): Promise<string> {
  if (result.kind !== 'merged') throw new Error(JSON.stringify(result));
  const bare = await world.host.bare(world.run.repository);
  return (await bare.git(['show', `${result.commit}:${file}`])).stdout.toString();
}

/** The names of the commands' steps. */
function steps(): string[] {
  return readdirSync(world.home.steps).filter((name) => name.includes('..merge-'));
}

/** Waits for a step, other than one, that says that it has begun. */
async function begun(but?: string): Promise<string> {
  const says = (step: string): string => {
    const file = path.join(world.home.steps, step, 'stdout');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  return await until(() => steps().find((step) => step !== but && says(step) === 'begun\n'));
}

/** Takes all three versions, and lists what else there is. */
const TOOL =
  'cat "$SIGNALBOX_MERGE_BASE" "$SIGNALBOX_MERGE_OURS" "$SIGNALBOX_MERGE_THEIRS" > "$SIGNALBOX_MERGE_PATH"; ' +
  'ls >> "$SIGNALBOX_MERGE_PATH"';

describe('a command that merges files', () => {
  test('finds the three versions and the merged tree, and what it writes is the merge', async () => {
    const more = (by: string): string => `echo ${by} > a.txt; echo ${by} > ${by}`;
    await worldWith({ paths: ['*.txt'], command: TOOL }, more('A'), more('B'));
    const result = await both();
    expect(await fileOf(result)).toBe('one\nA\nB\nA\nB\na.txt\n');
    expect([await fileOf(result, 'A'), await fileOf(result, 'B')]).toEqual(['A\n', 'B\n']);
  });

  test('finds an empty base for a file that both added', async () => {
    const command =
      'cat "$SIGNALBOX_MERGE_OURS" "$SIGNALBOX_MERGE_THEIRS" > new.lock; test ! -s "$SIGNALBOX_MERGE_BASE"';
    await worldWith({ paths: ['*.lock'], command }, 'echo A > new.lock', 'echo B > new.lock');
    expect(await fileOf(await both(), 'new.lock')).toBe('A\nB\n');
  });

  test('runs also where git could have merged the lines', async () => {
    await worldWith({ paths: ['a.txt'], command: 'echo mine > a.txt' }, 'sed -i "1s/.*/A/" a.txt', 'echo B >> a.txt');
    world.write('a.txt', '1\n2\n3\n4\n5\n');
    world.git('commit', '-qam', 'longer');
    expect(await fileOf(await both())).toBe('mine\n');
  });

  test('does not run where only one side changed the file', async () => {
    await worldWith({ paths: ['a.txt'], command: 'echo mine > a.txt' }, 'echo A > a.txt', 'echo B > b.md');
    expect(await fileOf(await both())).toBe('A\n');
    expect(steps()).toEqual([]);
  });

  test('may leave the line endings of the checkout: those of the history stay', async () => {
    const one = 'echo A > a.txt; echo "*.txt text eol=crlf" > .gitattributes';
    await worldWith({ paths: ['a.txt'], command: 'printf "both\\r\\n" > a.txt' }, one);
    expect(await fileOf(await both())).toBe('both\n');
  });

  test('is not run again when the merge is made again, as after a crash', async () => {
    await worldWith({ paths: ['a.txt'], command: 'date +%s%N > a.txt' });
    const { tip, member } = await worked();
    const result = await mergedOnto(tip, member);
    expect(await mergedOnto(tip, member)).toEqual(result);
    expect(steps()).toHaveLength(1);
  });

  test('is attached to after its worker let go, is ended when that is asked for, and then begins anew', async () => {
    await worldWith({
      paths: ['a.txt'],
      command: 'echo begun; until test -e "$HOME/../go"; do sleep 0.05; done; echo both > a.txt',
    });
    const { tip, member } = await worked();
    const detached = new AbortController();
    const first = mergedOnto(tip, member, { ...control(), detached: detached.signal });
    const step = await begun();
    detached.abort(new Error('the worker shuts down'));
    await expect(first).rejects.toThrow('the worker shuts down');
    const ended = new AbortController();
    const second = mergedOnto(tip, member, { ...control(), ended: ended.signal });
    ended.abort(new Error('cancelled'));
    await expect(second).rejects.toThrow('cancelled');
    await world.host.sandboxOf(await world.host.manifests.manifest(world.run)).then((sandbox) => sandbox.end(step));
    const third = mergedOnto(tip, member);
    const anew = await begun(step);
    writeFileSync(path.join(world.home.steps, anew, 'go'), '');
    expect(await fileOf(await third)).toBe('both\n');
  });

  test.each([
    ['echo no way; exit 3', 'ended with exit code 3', 'no way'],
    ['echo gone; rm a.txt', 'left no file there', 'gone'],
    ['echo link; ln -sf /etc/passwd a.txt', 'left no file there', 'link'],
    ['echo slow; sleep 60', 'did not end in time', 'slow'],
  ])('that fails (%s) makes it a conflict, with its output in the evidence', async (command, how, output) => {
    await worldWith({ paths: ['a.txt'], command, timeout: '1s' });
    const result = await both();
    if (result.kind !== 'conflict') throw new Error(result.kind);
    const [file] = result.files;
    expect(file).toMatchObject({ path: 'a.txt', kind: 'driver' });
    expect(file?.description).toContain('It meets the change of task one task-one.');
    expect(file?.description.endsWith(`The command \`${command}\` ${how}.`)).toBe(true);
    expect(result.hunks).toContain(`What the command for a.txt said:\n${output}\n`);
  });

  test('does not run where other files are in conflict, too', async () => {
    const script = (by: string): string => `echo ${by} > a.txt; echo ${by} > b.md`;
    await worldWith({ paths: ['*.txt'], command: 'echo both > a.txt' }, script('A'), script('B'));
    const result = await both();
    if (result.kind !== 'conflict') throw new Error(result.kind);
    expect(result.files.map(({ kind }) => kind)).toEqual(['driver', 'added_twice']);
    expect(result.files[0]?.description).toMatch(/Its command merges it once nothing else is in conflict\.$/);
    expect(steps()).toEqual([]);
  });
});

describeWithDocker('a command that merges files in a container', () => {
  test('merges them there, without network', async () => {
    await worldWith({ paths: ['a.txt'], command: `${TOOL}; ls /sys/class/net >> a.txt; id -u >> a.txt` });
    const { tip, member } = await worked();
    jest.spyOn(world.host, 'sandboxOf').mockResolvedValue(await sandboxOf('docker', world.home));
    expect(await fileOf(await mergedOnto(tip, member))).toMatch(/^one\nA\nB\na\.txt\nlo\n[1-9]\d*\n$/);
  }, 600_000);
});
