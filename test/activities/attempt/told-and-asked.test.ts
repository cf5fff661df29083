import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, test } from '@jest/globals';
import { definitionKey } from '../../../activities/checks/check-definition.ts';
import { sealInput } from '../../../activities/inputs/task-inputs.ts';
import type { TurnResult } from '../../../core/activities.ts';
import { prepare, turnInput, type Prepared } from '../../support/attempts.ts';
import { projectWorld, type ProjectWorld } from '../../support/project-world.ts';
import { filesWith } from '../../support/secret-steps.ts';

let world: ProjectWorld;
afterEach(() => world.remove());

const prepared = (): Promise<Prepared> => prepare(world, 'a');
const turn = (of: Prepared, more: Parameters<typeof turnInput>[1] = {}): Promise<TurnResult> =>
  world.task('turn', turnInput(of, more));

async function show(commit: string, file: string): Promise<string> {
  const bare = await world.host.bare(world.run.repository);
  return (await bare.git(['show', `${commit}:${file}`])).stdout.toString();
}

describe('a turn tells', () => {
  test('what its work changed, and what of it lies outside of the claims and of what it got since', async () => {
    world = await projectWorld(
      { a: 'mkdir -p src lib; echo 1 > src/x.js; echo 1 > lib/y.js; echo 1 > lib/[z].js; rm -f a.txt' },
      {},
      { files: { writes: ['src/**'] } },
    );
    const { attempt, made } = await prepared();
    const result = await turn({ attempt, made });
    expect(result.undeclared).toEqual(['a.txt', 'lib/\\[z\\].js', 'lib/y.js']);
    expect(result.changes).toBe(
      ' a.txt | +0 -1\n lib/[z].js | +1 -0\n lib/y.js | +1 -0\n src/x.js | +1 -0\n 4 files changed, +3 -1',
    );
    const more = await turn({ attempt, made }, { turn: 2, extra: ['lib/**'] });
    expect(more.undeclared).toEqual(['a.txt']);
  });

  test('nothing as undeclared where the task declares no scope, since it holds everything', async () => {
    world = await projectWorld({ a: 'echo 1 > x; rm a.txt; ln -s x a.txt' });
    const { attempt, made } = await prepared();
    expect(await turn({ attempt, made })).toMatchObject({ undeclared: [], question: null, changed: 2 });
  });

  test('what the agent asks, which no commit holds, also when the attempt is closed instead', async () => {
    const ask = 'echo work > work.txt; mkdir -p .signalbox; echo "Which one?" > .signalbox/question.md';
    world = await projectWorld({ a: ask });
    const { attempt, made } = await prepared();
    const result = await turn({ attempt, made });
    expect(result).toMatchObject({ question: 'Which one?', changed: 1 });
    expect(await turn({ attempt, made })).toEqual(result);
    const { tree } = { tree: `${world.host.attemptDirectory(attempt)}/tree` };
    spawnSync('sh', ['-c', ask], { cwd: tree });
    const { commit } = await world.task('closeAttempt', { attempt, base: made.base });
    const bare = await world.host.bare(world.run.repository);
    const { stdout } = await bare.git(['ls-tree', '-r', '--name-only', commit ?? '']);
    expect(stdout.toString()).toBe('a.txt\nwork.txt\n');
  });
});

describe('inputs that people gave', () => {
  const SECRET = 'tok-0123456789-abcdef';
  const inputs = [
    { name: 'port', prompt: 'Which port?' },
    { name: 'token', prompt: 'The token?', secret: true },
  ];

  test('reach the agent in its prompt if they are plain, and checks by the environment; a secret is stored nowhere', async () => {
    const doctor =
      'test "$(cat port.txt)" = "$SIGNALBOX_INPUT_PORT"; echo "got $SIGNALBOX_INPUT_TOKEN"; echo "$SIGNALBOX_INPUT_TOKEN" | base64 >&2; exit 4';
    world = await projectWorld(
      { a: 'cat > prompt.txt; env > env.txt; sed -n "s/.*port?): //p" prompt.txt > port.txt' },
      { checks: { doctor, lint: 'test ${#SIGNALBOX_INPUT_TOKEN} = 21 && test $SIGNALBOX_INPUT_PORT = 8080' } },
      { inputs },
    );
    const { attempt, made } = await prepared();
    const token = sealInput(world.home, { project: 'world', run: 'r1', task: 'a' }, 'token', SECRET);
    const given = { port: { value: '8080' }, token };
    const result = await turn({ attempt, made }, { inputs: given });
    expect(await show(result.commit, 'prompt.txt')).toContain('- port (Which port?): 8080\n');
    expect(await show(result.commit, 'port.txt')).toBe('8080\n');
    expect(await show(result.commit, 'env.txt')).not.toContain('SIGNALBOX_INPUT_');
    const hints = await world.task('hints', { attempt, commit: result.commit, turn: 1, inputs: given });
    expect(hints.failure).toBeNull();
    const report = await world.task('verify', {
      attempt,
      base: made.base,
      commit: result.commit,
      round: 1,
      inputs: given,
    });
    expect(report.failure).toMatchObject({ check: 'doctor', exitCode: 4 });
    expect(report.failure?.output).toMatch(/^got \*\*\*\n\*\*\*\S{0,4}$/);
    expect(filesWith(SECRET, world.home.root)).toEqual([]);
    expect(filesWith(Buffer.from(SECRET).toString('base64').slice(0, 20), world.home.root)).toEqual([]);
  });

  test('sealed for another task, run or project, or changed, they open nowhere, and the check says so', async () => {
    world = await projectWorld({ a: 'echo 1 > x' }, {}, { inputs });
    const { attempt, made } = await prepared();
    const { commit } = await turn({ attempt, made });
    const sealed = sealInput(world.home, { project: 'world', run: 'r1', task: 'a' }, 'token', SECRET);
    const changed = 'sealed' in sealed ? { sealed: `${sealed.sealed.slice(0, -2)}AA` } : sealed;
    const others = [
      sealInput(world.home, { project: 'world', run: 'r1', task: 'b' }, 'token', SECRET),
      sealInput(world.home, { project: 'world', run: 'r2', task: 'a' }, 'token', SECRET),
      sealInput(world.home, { project: 'other', run: 'r1', task: 'a' }, 'token', SECRET),
      changed,
    ];
    for (const token of others) {
      await expect(
        world.task('verify', { attempt, base: made.base, commit, round: 1, inputs: { token } }),
      ).rejects.toThrow(/a sealed value of world, r1, a, token cannot be opened here/);
    }
  });

  test('a verdict that needed them does not stand in for the check of the merged tree, which gets none', async () => {
    for (const given of [{}, { port: { value: '1' } }]) {
      world = await projectWorld({ a: 'echo 1 > x' }, { checks: { doctor: 'true' } }, { inputs });
      const { attempt, made } = await prepared();
      const { commit } = await turn({ attempt, made });
      await world.task('verify', { attempt, base: made.base, commit, round: 1, inputs: given });
      const { tree } = await (await world.host.bare(world.run.repository)).commitInfo(commit);
      const manifest = await world.host.manifests.manifest(world.run);
      const key = definitionKey(manifest, [{ name: 'doctor', command: 'true' }], world.host.env);
      const known = world.host.verdicts.find([world.run.repository.id, tree, key]);
      expect(known !== null).toBe(Object.keys(given).length === 0);
      world.remove();
    }
  });
});
