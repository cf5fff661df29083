import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { GitHubClient } from '../../../activities/remotes/github-client.ts';
import type { RemoteAccess } from '../../../activities/remotes/remote-access.ts';
import { gitHubServer, type GitHubServer } from '../../support/github-server.ts';

const access: RemoteAccess = {
  name: 'origin',
  remote: {
    ...{ protocol: 'https', host: 'github.com', url: 'https://github.com/team/project.git' },
    repository: { owner: 'team', name: 'project' },
  },
  host: 'github.com',
  credential: { username: 'x-access-token', password: 'the-token', source: 'GH_TOKEN' },
  sshCommand: null,
};

let root: string;
let api: GitHubServer;

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'signalbox-github-'));
  execFileSync('git', ['init', '-q', '--bare', root]);
  api = await gitHubServer(root, 'the-token');
});
afterEach(async () => {
  await api.close();
  rmSync(root, { recursive: true, force: true });
});

function clientOf(part: Partial<RemoteAccess> = {}, env = {}): ReturnType<typeof GitHubClient.of> {
  return GitHubClient.of({ access: { ...access, ...part }, env: { GITHUB_API_URL: api.url, ...env } });
}
async function ask(): Promise<unknown> {
  const client = clientOf();
  if ('outcome' in client) return client;
  return await client.explain('look', () => client.request('GET /repos/{owner}/{repo}', {}));
}

describe('a client with the pauses that it has in earnest', () => {
  test('waits for limits that are short, and asks again', async () => {
    const reset = String(Math.floor(Date.now() / 1000));
    const hourly = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset };
    api.faults.push(
      { answer: { status: 403, headers: hourly, message: 'API rate limit exceeded' } },
      { answer: { status: 429, headers: { 'retry-after': '1' }, message: 'You have exceeded a secondary rate limit' } },
    );
    expect(await ask()).toMatchObject({ archived: false });
    expect(api.log.map(({ status }) => status)).toEqual([403, 429, 200]);
  });

  test('waits for no limit that is long, and says that it passes', async () => {
    const headers = { 'retry-after': '600' };
    api.faults.push({ answer: { status: 403, headers, message: 'You have exceeded a secondary rate limit.' } });
    expect(await ask()).toMatchObject({ outcome: 'refused', passing: true, reason: expect.stringContaining('limits') });
    expect(api.log).toHaveLength(1);
  });
});

describe('there is no client', () => {
  test('without a token, for a path, for a deeper path, or for an API that anybody can read along', () => {
    const { remote } = access;
    expect(clientOf({ credential: null })).toMatchObject({
      reason: 'pull requests on github.com want a token, and there is none',
    });
    expect(clientOf({ remote: { ...remote, repository: null } })).toMatchObject({ hint: 'Use push: branch.' });
    const plain = clientOf({}, { GITHUB_API_URL: 'http://api.example.org' });
    expect(plain).toMatchObject({ reason: 'the API of github.com is reached by plain http, which anybody can read' });
  });
});
