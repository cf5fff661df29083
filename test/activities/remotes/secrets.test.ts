import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, jest, test } from '@jest/globals';
import { findToken, withoutSecret } from '../../../activities/remotes/token.ts';
import { remoteWorld, type RemoteWorld } from '../../support/remote-world.ts';
import { filesHolding, watchProcesses, writingsOf } from '../../support/token-watch.ts';

let world: RemoteWorld;
afterEach(() => world.close());

test('the token is in no file, argument, environment, answer or output, however things go', async () => {
  world = await remoteWorld({ a: 'echo two >> a.txt' }, { push: 'pull_request', integration: true });
  const { server, token, home, repository, run } = world;
  const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
  const texts = writingsOf(token);
  const said: string[] = [];
  for (const stream of [process.stdout, process.stderr]) {
    jest.spyOn(stream, 'write').mockImplementation((chunk) => said.push(String(chunk)) > 0);
  }
  server.delayMs = 60;
  const processes = watchProcesses(texts);
  const answers: unknown[] = [];
  const member = await world.finished('a');
  const { commit, tip } = await world.candidate(member);
  const round = async (): Promise<void> => {
    answers.push(await world.remote('pushTask', { run, task: 'a', commit }));
    answers.push(await world.remote('openRequest', { member, ready: true }));
    const request = { run, task: 'a', number: 100, seen: null, lookAt: null };
    answers.push(await world.remote('watchRequests', { requests: [request] }));
    answers.push(
      await world.remote('mergeRequest', { member, number: 100, head: commit, base: tip }),
      await world.remote('followRemote', { run, contains: null }),
    );
  };
  await round();
  // The same against a server that shows what it was given, with errors and cuts.
  server.cuts = { requests: 1, answers: 1 };
  const refusal = { status: 422, message: `no: Bearer ${token} ${basic}` };
  world.api.faults.push({ when: /GET .*pulls$/, answer: refusal }, { answer: 'cut' });
  await round();
  server.password = 'changed';
  await round();
  processes.stop();
  jest.restoreAllMocks();

  expect(answers).toHaveLength(15);
  expect(answers).toContainEqual(expect.objectContaining({ outcome: 'merged' }));
  expect(JSON.stringify(answers)).toContain('***');
  expect([...processes.seen].some((command) => command.includes('git-remote-http'))).toBe(true);
  expect([...processes.leaks]).toEqual([]);
  const leaking = (text: string): boolean => texts.some((secret) => text.includes(secret));
  expect(leaking(JSON.stringify(answers))).toBe(false);
  expect(said.filter(leaking)).toEqual([]);
  expect(filesHolding(home.root, texts)).toEqual([]);
  expect(filesHolding(repository, texts)).toEqual([]);
  expect(filesHolding(server.gitDir, texts)).toEqual([]);
});

test('gh is asked for the host’s token where the environment has none, and told no more than it needs', async () => {
  world = await remoteWorld({ a: 'echo two >> a.txt' }, { push: 'branch' });
  const { env, server, token, home } = world;
  delete env['GH_TOKEN'];
  const bin = path.join(home.root, '..', 'bin');
  mkdirSync(bin);
  const gh = path.join(bin, 'gh');
  const script = `#!/bin/sh\n[ "$*" = "auth token --hostname ${server.host}" ] && [ -z "$SECRET" ] && echo ${token}\n`;
  writeFileSync(gh, script);
  chmodSync(gh, 0o755);
  Object.assign(env, { PATH: `${bin}:${process.env['PATH'] ?? ''}`, SECRET: 'x' });
  expect(await findToken(server.host, env)).toEqual({ username: 'x-access-token', password: token, source: 'gh' });
  expect(await findToken('github.com', env)).toBeNull();
  const { commit } = await world.finished('a');
  expect(await world.remote('pushTask', { run: world.run, task: 'a', commit })).toMatchObject({ outcome: 'pushed' });
});

test('a text loses the secret in each form in which it is sent', async () => {
  world = await remoteWorld({}, { push: 'branch' });
  const credential = { username: 'x-access-token', password: 'a/b+c=d', source: 'GH_TOKEN' };
  const basic = Buffer.from('x-access-token:a/b+c=d').toString('base64');
  const text = `token a/b+c=d, url a%2Fb%2Bc%3Dd, header Basic ${basic}`;
  expect(withoutSecret(text, credential)).toBe('token ***, url ***, header Basic ***');
});
