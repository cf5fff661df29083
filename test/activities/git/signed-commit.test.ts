import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { joinUserBranch, mergeCandidate, type MergeResult } from '../../../activities/git/candidate.ts';
import { signedDirectory, trySigner, type Signer } from '../../../activities/git/signed-commit.ts';
import { readUserGit } from '../../../activities/git/user-git.ts';
import { until } from '../../support/until.ts';
import { git, makeFixture, put, type Fixture } from './support.ts';

/** Is GnuPG installed here? */
const GPG = spawnSync('gpg', ['--version']).status === 0;
const testWithGpg = GPG ? test : test.skip;

const BOT = { name: 'Bot', email: 'bot@example.org' };

let fixture: Fixture;
let env: Record<string, string>;

beforeEach(async () => {
  fixture = await makeFixture();
  env = { HOME: path.join(fixture.root, 'home'), GNUPGHOME: path.join(fixture.root, 'gnupg') };
  for (const directory of Object.values(env)) mkdirSync(directory, { mode: 0o700 });
  settings({ 'user.name': 'Ada', 'user.email': 'ada@example.org', 'commit.gpgsign': 'true' });
});
afterEach(() => {
  if (GPG) run('gpgconf', '--kill', 'all');
  fixture.remove();
});

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, {
    cwd: fixture.root,
    env: { PATH: process.env['PATH'], ...env },
    stdio: 'pipe',
  }).toString();
}

/** The user's global settings. */
function settings(values: Record<string, string>): void {
  for (const [key, value] of Object.entries(values)) run('git', 'config', '--global', key, value);
}

function sshKey(name: string, passphrase = ''): string {
  const file = path.join(fixture.root, name);
  run('ssh-keygen', '-q', '-t', 'ed25519', '-N', passphrase, '-C', name, '-f', file);
  settings({ 'gpg.format': 'ssh', 'user.signingkey': `${file}.pub` });
  return readFileSync(`${file}.pub`, 'utf8').trim();
}

function gpgKey(passphrase = ''): void {
  const unasked = ['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', passphrase];
  run('gpg', ...unasked, '--quick-gen-key', 'Ada <ada@example.org>', 'ed25519', 'sign', 'never');
}

async function signer(): Promise<Signer> {
  const { signer: found } = await readUserGit(fixture.user, env);
  if (found === null) throw new Error('nothing is to be signed');
  return found;
}

let made = 0;
async function merge(tip = fixture.base, work?: string): Promise<Extract<MergeResult, { kind: 'merged' }>> {
  made += 1;
  const commit = work ?? fixture.commitFiles(tip, { [`new-${made}.txt`]: 'new\n' });
  const request = { bare: fixture.bare, tip, commit, message: 'Merge task 001: ü', author: BOT };
  const result = await mergeCandidate({ ...request, signer: await signer() });
  if (result.kind !== 'merged') throw new Error(result.kind);
  return result;
}

