import { existsSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CliWorld } from '../support/cli.ts';

const FINE = 'agent: { provider: command, command: "true" }\nchecks: { doctor: "true" }\n';
let world: CliWorld;

beforeEach(() => {
  world = new CliWorld();
});
afterEach(() => world.remove());

/** Starts a run and expects a refusal that left no trace. */
async function refused(code: number, message: RegExp, ...argv: string[]): Promise<string> {
  const before = existsSync(`${world.repository}/.git`) ? world.git('status', '--porcelain') : '';
  const result = await world.signalbox('run', 'start', '--backend', 'local', ...argv, '-o', 'json');
  expect(result.json?.error?.message ?? result.stdout).toMatch(message);
  expect(result.code).toBe(code);
  expect(existsSync(world.home)).toBe(false);
  if (before !== '') expect(world.git('status', '--porcelain')).toBe(before);
  return result.json?.error?.hint ?? '';
}

describe('run start refuses, and starts and changes nothing:', () => {
  test('a directory without a project', async () => {
    world.init();
    expect(await refused(2, /config/)).toMatch(/init/);
  });

  test('a project outside of any repository', async () => {
    world.config(FINE).task('001');
    await refused(3, /not in a git repository/);
  });

  test('a branch that is not there', async () => {
    world.init().config(`${FINE}repository: { integration_branch: develop }\n`).task('001');
    await refused(3, /no branch develop/);
  });

  test('a branch without a commit', async () => {
    world.init(true).config(FINE).task('001');
    await refused(3, /has no commit yet/);
  });

  test('an unknown key, with its place and the nearest key', async () => {
    world.init().config(`${FINE}run: { max_paralel: 2 }\n`).task('001');
    await refused(2, /config\.yaml:\d+:\d+ .*max_paralel.*max_parallel/s);
  });

  test('task files with several errors, all of them at once', async () => {
    world.init().config(FINE).task('001', 'depends_on: ["009"]').task('002', 'colour: red');
    await refused(2, /2 problems.*009.*colour/s);
  });

  test('tasks that depend on each other in a circle', async () => {
    world.init().config(FINE).task('001', 'depends_on: ["002"]').task('002', 'depends_on: ["001"]');
    await refused(2, /circle: .*001 → 002 → 001|002 → 001 → 002/);
  });

  test('merged work that is to be signed by a key that is not there, or by nobody', async () => {
    world.init().config(FINE).task('001');
    world.git('config', 'commit.gpgsign', 'true');
    world.git('config', 'gpg.format', 'ssh');
    expect(await refused(3, /a commit cannot be signed: .*user\.signingkey/)).toContain('merge.sign: off');
    world.git('config', 'commit.gpgsign', 'false');
    world.git('config', '--unset', 'user.email');
    world.config(`${FINE}merge: { author: user }\n`);
    expect(await refused(2, /merge\.author is user, and git has no user\.name and user\.email/)).toContain(
      'git config',
    );
  });

  test('nothing that proves merged work', async () => {
    world.init().config('agent: { provider: command, command: "true" }\n').task('001');
    expect(await refused(2, /neither checks.integration nor checks.doctor/)).toMatch(/checks\.doctor/);
  });

  test('a task that nobody wrote', async () => {
    world.init().config(FINE).task('001');
    await refused(2, /no task "010".*001/s, '--tasks', '010');
  });

  test.each(['../up', 'a/b', 'a b', 'a\u0007b', 'x'.repeat(300), '-x', 'a..b', 'a.lock'])(
    'the run id %j',
    async (id) => {
      world.init().config(FINE).task('001');
      await refused(2, /run id/, `--run-id=${id}`);
    },
  );

  test('a home inside the repository', async () => {
    world.init().config(FINE).task('001');
    world.env['SIGNALBOX_HOME'] = `${world.repository}/.signalbox/home`;
    await refused(3, /inside the repository/);
  });

  test.each<[string, (place: string) => void, RegExp, RegExp]>([
    [
      'a shallow clone',
      (place) => world.git('clone', '-q', '--depth=1', `file://${world.repository}`, place),
      /is a shallow clone/,
      /git fetch --unshallow/,
    ],
    [
      'a partial clone',
      (place) => {
        world.git('config', 'uploadpack.allowFilter', 'true');
        world.git('clone', '-q', '--filter=blob:none', `file://${world.repository}`, place);
      },
      /is a partial clone/,
      /full clone/,
    ],
    [
      'object ids that are sha256',
      (place) => {
        world.git('init', '-q', '-b', 'main', '--object-format=sha256', place);
        world.git('-C', place, '-c', 'user.name=A', '-c', 'user.email=a@b', 'commit', '-q', '--allow-empty', '-m', 'x');
      },
      /uses sha256 object ids/,
      /sha1 ids/,
    ],
    [
      'refs in a reftable',
      (place) => {
        world.git('clone', '-q', world.repository, place);
        world.git('-C', place, 'config', 'core.repositoryformatversion', '1');
        world.git('-C', place, 'config', 'extensions.refstorage', 'reftable');
      },
      /reftable, which is not supported/,
      /git refs migrate/,
    ],
    [
      'grafts',
      (place) => {
        world.git('clone', '-q', world.repository, place);
        writeFileSync(`${place}/.git/info/grafts`, world.git('rev-parse', 'HEAD'));
      },
      /has grafts/,
      /convert-graft-file/,
    ],
  ])('a repository with %s', async (_, make, message, hint) => {
    world.init().config(`${FINE}repository: { path: ../kind }\n`).task('001').commit('tasks');
    make(`${world.root}/kind`);
    expect(await refused(3, message)).toMatch(hint);
  });

  test('a Temporal address that does not answer', async () => {
    world.init().config(FINE).task('001');
    world.env['TEMPORAL_ADDRESS'] = '127.0.0.1:1';
    await refused(3, /127\.0\.0\.1:1 does not answer/);
  });

  test('Docker by name where no engine answers', async () => {
    world.init().config(FINE).task('001');
    world.env['DOCKER_HOST'] = 'unix:///nonexistent/docker.sock';
    const { code, json } = await world.signalbox('run', 'start', '--backend', 'docker', '-o', 'json');
    expect({ code, error: json?.error?.code }).toEqual({ code: 3, error: 'environment' });
    expect(existsSync(world.home)).toBe(false);
  });
});

