import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { inspectUserRepository } from '../../../activities/git/inspect-user-repository.ts';
import { commitPolicy, MergeCommits, type MergeCommit } from '../../../activities/merge/merge-commits.ts';
import { configSchema, type Config } from '../../../core/config.ts';
import { projectWorld, type ProjectWorld } from '../../support/project-world.ts';

let world: ProjectWorld;
afterEach(() => world.remove());

const digestOf = (...commands: string[]): string =>
  createHash('sha256').update(JSON.stringify(commands)).digest('hex').slice(0, 16);

async function commitOf(config: object, frontMatter: object = {}, validators: object[] = []): Promise<MergeCommit> {
  world = await projectWorld({ a: 'true' }, config, frontMatter);
  const member = { run: world.run, task: 'a', name: 'task-a', attempt: 2 };
  return await new MergeCommits(world.host).of(member, validators as { name: string; verdict: string }[]);
}

describe('the commit that merges a task', () => {
  test('is ours, and lists the checks that had to pass for it to land, by the digests of their commands', async () => {
    const commit = await commitOf({ checks: { lint: 'lint', doctor: ['one', 'two'] } });
    expect(commit).toMatchObject({ style: 'merge', author: { name: 'Signalbox' }, committer: { name: 'Signalbox' } });
    expect(commit.signer).toBeNull();
    expect(commit.message.split('\n').filter((line) => /^Signalbox-(?:Check|Attempt)/.test(line))).toEqual([
      'Signalbox-Attempt: 2',
      `Signalbox-Check: lint sha256:${digestOf('lint')} on the task's own result`,
      `Signalbox-Check: doctor sha256:${digestOf('one', 'two')} on the task's own result`,
      `Signalbox-Check: integration sha256:${digestOf('one', 'two')} on the tree that landed`,
    ]);
  });

  test('lists no check that there is not, and the task’s own where it has some', async () => {
    const checks = { doctor: 'all', integration: [] };
    const { message } = await commitOf({ checks }, { verify: { doctor: 'mine' } });
    expect(message.match(/^Signalbox-Check: .*/gm)).toEqual([
      `Signalbox-Check: doctor sha256:${digestOf('mine')} on the task's own result`,
    ]);
  });

  test('tells nothing of what the commands hold', async () => {
    const { message } = await commitOf({ checks: { doctor: 'curl -H "token: hunter2"' } });
    expect(message).not.toContain('hunter2');
  });

  test('names validators, co-author, author and committer as it is told', async () => {
    const merge = {
      style: 'squash',
      author: 'Ada <ada@example.org>',
      committer: 'Bot <bot@example.org>',
      co_author: 'Helper <helper@example.org>',
    };
    const commit = await commitOf({ merge }, {}, [{ name: 'tests', verdict: 'passed' }]);
    expect(commit).toMatchObject({
      style: 'squash',
      author: { name: 'Ada', email: 'ada@example.org' },
      committer: { name: 'Bot', email: 'bot@example.org' },
    });
    expect(commit.message).toMatch(
      /^Task a: task-a\n\n[\s\S]*\nSignalbox-Validator: tests passed\nCo-authored-by: Helper <helper@example\.org>\n$/,
    );
  });
});

describe('the policy of a run', () => {
  const merge = (settings: object): Config['merge'] => configSchema.parse({ merge: settings }).merge;

  test('takes the user’s own name, and their key only where it may', async () => {
    world = await projectWorld({ a: 'true' });
    const home = path.join(world.home.root, 'user');
    mkdirSync(home, { recursive: true });
    const env = { HOME: home };
    writeFileSync(path.join(home, '.gitconfig'), '[commit]\ngpgsign = true\n[user]\nname = Ada\nemail = a@b\n');
    const user = await inspectUserRepository(world.repository);
    const signer = { config: { 'user.signingkey': 'Ada <a@b>' } };
    expect(await commitPolicy(merge({}), user, env)).toMatchObject({ author: { name: 'Signalbox' }, signer });
    expect(await commitPolicy(merge({ author: 'user', sign: 'off' }), user, env)).toEqual({
      author: { name: 'Ada', email: 'a@b' },
      committer: { name: 'Signalbox', email: 'signalbox@localhost' },
      signer: null,
    });
    await expect(commitPolicy(merge({ committer: 'user' }), user, { HOME: '/nowhere' })).rejects.toMatchObject({
      code: 'config',
      message: 'merge.committer is user, and git has no user.name and user.email',
    });
  });
});
