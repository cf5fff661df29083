import { describe, expect, test } from '@jest/globals';
import { apiUrl, forgeHost, tokenVariables } from '../../core/remote-host.ts';
import { isLoopback, parseRemoteUrl } from '../../core/remote-url.ts';

const project = { owner: 'team', name: 'project' };

describe('the URL of a remote', () => {
  test.each([
    ['https://github.com/team/project.git', 'https', 'github.com', 'https://github.com/team/project.git'],
    ['HTTPS://GitHub.com/team/project/', 'https', 'github.com', 'https://github.com/team/project/'],
    ['http://127.0.0.1:8080/team/project', 'http', '127.0.0.1:8080', 'http://127.0.0.1:8080/team/project'],
    ['ssh://git@github.com:22/team/project.git', 'ssh', 'github.com:22', 'ssh://git@github.com:22/team/project.git'],
    ['git@github.com:team/project.git', 'ssh', 'github.com', 'git@github.com:team/project.git'],
    ['work:team/project', 'ssh', 'work', 'work:team/project'],
  ])('%s', (text, protocol, host, url) => {
    expect(parseRemoteUrl(text)).toEqual({ remote: { protocol, host, url, repository: project }, credential: null });
  });

  test('keeps a credential apart from what is shown', () => {
    const parsed = parseRemoteUrl('https://ada:s%40cret@github.com/team/project.git');
    expect(parsed?.credential).toEqual({ username: 'ada', password: 's@cret' });
    expect(JSON.stringify(parsed?.remote)).not.toMatch(/ada|cret/);
    expect(parseRemoteUrl('https://ada@github.com/team/project')?.credential).toEqual({
      username: 'ada',
      password: null,
    });
    expect(parseRemoteUrl('ssh://git:pass@github.com/team/project')?.remote.url).toBe(
      'ssh://git@github.com/team/project',
    );
  });

  test('may be a path; a deeper one is no repository of a forge', () => {
    expect(parseRemoteUrl('/srv/git/project.git')?.remote).toMatchObject({ protocol: 'file', repository: null });
    expect(parseRemoteUrl('../project')?.remote.protocol).toBe('file');
    expect(parseRemoteUrl('https://gitlab.com/group/sub/project')?.remote.repository).toBeNull();
  });

  test.each(['git://example.org/a/b', 'ext::sh -c x', 'ftp://example.org/a/b', 'nonsense'])('is not %s', (text) => {
    expect(parseRemoteUrl(text)).toBeNull();
  });

  test('loopback is this machine only', () => {
    expect(['localhost', '127.0.0.1:80', '[::1]:8080'].map(isLoopback)).toEqual([true, true, true]);
    expect(['localhost.evil.test', '127.0.0.1.evil.test', '10.0.0.1'].map(isLoopback)).toEqual([false, false, false]);
  });
});

describe('the host of an API', () => {
  test('is the one that the remote is on, whatever the port of ssh', () => {
    const hosts = ['git@github.com:a/b', 'ssh://git@ssh.github.com:443/a/b', 'https://ghe.test:8443/a/b'];
    expect(hosts.map((url) => forgeHost(parseRemoteUrl(url)!.remote))).toEqual([
      'github.com',
      'github.com',
      'ghe.test:8443',
    ]);
  });

  test('has its address from the host, or from the environment where that is about the same host', () => {
    expect(apiUrl('github.com', {})).toBe('https://api.github.com');
    expect(apiUrl('shop.ghe.com', {})).toBe('https://api.shop.ghe.com');
    expect(apiUrl('ghe.test', {})).toBe('https://ghe.test/api/v3');
    const env = { GITHUB_SERVER_URL: 'https://ghe.test', GITHUB_API_URL: 'https://ghe.test:1/api/' };
    expect(apiUrl('ghe.test', env)).toBe('https://ghe.test:1/api');
    expect(apiUrl('github.com', env)).toBe('https://api.github.com');
  });

  test('decides whose token is used: GitHub’s own goes nowhere else', () => {
    const own = ['GH_TOKEN', 'GITHUB_TOKEN'];
    const others = ['GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN'];
    expect(tokenVariables('github.com', {})).toEqual(own);
    expect(tokenVariables('shop.ghe.com', {})).toEqual(own);
    expect(tokenVariables('ghe.test', {})).toEqual(others);
    expect(tokenVariables('github.com.evil.test', {})).toEqual(others);
    expect(tokenVariables('ghe.test', { GITHUB_SERVER_URL: 'https://ghe.test' })).toEqual(own);
    expect(tokenVariables('github.com', { GITHUB_SERVER_URL: 'https://ghe.test' })).toEqual(own);
  });
});