describe('run start --dry-run', () => {
  test('tells what is wrong in the prompts of the project, with places, and starts nothing', async () => {
    world.init().config(FINE).task('001');
    world.write(
      '.signalbox/prompts/task.md',
      'Do {{ task.spec }}\n{% for try in earlyer %}{{ try.sumary }}{% endfor %}\n',
    );
    world.write('.signalbox/prompts/continue.md', '{% include "task.md" %}');
    const dry = await world.signalbox('run', 'start', '--dry-run', '--backend', 'local');
    expect([dry.code, dry.stderr.trimEnd().split('\n')]).toEqual([
      2,
      [
        expect.stringContaining('2 problems in the configuration:'),
        '  .signalbox/prompts/continue.md:1:1  unknown tag "include"; a template cannot read files',
        '  .signalbox/prompts/task.md:2:15  unknown variable "earlyer"; did you mean "earlier"?',
      ],
    ]);
    await refused(2, /2 problems in the configuration/);
  });

  test('prints the tasks in the order of their dependencies and priorities, and changes nothing', async () => {
    world.init().config(FINE);
    world.task('001', 'depends_on: ["003"]').task('002', 'files: { writes: [a] }').task('003', 'priority: 5');
    const { code, json, stderr } = await world.signalbox(
      'run',
      'start',
      '--dry-run',
      '--backend',
      'local',
      '-o',
      'json',
    );
    expect(code).toBe(0);
    expect(json).toMatchObject({ ok: true, result: { dry_run: true, backend: 'local', integration_branch: 'main' } });
    const { tasks } = json?.result as { tasks: { id: string }[] };
    expect(tasks.map(({ id }) => id)).toEqual(['003', '002', '001']);
    expect(stderr).toMatch(/001, 003 declare no scope/);
    expect(existsSync(world.home)).toBe(false);
  });

  test('says what agents and checks do not see of the repository', async () => {
    world.init().config(FINE).task('001', 'files: { writes: [a] }').write('.gitattributes', '*.bin filter=lfs\n');
    world.commit('attributes');
    world.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},vendor/lib`);
    world.git('commit', '-q', '-m', 'a submodule');
    const { code, stderr } = await world.signalbox('run', 'start', '--dry-run', '--backend', 'local');
    expect(code).toBe(0);
    expect(stderr).toMatch(/files in Git LFS are pointers to agents/);
    expect(stderr).toMatch(/the submodule vendor\/lib is an empty directory/);
  });

  test('says that results are unverified when no check is wanted', async () => {
    world.init().config('agent: { provider: command, command: "true" }\nchecks: { integration: [] }\n').task('001');
    const { code, stderr } = await world.signalbox('run', 'start', '--dry-run', '--backend', 'local');
    expect(code).toBe(0);
    expect(stderr).toMatch(/unverified/);
  });

  test('names the keys that have no effect yet', async () => {
    world.init().config(`${FINE}validators: { tests: { mode: warn } }\n`).task('001', 'tdd: strict');
    const { stderr } = await world.signalbox('run', 'start', '--dry-run', '--backend', 'local');
    expect(stderr).toMatch(/no effect yet: .*validators/);
    expect(stderr).toMatch(/no effect yet: .*tdd/);
  });
});

describe('commands about runs', () => {
  test('say that no server runs, where there is none and no data of one', async () => {
    world.init().config(FINE);
    const { code, json } = await world.signalbox('run', 'list', '-o', 'json');
    expect(code).toBe(3);
    expect(json?.error?.hint).toMatch(/server start/);
    expect(existsSync(world.home)).toBe(false);
  });
});
