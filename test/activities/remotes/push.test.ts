import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { PushAnswer } from '../../../core/remote.ts';
import type { TrainMember } from '../../../core/train.ts';
import { remoteWorld, type RemoteWorld } from '../../support/remote-world.ts';

const BRANCH = 'signalbox/r1/a';

let world: RemoteWorld;
let member: TrainMember;

async function begin(remote: object = { push: 'branch', integration: true }): Promise<void> {
  world = await remoteWorld({ a: 'echo two >> a.txt' }, remote);
  member = await world.finished('a');
}
beforeEach(() => begin());
afterEach(() => world.close());

const push = (commit = member.commit): Promise<PushAnswer> =>
  world.remote('pushTask', { run: world.run, task: 'a', commit });
const land = async (): Promise<string> => {
  const candidate = await world.candidate(member);
  await world.advance(candidate, member);
  return candidate.commit;
};
const requests = (): string[] => world.server.log.map(({ what }) => what);

describe('the branch of a task', () => {
  test('is pushed with the token, and a second time is nothing', async () => {
    expect(await push()).toEqual({ outcome: 'pushed', branch: BRANCH, commit: member.commit });
    expect(world.far('rev-parse', BRANCH)).toBe(member.commit);
    world.server.log.length = 0;
    expect(await push()).toEqual({ outcome: 'already', branch: BRANCH, commit: member.commit });
    expect(requests().filter((what) => what.includes('receive-pack'))).toEqual([]);
  });

  test('takes a later commit of the same task, also one that does not follow the first', async () => {
    await push();
    const { commit } = await world.candidate(member);
    expect(await push(commit)).toMatchObject({ outcome: 'pushed', commit });
    // Another attempt's commit, which the one there is no ancestor of.
    expect(await push(member.commit)).toMatchObject({ outcome: 'pushed', commit: member.commit });
    expect(world.far('rev-parse', BRANCH)).toBe(member.commit);
  });

  test('that somebody else pushed to is left as it is, and told', async () => {
    await push();
    const theirs = world.elsewhere('theirs.txt', BRANCH);
    const { commit } = await world.candidate(member);
    expect(await push(commit)).toMatchObject({
      outcome: 'refused',
      reason: `somebody else pushed to ${BRANCH} on origin: it holds ${theirs.slice(0, 10)}, which Signalbox did not make`,
    });
    expect(world.far('rev-parse', BRANCH)).toBe(theirs);
  });

  test('is pushed after a pack was cut off in the middle', async () => {
    world.server.cuts.requests = 1;
    expect(await push()).toMatchObject({ outcome: 'pushed' });
    expect(world.far('rev-parse', BRANCH)).toBe(member.commit);
  });

  test('counts as pushed if only the answer was lost', async () => {
    world.server.cuts.answers = 1;
    expect(['pushed', 'already']).toContain((await push()).outcome);
    expect(world.far('rev-parse', BRANCH)).toBe(member.commit);
  });

  test('is told as not pushed when the line breaks each time', async () => {
    world.server.cuts.requests = 100;
    expect(await push()).toMatchObject({ outcome: 'refused', passing: true });
    expect(world.api.state.tip(BRANCH)).toBeNull();
  });
});

describe('the integration branch', () => {
  test('follows the accepted tip by fast-forward', async () => {
    const commit = await land();
    expect(await world.remote('pushIntegration', { run: world.run })).toMatchObject({ outcome: 'pushed', commit });
    expect(world.far('rev-parse', 'main')).toBe(commit);
    expect(await world.remote('pushIntegration', { run: world.run })).toMatchObject({ outcome: 'already' });
  });

  test('that has moved on the remote is not forced: it is told, and pushed once it was brought over', async () => {
    const theirs = world.elsewhere('theirs.txt');
    await land();
    expect(await world.remote('pushIntegration', { run: world.run })).toEqual({
      outcome: 'refused',
      reason: `main on origin is at ${theirs.slice(0, 10)}, which main here does not contain`,
      hint: 'Bring it over ("git pull origin main"): it is pushed at the next landing.',
      passing: true,
    });
    expect(world.far('rev-parse', 'main')).toBe(theirs);
    world.git('fetch', '-q', world.server.gitDir, 'main');
    world.git('merge', '-q', '--no-edit', 'FETCH_HEAD');
    await world.advance(await world.candidate());
    expect(await world.remote('pushIntegration', { run: world.run })).toMatchObject({ outcome: 'pushed' });
    expect(world.far('rev-parse', 'main')).toBe(world.git('rev-parse', 'main'));
  });

  test('that the remote’s own rules refuse is told in its words', async () => {
    world.far('config', 'receive.denyDeletes', 'true');
    world.far('config', 'transfer.hideRefs', 'refs/heads/main');
    await land();
    expect(await world.remote('pushIntegration', { run: world.run })).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/^origin refused main: .*hidden/),
      passing: false,
    });
  });

  test('stays where it is unless the configuration asks for it', async () => {
    await world.close();
    await begin({ push: 'branch' });
    await land();
    expect(await world.remote('pushIntegration', { run: world.run })).toEqual({ outcome: 'off' });
  });
});

