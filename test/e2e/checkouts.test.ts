import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import { CliProcess } from '../support/cli-process.ts';
import { CliWorld, type CliResult } from '../support/cli.ts';
import { until } from '../support/until.ts';

const PATIENCE = 120_000;

let world: CliWorld;

beforeAll(() => {
  world = new CliWorld().init();
  mkdirSync(path.join(world.root, 'agents'));
  const command = `cat > /dev/null; . ${world.root}/agents/$SIGNALBOX_RUN_ID.sh`;
  world.config(
    `agent: { provider: command, command: ${JSON.stringify(command)} }\nchecks: { doctor: "true" }\nrun: { attempts: 1 }\n`,
  );
  world.task('001', 'files: { writes: ["**"] }').task('002', 'depends_on: ["001"]\nfiles: { writes: ["**"] }');
  world.task('003', 'files: { writes: ["log.txt"] }').commit('tasks');
});

afterAll(async () => {
  world.killWorkers();
  await world.signalbox('server', 'stop');
  world.remove();
});

/** What the agents of a run do, as a shell script. */
function agents(run: string, script: string): void {
  writeFileSync(path.join(world.root, 'agents', `${run}.sh`), `${script}\n`);
}

async function start(run: string, tasks = '001,002'): Promise<CliResult> {
  return await world.signalbox(
    ...['run', 'start', '--run-id', run, '--tasks', tasks, '--no-reuse', '--backend', 'local', '-o', 'json'],
  );
}

function resultOf({ json }: CliResult): RunDescription {
  return json?.result as RunDescription;
}

/** Everything of the user's repository but objects, and the branch under which accepted work is shown. */
function everything(): string {
  const hash = createHash('sha256');
  const visit = (directory: string): void => {
    for (const name of readdirSync(path.join(world.repository, directory)).sort()) {
      const file = path.join(directory, name);
      if (['.git/objects', '.git/refs/remotes', '.git/logs/refs/remotes'].includes(file)) continue;
      const stat = lstatSync(path.join(world.repository, file));
      hash.update(`${file}\0${stat.mode}\0`);
      if (stat.isDirectory()) visit(file);
      else if (stat.isSymbolicLink()) hash.update(readlinkSync(path.join(world.repository, file)));
      else hash.update(readFileSync(path.join(world.repository, file)));
    }
  };
  visit('');
  return hash.digest('hex');
}

/** Runs two tasks, the second on the first's result, while something holds the checkout back. */
async function expectHeldBack(run: string, why: RegExp): Promise<void> {
  agents(run, `test $SIGNALBOX_TASK_ID = 001 || test -e ${run}-001.txt; touch ${run}-$SIGNALBOX_TASK_ID.txt`);
  // What git notes in the index about files that it has looked at is no change.
  world.git('status');
  const before = everything();
  const started = await start(run);
  expect(everything()).toBe(before);
  expect({ code: started.code, result: started.json?.result }).toMatchObject({
    code: 4,
    result: {
      status: 'waiting',
      reason: expect.stringMatching(why),
      tasks: { '001': { status: 'merged' }, '002': { status: 'merged' } },
    },
  });
  expect(world.git('rev-parse', 'refs/remotes/signalbox/main').trim()).toBe(resultOf(started).head_commit);
  const files = world.git('ls-tree', '--name-only', 'refs/remotes/signalbox/main').split('\n');
  expect(files).toEqual(expect.arrayContaining([`${run}-001.txt`, `${run}-002.txt`]));
}

/** The run lands by itself, and completes. */
async function expectLanded(run: string): Promise<void> {
  const watched = await until(async () => {
    const result = await world.signalbox('run', 'watch', run, '-o', 'json');
    return result.code === 4 ? null : result;
  });
  expect({ code: watched.code, result: watched.json?.result }).toMatchObject({
    code: 0,
    result: { status: 'completed' },
  });
  expect(world.git('rev-parse', 'main').trim()).toBe(resultOf(watched).head_commit);
  for (const task of ['001', '002']) expect(existsSync(path.join(world.repository, `${run}-${task}.txt`))).toBe(true);
}

