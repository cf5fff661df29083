import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { packageRoot } from '../../../activities/package-root.ts';
import {
  called,
  like,
  problemsOfAnswer,
  problemsOfRequest,
  recording,
  recordingNames,
  routes,
} from '../../support/github-contract.ts';
import { gitHubServer } from '../../support/github-server.ts';

const PULLS = 'GET /repos/{owner}/{repo}/pulls';
const MERGE = 'PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge';

function problems(method: string, url: string, body: unknown = null): string[] {
  const target = new URL(url, 'http://localhost');
  const operation = called(method, target.pathname);
  return operation === null ? ['no operation'] : problemsOfRequest(operation, target.searchParams, body);
}

describe('GitHub’s description', () => {
  test('is held of every operation that the product calls, and of no other', () => {
    const directory = path.join(packageRoot(), 'activities');
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    const code = files.map((name) => readFileSync(path.join(directory, name), 'utf8')).join('\n');
    const asked = [...code.matchAll(/'((?:GET|POST|PUT|PATCH|DELETE) \/[^']+)'/g)].map(([, route = '']) => route);
    expect([...new Set(asked)].sort()).toEqual([...routes].sort());
  });

  test.each(recordingNames)('is what GitHub does: %s', (name) => {
    const { method, url, sent, status, body } = recording(name);
    const target = new URL(url, 'http://localhost');
    const operation = called(method, target.pathname);
    // Two are of other operations, and GraphQL has a schema of its own.
    if (operation === null) {
      expect(['bad credentials', 'fields refused', 'made ready', 'mutation refused']).toContain(name);
      return;
    }
    expect(problemsOfRequest(operation, target.searchParams, sent)).toEqual([]);
    const differences = problemsOfAnswer(operation.route, status, body);
    // Recorded before GitHub had these.
    const later = /must have required property '(?:auto_merge|verified_at|checks|type)'/;
    expect(differences.filter((difference) => !later.test(difference))).toEqual([]);
  });

  test.each([
    ['an unknown path', 'GET', '/repos/team/project/pull'],
    ['a separator that is not encoded', 'GET', '/repos/team/project/git/ref/heads/main'],
    ['another method', 'DELETE', '/repos/team/project/pulls/1'],
    ['no number', 'GET', '/repos/team/project/pulls/one'],
    ['an unknown parameter', 'GET', '/repos/team/project/pulls?heads=team:a'],
    ['another value', 'GET', '/repos/team/project/pulls?state=opened'],
    ['another type', 'GET', '/repos/team/project/pulls?per_page=many'],
    ['a lacking field', 'POST', '/repos/team/project/pulls', { title: 'a', head: 'b' }],
    [
      'a field of another type',
      'POST',
      '/repos/team/project/pulls',
      { title: 'a', head: 'b', base: 'c', draft: 'yes' },
    ],
    ['an unknown field', 'PUT', '/repos/team/project/pulls/1/merge', { merge_style: 'squash' }],
    ['another value in a field', 'PUT', '/repos/team/project/pulls/1/merge', { merge_method: 'fast-forward' }],
    ['labels that are none', 'POST', '/repos/team/project/issues/1/labels', { labels: [1] }],
    ['a name for a list of names', 'POST', '/repos/team/project/pulls/1/requested_reviewers', { reviewers: 'ada' }],
  ])('takes no request with %s', (_, method, url, body: object | null = null) => {
    expect(problems(method, url, body)).not.toEqual([]);
  });

  test('takes no answer of another status, with another type, or without what every one has', () => {
    expect(problemsOfAnswer(PULLS, 405, { message: 'no' })).toEqual([`${PULLS} never answers 405`]);
    expect(problemsOfAnswer(MERGE, 200, { sha: 1, merged: true, message: '' })).not.toEqual([]);
    expect(problemsOfAnswer(MERGE, 200, { sha: 'a' })).toHaveLength(2);
    expect(problemsOfAnswer(MERGE, 422, { message: 'no', errors: ['none'] })).not.toEqual([]);
  });
});

describe('the stand-in', () => {
  test('answers nothing that a recorded answer has not, nor of another type', () => {
    const was = { number: 1, user: { login: 'a' }, labels: [{ name: 'b' }], body: null };
    expect(like(was, { number: 2, labels: [{ name: 'c' }, {}], body: 'd' })).toEqual({
      ...{ number: 2, user: { login: 'a' }, labels: [{ name: 'c' }, { name: 'b' }], body: 'd' },
    });
    expect(() => like(was, { id: 1 })).toThrow('GitHub’s answer has no id');
    expect(() => like(was, { user: { name: 'a' } })).toThrow('GitHub’s .user has no name');
    expect(() => like(was, { number: '2' })).toThrow('GitHub’s .number is 1, not "2"');
    expect(() => like(was, { labels: {} })).toThrow('GitHub’s .labels is');
  });

  test.each([
    ['a request that GitHub does not know', 'GET', '/repos/team/project/pulls?heads=team:a', undefined],
    ['an operation that nothing is held of', 'GET', '/user', undefined],
    [
      'a mutation of fields that there are not',
      'POST',
      '/graphql',
      { query: 'mutation { markReady(id: "PR_1") { id } }' },
    ],
  ])('does not close without a word after %s', async (_, method, url, body) => {
    const directory = mkdtempSync(path.join(tmpdir(), 'signalbox-github-'));
    execFileSync('git', ['init', '-q', '--bare', directory]);
    const api = await gitHubServer(directory, 'the-token');
    const headers = { authorization: 'token the-token', 'content-type': 'application/json' };
    await fetch(`${api.url}${url}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    await expect(api.close()).rejects.toThrow('not as GitHub has it');
    rmSync(directory, { recursive: true, force: true });
  });
});