describe('what the server says against the token', () => {
  test('none: the variable that is missing is named', async () => {
    delete world.env['GH_TOKEN'];
    expect(await push()).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining(`wants a token, and there is none for ${world.server.host}`),
      hint: expect.stringContaining('Set GH_TOKEN'),
      passing: false,
    });
  });

  test('a wrong one: it is asked once, and told where it came from', async () => {
    world.env['GH_TOKEN'] = 'wrong-token';
    const answer = await push();
    expect(answer).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('does not take the token from GH_TOKEN'),
      passing: false,
    });
    expect(JSON.stringify(answer)).not.toContain('wrong-token');
    // Git asks without a token first.
    expect(world.server.log.map(({ status }) => status)).toEqual([401, 401]);
  });

  test('one that may only read: the right that it lacks is named', async () => {
    world.server.reader = 'reads-only';
    world.env['GH_TOKEN'] = 'reads-only';
    expect(await push()).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('does not let GH_TOKEN do that'),
      hint: expect.stringContaining('right to write contents'),
      passing: false,
    });
  });

  test('one in the remote’s URL is used, and never shown', async () => {
    delete world.env['GH_TOKEN'];
    const url = (password: string): string => `http://ada:${password}@${world.server.host}/team/project.git`;
    world.git('remote', 'set-url', 'origin', url(world.token));
    expect(await push()).toMatchObject({ outcome: 'pushed' });
    world.git('remote', 'set-url', 'origin', url('another-one'));
    const { commit } = await world.candidate(member);
    const refusal = await push(commit);
    expect(refusal).toMatchObject({ reason: expect.stringContaining('from the URL of origin') });
    expect(JSON.stringify(refusal)).not.toMatch(/another-one|ada:/);
  });

  test('GitHub’s own token goes to no other host', async () => {
    delete world.env['GITHUB_SERVER_URL'];
    expect(await push()).toMatchObject({
      outcome: 'refused',
      hint: expect.stringContaining('Set GH_ENTERPRISE_TOKEN'),
    });
    world.env['GH_ENTERPRISE_TOKEN'] = world.token;
    expect(await push()).toMatchObject({ outcome: 'pushed' });
  });
});

test('a remote that is not there, or of another kind, is told', async () => {
  world.git('remote', 'set-url', 'origin', 'http://example.org/team/project.git');
  expect(await push()).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('plain http') });
  world.git('remote', 'set-url', 'origin', 'ext::sh -c whatever');
  expect(await push()).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('of a kind') });
  world.git('remote', 'remove', 'origin');
  expect(await push()).toMatchObject({ outcome: 'refused', reason: 'the repository has no remote origin' });
});

test('ssh goes by the user’s own command, which needs no token and is given none', async () => {
  const root = path.dirname(path.dirname(world.server.gitDir));
  const ssh = path.join(root, 'my-ssh');
  writeFileSync(ssh, `#!/bin/sh\necho "$@" >> ${ssh}.log; env >> ${ssh}.log; shift; cd ${root} && exec sh -c "$*"\n`);
  chmodSync(ssh, 0o755);
  Object.assign(world.env, { GIT_SSH_COMMAND: ssh, GIT_SSH_VARIANT: 'simple' });
  world.git('remote', 'set-url', 'origin', 'git@forge.test:team/project.git');
  expect(await push()).toMatchObject({ outcome: 'pushed' });
  delete world.env['GH_TOKEN'];
  const { commit } = await world.candidate(member);
  expect(await push(commit)).toMatchObject({ outcome: 'pushed' });
  expect(world.far('rev-parse', BRANCH)).toBe(commit);
  const log = readFileSync(`${ssh}.log`, 'utf8');
  expect(log).toContain("git@forge.test git-receive-pack 'team/project.git'");
  expect(log).not.toContain(world.token);
});

test('a path is a remote too', async () => {
  world.git('remote', 'set-url', 'origin', world.server.gitDir);
  expect(await push()).toMatchObject({ outcome: 'pushed' });
  expect(world.server.log).toEqual([]);
});

test('settings of a remote that lie in the work tree, where the work of agents lands, are not followed', async () => {
  const elsewhere = path.join(path.dirname(world.server.gitDir), 'elsewhere.git');
  execFileSync('git', ['init', '-q', '--bare', elsewhere]);
  world.git('config', 'include.path', '../.gitconfig');
  writeFileSync(
    path.join(world.git('rev-parse', '--show-toplevel').trim(), '.gitconfig'),
    `[remote "origin"]\n\tpushurl = ${elsewhere}\n`,
  );
  expect(await push()).toMatchObject({
    outcome: 'refused',
    reason: expect.stringMatching(/the work of agents can change remote\.origin\.pushurl in .*\.gitconfig/) as unknown,
    hint: expect.stringContaining('outside of the work tree') as unknown,
  });
  expect(readdirSync(path.join(elsewhere, 'refs/heads'))).toEqual([]);
});