describe("a user's checkout of the integration branch", () => {
  test(
    'that was changed keeps its files and its branch; what is committed there then is joined, and all lands',
    async () => {
      world.write('README.md', 'My own words.\n');
      await expectHeldBack('changed', /not clean .*; Commit or stash the changes there/);
      world.git('commit', '-q', '-a', '-m', 'my own words');
      const mine = world.git('rev-parse', 'main').trim();
      await expectLanded('changed');
      expect(world.git('merge-base', mine, 'main').trim()).toBe(mine);
      expect(readFileSync(path.join(world.repository, 'README.md'), 'utf8')).toBe('My own words.\n');
      expect(world.git('status', '--porcelain')).toBe('');
    },
    PATIENCE,
  );

  test(
    'in the middle of a rebase keeps its files and its branch, and follows when that is over',
    async () => {
      expect(() => world.git('rebase', '-q', '--force-rebase', '-x', 'false', 'HEAD~1')).toThrow();
      await expectHeldBack('rebase', /a rebase is under way .*git rebase --abort/);
      world.git('rebase', '--abort');
      await expectLanded('rebase');
      expect(world.git('status', '--porcelain')).toBe('');
    },
    PATIENCE,
  );

  test(
    'with a file in the way keeps it, and follows when it is gone',
    async () => {
      world.write('in-the-way-001.txt', 'mine');
      await expectHeldBack('in-the-way', /in-the-way-001\.txt in .* is in the way of a new file; .*remove it/);
      rmSync(path.join(world.repository, 'in-the-way-001.txt'));
      await expectLanded('in-the-way');
      expect(world.git('status', '--porcelain')).toBe('');
    },
    PATIENCE,
  );

  test(
    'that gets commits while agents work follows with these and theirs',
    async () => {
      const hold = path.join(world.root, 'hold');
      writeFileSync(hold, '');
      agents('commits', `while test -e ${hold}; do sleep 0.1; done; touch commits-$SIGNALBOX_TASK_ID.txt`);
      const run = new CliProcess(
        world,
        ...['run', 'start', '--run-id', 'commits', '--tasks', '001'],
        ...['--no-reuse', '--backend', 'local'],
      );
      await run.says(/001 task {2}working/);
      world.write('mine.txt', 'mine').commit('mine');
      const mine = world.git('rev-parse', 'main').trim();
      rmSync(hold);
      expect((await run.ended).code).toBe(0);
      expect(world.git('merge-base', mine, 'main').trim()).toBe(mine);
      expect(readdirSync(world.repository)).toEqual(expect.arrayContaining(['mine.txt', 'commits-001.txt']));
      expect(world.git('status', '--porcelain')).toBe('');
    },
    PATIENCE,
  );
});

test(
  'two runs at once with clashing tasks merge each of them once',
  async () => {
    for (const run of ['left', 'right']) agents(run, 'echo "$SIGNALBOX_RUN_ID $SIGNALBOX_TASK_ID" >> log.txt');
    const ends = await Promise.all(['left', 'right'].map((run) => start(run, '001,002,003')));
    expect(ends.map(({ code }) => code)).toEqual([0, 0]);
    const lines = readFileSync(path.join(world.repository, 'log.txt'), 'utf8').trim().split('\n');
    const all = ['left', 'right'].flatMap((run) => ['001', '002', '003'].map((task) => `${run} ${task}`));
    expect(lines.sort()).toEqual(all);
    for (const end of ends) {
      const tasks = Object.values(resultOf(end).tasks);
      expect(tasks.map(({ status, attempts }) => ({ status, attempts }))).toEqual(
        Array(3).fill({ status: 'merged', attempts: 1 }),
      );
    }
    expect(world.git('status', '--porcelain')).toBe('');
  },
  PATIENCE,
);

test(
  'an agent that plants hooks, monitors, filters and repositories runs nothing on the host, and its work merges',
  async () => {
    const canary = path.join(world.root, 'canary');
    agents(
      'hostile',
      `
evil=${world.root}/evil.sh
printf '#!/bin/sh\\necho "$0 $*" >> ${canary}\\ncat\\n' > $evil
chmod +x $evil
infect() {
  mkdir -p $1/hooks
  for hook in applypatch-msg pre-commit post-commit pre-merge-commit post-merge post-checkout post-index-change \\
    pre-push pre-receive update post-receive post-update push-to-checkout reference-transaction fsmonitor-watchman; do
    cp $evil $1/hooks/$hook
  done
  cat >> $1/config <<END
[core]
	fsmonitor = $evil
	hooksPath = $1/hooks
	sshCommand = $evil
	pager = $evil
	editor = $evil
	alternateRefsCommand = $evil
[filter "evil"]
	clean = $evil
	smudge = $evil
	process = $evil
	required = true
[diff "evil"]
	command = $evil
	textconv = $evil
[merge "evil"]
	driver = $evil
[uploadpack]
	packObjectsHook = $evil
[credential]
	helper = $evil
END
  mkdir -p $1/info
  echo '* filter=evil diff=evil merge=evil' > $1/info/attributes
}
git init -q nested
infect $PWD/nested/.git
echo inside > nested/file.txt
cp -r nested ${world.root}/infected
infect $PWD/.git
cp $PWD/.git/config $HOME/.gitconfig
mv .git elsewhere.git
ln -s elsewhere.git .git
echo '* filter=evil diff=evil merge=evil' > .gitattributes
printf '[submodule "nested"]\\n\\tpath = nested\\n\\turl = ext::%s\\n\\tupdate = !%s\\n' $evil $evil > .gitmodules
echo good > good.txt
`,
    );
    const started = await start('hostile', '001');
    expect({ code: started.code, error: started.json?.error, result: started.json?.result }).toMatchObject({ code: 0 });
    expect(existsSync(path.join(world.root, 'evil.sh'))).toBe(true);
    expect(existsSync(canary) ? readFileSync(canary, 'utf8') : '').toBe('');
    const files = world.git('ls-files').split('\n');
    expect(files).toEqual(expect.arrayContaining(['good.txt', 'nested/file.txt', '.gitattributes']));
    expect(files.filter((file) => /(^|\/)\.git\//i.test(file))).toEqual([]);
    expect(readFileSync(path.join(world.repository, 'good.txt'), 'utf8')).toBe('good\n');
    // What it planted is no dud: anybody else's git runs it.
    spawnSync('git', ['status'], { cwd: path.join(world.root, 'infected'), timeout: 60_000 });
    expect(readFileSync(canary, 'utf8')).toContain('evil.sh');
  },
  PATIENCE,
);
