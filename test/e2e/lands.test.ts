import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunDescription } from '../../core/description.ts';
import type { TaskDetails } from '../../workers/runs/describe-task.ts';
import { CliWorld } from '../support/cli.ts';

const PATIENCE = 120_000;
const AGENT = 'cat >/dev/null; echo "$SIGNALBOX_RUN_ID" > "$SIGNALBOX_TASK_ID.txt"';

let world: CliWorld;

beforeAll(() => {
  world = new CliWorld().init();
  world.config(
    `agent: { provider: command, command: ${JSON.stringify(AGENT)} }\n` +
      'checks: { doctor: "test -e README.md" }\n' +
      'merge:\n  style: squash\n  author: Build Bot <bot@example.org>\n  committer: user\n' +
      '  co_author: Helper <helper@example.org>\n',
  );
  for (const id of ['a', 'b']) world.task(id, `files: { writes: [${id}.txt] }`);
  world.commit('tasks');
  // Their git signs from now on, by their global settings.
  const key = path.join(world.root, 'id');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const signers = path.join(world.root, 'signers');
  writeFileSync(signers, `ada@example.org ${readFileSync(`${key}.pub`, 'utf8')}`);
  const settings = `[gpg]\nformat = ssh\n[gpg "ssh"]\nallowedSignersFile = ${signers}\n[user]\nsigningkey = ${key}.pub\n`;
  writeFileSync(path.join(world.root, '.gitconfig'), `[commit]\ngpgsign = true\n${settings}`);
});

afterAll(async () => {
  world.killWorkers();
  await world.signalbox('server', 'stop');
  world.remove();
});

async function start(run: string, ...more: string[]): Promise<RunDescription> {
  const options = ['--run-id', run, '--backend', 'local', '-o', 'json', ...more];
  const { json } = await world.signalbox('run', 'start', ...options);
  expect(json).toMatchObject({ ok: true });
  return json?.result as RunDescription;
}

/** Git with the settings of the user's home. */
function git(...args: string[]): string {
  const env = { ...process.env, HOME: world.root };
  return execFileSync('git', args, { cwd: world.repository, encoding: 'utf8', env, stdio: 'pipe' }).trim();
}

describe('a task that is squashed, by a configured author and co-author, and signed', () => {
  test(
    'lands as one commit on the tip before, which verifies and says how it came there',
    async () => {
      const before = git('rev-parse', 'main');
      const run = await start('one', '--tasks', 'a');
      expect(run).toMatchObject({ status: 'completed', tasks: { a: { status: 'merged', attempts: 1 } } });
      expect(run.tasks['a']?.merged_commit).toBe(git('rev-parse', 'main'));
      expect(git('log', '-1', '--format=%P|%s|%an <%ae>|%cn <%ce>', 'main')).toBe(
        `${before}|Task a: task|Build Bot <bot@example.org>|Ada <ada@example.org>`,
      );
      git('verify-commit', 'main');
      const trailers = git('log', '-1', '--format=%(trailers:only,unfold)', 'main').split('\n');
      expect(trailers.map((line) => line.replace(/sha256:\S+/, '…'))).toEqual([
        'Signalbox-Project: demo',
        'Signalbox-Run: one',
        'Signalbox-Task: a',
        'Signalbox-Attempt: 1',
        'Signalbox-Task-Digest: …',
        "Signalbox-Check: doctor … on the task's own result",
        'Signalbox-Check: integration … on the tree that landed',
        'Co-authored-by: Helper <helper@example.org>',
      ]);
      expect([git('status', '--porcelain'), git('show', 'main:a.txt')]).toEqual(['', 'one']);
    },
    PATIENCE,
  );

  test(
    'is left out by a second run, which does the others; until it is reverted',
    async () => {
      const run = await start('two');
      expect(run).toMatchObject({
        status: 'completed',
        tasks: { a: { status: 'merged', attempts: 0, reason: 'merged by run one' }, b: { attempts: 1 } },
      });
      expect(git('log', '--format=%s', '-2', 'main').split('\n')).toEqual(['Task b: task', 'Task a: task']);
      git('revert', '--no-edit', 'HEAD^');
      const { json } = await world.signalbox('run', 'start', '--dry-run', '--backend', 'local', '-o', 'json');
      const { tasks } = json?.result as { tasks: { id: string; done: { run: string } | null }[] };
      expect(Object.fromEntries(tasks.map(({ id, done }) => [id, done?.run ?? null]))).toEqual({ a: null, b: 'two' });
    },
    PATIENCE,
  );

  test(
    'keeps what its agent wrote in its ref, also after clean',
    async () => {
      const { json } = await world.signalbox('clean', '--run', 'one', '-o', 'json');
      const { runs } = json?.result as { runs: { refs_removed: string[]; kept: string[] }[] };
      expect(runs[0]).toMatchObject({
        refs_removed: [],
        kept: [expect.stringMatching(/^refs\/signalbox\/one\/a\/1: work that was squashed \([0-9a-f]{10}\)$/)],
      });
      const details = await world.signalbox('task', 'describe', 'a', '--run', 'one', '-o', 'json');
      const { git_dir } = details.json?.result as TaskDetails;
      expect(git('--git-dir', git_dir, 'show', 'refs/signalbox/one/a/1:a.txt')).toBe('one');
      expect((await world.signalbox('task', 'diff', 'a', '--run', 'one')).stdout).toContain('+one\n');
    },
    PATIENCE,
  );
});