describe('a signed merge commit', () => {
  test('by an ssh key is what an unsigned one is, and verifies', async () => {
    const key = sshKey('id');
    const { commit } = await merge();
    const signers = path.join(fixture.root, 'signers');
    writeFileSync(signers, `ada@example.org ${key}\n`);
    settings({ 'gpg.ssh.allowedSignersFile': signers });
    run('git', '--git-dir', fixture.bare.gitDir, 'verify-commit', commit);
    expect(git(fixture.bare.gitDir, 'log', '-1', '--format=%an <%ae> %cn|%s', commit)).toBe(
      'Bot <bot@example.org> Bot|Merge task 001: ü',
    );
    const info = await fixture.bare.commitInfo(commit);
    expect(info).toMatchObject({ author: 'Bot <bot@example.org>', message: 'Merge task 001: ü\n' });
    expect(info.parents[0]).toBe(fixture.base);
    expect(git(fixture.bare.gitDir, 'fsck', '--strict')).not.toMatch(/error/);
  });

  testWithGpg('by an OpenPGP key is by the user’s, whoever the committer is, and verifies', async () => {
    gpgKey();
    const { commit } = await merge();
    run('git', '--git-dir', fixture.bare.gitDir, 'verify-commit', commit);
    expect(run('git', '--git-dir', fixture.bare.gitDir, 'log', '-1', '--format=%cn, %GS', commit)).toBe(
      'Bot, Ada <ada@example.org>\n',
    );
  });

  testWithGpg('by an X.509 certificate verifies', async () => {
    const { GNUPGHOME: home = '' } = env;
    const wish = 'Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign\nSerial: random\nName-DN: CN=Ada\n';
    put(home, { wish: `${wish}Name-Email: ada@example.org\n`, 'gpgsm.conf': 'disable-crl-checks\n', empty: '\n' });
    const unasked = '--batch --pinentry-mode loopback --passphrase-fd 3 3<empty';
    run(
      'sh',
      '-c',
      `cd ${home} && gpgsm ${unasked} --generate-key wish >pem 2>log && gpgsm --quiet --import pem 2>log`,
    );
    const [, fingerprint = ''] = /^fpr:+([0-9A-F]+)/m.exec(run('gpgsm', '--list-secret-keys', '--with-colons')) ?? [];
    put(home, { 'trustlist.txt': `${fingerprint} S relax\n` });
    run('gpgconf', '--kill', 'gpg-agent');
    settings({ 'gpg.format': 'x509', 'user.signingkey': 'ada@example.org' });
    const { commit } = await merge();
    run('git', '-c', 'gpg.format=x509', '--git-dir', fixture.bare.gitDir, 'verify-commit', commit);
    expect(git(fixture.bare.gitDir, 'cat-file', 'commit', commit)).toContain('-----BEGIN SIGNED MESSAGE-----');
  });

  test('made again is the same one; with another key it is another one', async () => {
    // ECDSA signatures of the same text differ.
    run('ssh-keygen', '-q', '-t', 'ecdsa', '-N', '', '-f', path.join(fixture.root, 'ecdsa'));
    settings({ 'gpg.format': 'ssh', 'user.signingkey': path.join(fixture.root, 'ecdsa.pub') });
    const work = fixture.commitFiles(fixture.base, { 'x.txt': 'x\n' });
    const [first, meanwhile] = await Promise.all([merge(fixture.base, work), merge(fixture.base, work)]);
    expect(meanwhile).toEqual(first);
    expect(await merge(fixture.base, work)).toEqual(first);
    expect(readdirSync(signedDirectory(fixture.bare.gitDir))).toHaveLength(1);
    sshKey('another');
    expect((await merge(fixture.base, work)).commit).not.toBe(first.commit);
  });

  test('joins the user’s commits, too', async () => {
    sshKey('id');
    const { commit: acceptedTip } = await merge();
    put(fixture.userDirectory, { 'mine.txt': 'mine\n' });
    git(fixture.userDirectory, 'add', '-A');
    git(fixture.userDirectory, 'commit', '-q', '-m', 'Mine');
    const userTip = await fixture.bare.importBranch(fixture.user, 'main');
    const request = { bare: fixture.bare, branch: 'main', userTip, acceptedTip, author: BOT, signer: await signer() };
    const joined = await joinUserBranch(request);
    if (joined.kind !== 'candidate') throw new Error(joined.kind);
    expect(git(fixture.bare.gitDir, 'cat-file', 'commit', joined.commit)).toContain('-----BEGIN SSH SIGNATURE-----');
    expect(await joinUserBranch(request)).toEqual(joined);
  });
});

describe('a key that nobody unlocks', () => {
  const LOCKED = {
    code: 'environment',
    retryable: true,
    message: expect.stringContaining('waits for somebody to unlock it'),
    hint: expect.stringContaining('merge.sign: off'),
  };

  test('of ssh fails with that reason, and asks nobody', async () => {
    sshKey('id', 'a passphrase');
    await expect(merge()).rejects.toMatchObject(LOCKED);
    await expect(trySigner(await signer())).rejects.toMatchObject(LOCKED);
  });

  testWithGpg('of OpenPGP fails with that reason, and asks nobody', async () => {
    gpgKey('a passphrase');
    run('gpgconf', '--kill', 'gpg-agent');
    await expect(merge()).rejects.toMatchObject(LOCKED);
  });

  test('but is there for whom an agent has unlocked it', async () => {
    const key = sshKey('id');
    const socket = path.join(fixture.root, 'agent');
    const started = run('ssh-agent', '-a', socket);
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(started)?.[1]);
    try {
      env['SSH_AUTH_SOCK'] = socket;
      run('ssh-add', '-q', path.join(fixture.root, 'id'));
      settings({ 'user.signingkey': `key::${key}` });
      await trySigner(await signer());
    } finally {
      process.kill(pid);
    }
  });
});

test('whoever stops waiting for a signature ends the programs that make it, too', async () => {
  const note = path.join(fixture.root, 'pid');
  const program = path.join(fixture.root, 'slow-gpg');
  writeFileSync(program, `#!/bin/sh\nsleep 100 &\necho $! > ${note}\nwait\n`, { mode: 0o755 });
  settings({ 'gpg.program': program });
  const stop = new AbortController();
  const commit = fixture.commitFiles(fixture.base, { 'x.txt': 'x\n' });
  const request = { bare: fixture.bare, tip: fixture.base, commit, message: 'Merge', author: BOT, signal: stop.signal };
  const merging = mergeCandidate({ ...request, signer: await signer() });
  const pid = Number(await until(() => existsSync(note) && readFileSync(note, 'utf8').trim()));
  stop.abort(new Error('enough'));
  await expect(merging).rejects.toThrow('enough');
  await until(() => !isAlive(pid));
});

describe('a key that is not there', () => {
  test.each([
    ['ssh', /needs to be configured/],
    ['openpgp', GPG ? /No secret key/ : /cannot run gpg/],
    ['x509', /No public key|cannot run gpgsm/],
  ])('of %s fails with what the program says, and is not tried again', async (format, said) => {
    settings({ 'gpg.format': format });
    await expect(trySigner(await signer())).rejects.toMatchObject({
      code: 'environment',
      retryable: false,
      message: expect.stringMatching(said),
      hint: 'See whether "git commit -S" works there, or set merge.sign: off.',
    });
  });
});

describe('the user’s own settings', () => {
  const facts = async () => await readUserGit(fixture.user, env);
  const local = (...args: string[]): string => git(fixture.userDirectory, 'config', ...args);

  test('are those of their repository before their global ones', async () => {
    settings({ 'user.signingkey': 'GLOBAL', 'gpg.program': '/usr/bin/gpg2' });
    expect(await facts()).toMatchObject({
      identity: { name: 'Ada', email: 'ada@example.org' },
      signer: { config: { 'user.signingkey': 'GLOBAL', 'gpg.program': '/usr/bin/gpg2' } },
    });
    local('user.signingkey', 'LOCAL');
    local('user.email', 'ada@work.example.org');
    expect(await facts()).toMatchObject({
      identity: { email: 'ada@work.example.org' },
      signer: { config: { 'user.signingkey': 'LOCAL' } },
    });
    local('commit.gpgsign', 'off');
    expect((await facts()).signer).toBeNull();
    writeFileSync(path.join(env['HOME'] ?? '', '.gitconfig'), '[commit]\n\tgpgsign\n');
    local('--unset', 'commit.gpgsign');
    expect(await facts()).toMatchObject({ identity: null, signer: { config: { 'user.signingkey': 'LOCAL' } } });
  });

  test('say nothing about a signature where there are none', async () => {
    env['HOME'] = path.join(fixture.root, 'nowhere');
    expect(await facts()).toEqual({ identity: null, signer: null });
  });

  testWithGpg(
    'do not count where they lie in a work tree, even through a link or an include: agents’ work lands there',
    async () => {
      const fired = path.join(fixture.root, 'fired');
      const evil = path.join(fixture.userDirectory, 'evil.sh');
      put(fixture.userDirectory, {
        'evil.sh': `#!/bin/sh\ntouch ${fired}\n`,
        'team.gitconfig': `[gpg]\n\tprogram = ${evil}\n[user]\n\temail = mallory@example.org\n`,
      });
      run('chmod', '+x', evil);
      local('include.path', '../team.gitconfig');
      const link = path.join(fixture.root, 'linked.gitconfig');
      symlinkSync(path.join(fixture.userDirectory, 'team.gitconfig'), link);
      settings({ 'include.path': link });
      gpgKey();
      const { identity, signer: found } = await facts();
      expect([identity?.email, found?.config]).toEqual([
        'ada@example.org',
        { 'user.signingkey': 'Ada <ada@example.org>' },
      ]);
      await trySigner(await signer());
      await merge();
      expect(existsSync(fired)).toBe(false);
    },
  );

  test.each([
    ['gpg.program', './sign.sh'],
    ['gpg.ssh.program', '<tree>/sign.sh'],
    ['gpg.ssh.defaultKeyCommand', '<tree>/key.sh --now'],
  ])('may not name a program of the repository (%s = %s)', async (key, value) => {
    local(key, value.replace('<tree>', fixture.userDirectory));
    await expect(facts()).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringContaining(`commits cannot be signed: ${key.toLowerCase()} names a program`),
    });
  });
});

function isAlive(pid: number): boolean {
  // One that has ended and that nobody has asked about yet is a zombie.
  const stat = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)])
    .stdout.toString()
    .trim();
  return stat !== '' && !stat.startsWith('Z');
}
