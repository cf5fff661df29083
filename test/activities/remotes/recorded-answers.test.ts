import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { GraphQLEnumType } from 'graphql';
import { GitHubClient } from '../../../activities/remotes/github-client.ts';
import { mergeRequest, type MergeWish } from '../../../activities/remotes/merge-request.ts';
import { openRequest, type RequestWish } from '../../../activities/remotes/open-request.ts';
import { requestChecks } from '../../../activities/remotes/request-checks.ts';
import { viewRequest } from '../../../activities/remotes/view-request.ts';
import type { RequestReport } from '../../../core/request-body.ts';
import { examples, graphqlSchema, like, recording, valuesOf } from '../../support/github-contract.ts';
import { gitHubServer, replayed, type GitHubServer, type Replaced } from '../../support/github-server.ts';

const MERGE = 'PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge';
const HEAD = '07374fe73aff1c2024a8d4114b32406c7a8e89b7';
const signal = AbortSignal.timeout(60_000);

let root: string;
let api: GitHubServer;
let client: GitHubClient;

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'signalbox-github-'));
  execFileSync('git', ['init', '-q', '--bare', root]);
  api = await gitHubServer(root, 'the-token');
  client = clientOf(1);
});
afterEach(async () => {
  await api.close();
  expect(api.faults).toEqual([]);
  rmSync(root, { recursive: true, force: true });
});

function clientOf(unitMs: number): GitHubClient {
  const remote = { protocol: 'https', host: 'github.com', url: 'https://github.com/team/project.git' } as const;
  const repository = { owner: 'team', name: 'project' };
  const credential = { username: 'x-access-token', password: 'the-token', source: 'GH_TOKEN' };
  const access = {
    name: 'origin',
    remote: { ...remote, repository },
    host: 'github.com',
    credential,
    sshCommand: null,
  };
  const made = GitHubClient.of({ access, env: { GITHUB_API_URL: api.url }, unitMs });
  if ('outcome' in made) throw new Error(made.reason);
  return made;
}

/** What GitHub answers to these requests, in their order: a recording by its name, or another answer. */
function answers(...list: readonly (readonly [when: RegExp, answer: string | Replaced])[]): void {
  for (const [when, answer] of list) {
    api.faults.push({ when, answer: typeof answer === 'string' ? replayed(answer) : answer });
  }
}
const nothing: Replaced = { status: 200, body: [] };

describe('looking at a request', () => {
  const NO_CHECKS = { total: 0, pending: [], failed: [] };

  test.each([
    ['pull clean', { mergeable: 'yes', draft: false, head: HEAD }],
    ['pull unstable', { mergeable: 'yes' }],
    ['pull blocked', { mergeable: 'blocked' }],
    ['pull behind', { mergeable: 'behind' }],
    ['pull unknown', { mergeable: 'unknown' }],
    ['pull draft', { mergeable: 'unknown', draft: true }],
  ])('reads a recorded one: %s', async (name, expected) => {
    answers([/pulls\/1$/, name]);
    const { html_url: url } = recording(name).body as { html_url: string };
    const open = { url, state: 'open', by: null, mergeCommit: null, checks: NO_CHECKS };
    expect(await viewRequest(client, { number: 1, checks: 'all' }, signal)).toMatchObject({
      view: { ...open, ...expected },
    });
  });

  test('reads a recorded one that was closed, and by whom', async () => {
    answers([/pulls\/1$/, 'pull closed'], [/issues\/1$/, 'issue closed']);
    const seen = await viewRequest(client, { number: 1, checks: 'all' }, signal);
    expect(seen).toMatchObject({ view: { state: 'closed', by: 'stianst', mergeCommit: null } });
  });

  test('reads recorded check runs, commit statuses, protection and rules', async () => {
    answers([/check-runs$/, 'check runs'], [/status$/, 'combined status']);
    answers([/branches\/main$/, 'branch protected'], [/rules\/branches/, 'branch rules']);
    const target = { commit: HEAD, branch: 'main', which: 'all' } as const;
    expect(await requestChecks(client, target, signal)).toEqual({
      total: 4,
      pending: [],
      failed: [
        { name: 'example/1', ...{ summary: 'create-status failure test', url: 'https://example.com' }, output: '' },
      ],
    });
  });

  test('judges every status, conclusion and state of merging that GitHub describes', async () => {
    for (const status of valuesOf('check-run', 'status').filter((value) => value !== 'completed'))
      api.state.report(HEAD, { name: status, status: status as 'queued', conclusion: null });
    for (const conclusion of valuesOf('check-run', 'conclusion'))
      api.state.report(HEAD, { name: conclusion, conclusion: conclusion as 'success' });
    const target = { commit: HEAD, branch: 'main', which: 'required' } as const;
    const judged: Record<string, string> = {};
    for (const { name } of api.state.runs.get(HEAD) ?? []) {
      api.state.required = [name];
      const { pending, failed } = await requestChecks(client, target, signal);
      judged[name] = pending.length > 0 ? 'pending' : failed.length > 0 ? 'failed' : 'passed';
    }
    expect(judged).toEqual({
      ...{ queued: 'pending', in_progress: 'pending', waiting: 'pending', requested: 'pending', pending: 'pending' },
      ...{ success: 'passed', neutral: 'passed', skipped: 'passed', action_required: 'pending' },
      ...{ failure: 'failed', cancelled: 'failed', timed_out: 'failed' },
    });
    const merging: Record<string, string> = {};
    for (const { name } of (graphqlSchema.getType('MergeStateStatus') as GraphQLEnumType).getValues()) {
      const state = name.toLowerCase();
      const body = like(recording('pull clean').body, { mergeable_state: state });
      answers([/pulls\/1$/, { status: 200, body }]);
      const seen = await viewRequest(client, { number: 1, checks: 'all' }, signal);
      merging[state] = 'view' in seen ? seen.view.mergeable : seen.reason;
    }
    expect(merging).toEqual({
      ...{ clean: 'yes', has_hooks: 'yes', unstable: 'yes', dirty: 'conflict', behind: 'behind', blocked: 'blocked' },
      ...{ unknown: 'unknown', draft: 'unknown' },
    });
  });

  test('sees every commit status, over pages', async () => {
    const status = { state: 'success', description: null, target_url: null } as const;
    const many = Array.from({ length: 130 }, (_, at) => ({ ...status, context: `ci/${at}` }));
    api.state.statuses.set(HEAD, [...many, { ...status, context: 'ci/last', state: 'failure' }]);
    const checks = await requestChecks(client, { commit: HEAD, branch: 'main', which: 'all' }, signal);
    expect(checks).toMatchObject({ total: 131, failed: [{ name: 'ci/last' }] });
  });

  test('follows the recorded way to a job’s log', async () => {
    api.state.logs.set(5, 'the log\n');
    const { headers, ...sent } = replayed('job log');
    const location = `${api.url.replace('127.0.0.1', 'localhost')}/log-store/5?urlSignature=a%2Fb`;
    expect(headers?.['location']).toMatch(/^https:.*urlSignature=/);
    answers([/logs$/, { ...sent, headers: { ...headers, location } }]);
    const route = 'GET /repos/{owner}/{repo}/actions/jobs/{job_id}/logs';
    expect(await client.readText(route, { job_id: 5 })).toBe('the log\n');
    expect(api.storeSaw).toEqual([null]);
  });
});

describe('opening a request', () => {
  const report: RequestReport = {
    ...{ project: 'p', run: 'r', task: 't', name: 'task', description: undefined, attempt: 1, changes: '' },
    ...{ checks: [], verified: false, findings: [], loosened: [] },
  };
  const wish: RequestWish = {
    ...{
      branch: 'test/stable',
      base: 'main',
      report,
      ready: false,
      labels: [],
      reviewers: [],
      graceMs: 1,
      known: null,
    },
  };
  const LIST = /^GET .*\/pulls$/;
  const PATCH = /^PATCH/;

  test('reads a recorded one that it opened', async () => {
    answers([LIST, nothing], [/^POST .*\/pulls$/, 'draft opened'], [PATCH, 'pull updated']);
    const { number, html_url: url } = recording('draft opened').body as { number: number; html_url: string };
    expect(await openRequest(client, wish)).toEqual({ outcome: 'opened', number, url, draft: true, graceMs: 1 });
  });

  test('finds the one that the recorded refusal speaks of', async () => {
    answers([LIST, nothing], [/^POST .*\/pulls$/, 'pull exists'], [LIST, 'pulls of a branch'], [PATCH, 'pull updated']);
    expect(await openRequest(client, wish)).toMatchObject({ outcome: 'opened', number: 321, draft: true });
  });

  const NO_DRAFTS = 'Draft pull requests are not supported in this repository.';
  test.each([
    ['of the whole', { status: 422, message: NO_DRAFTS }],
    [
      'of a field, in the shape of the recorded one',
      {
        status: 422,
        body: like(recording('pull exists').body, { errors: [{ message: NO_DRAFTS }] }),
      },
    ],
  ])('opens no draft where GitHub says that there are none, as an error %s', async (_, refusal) => {
    const opened = like(recording('draft opened').body, { draft: false });
    answers([LIST, nothing], [/^POST .*\/pulls$/, refusal], [/^POST .*\/pulls$/, { status: 201, body: opened }]);
    answers([PATCH, 'pull updated']);
    expect(await openRequest(client, wish)).toMatchObject({ outcome: 'opened', draft: false });
  });

  test('adds labels, asks for reviews and makes it ready, as recorded', async () => {
    answers([LIST, 'pulls of a branch'], [/labels$/, 'labels added'], [/requested_reviewers$/, 'review requested']);
    answers([/graphql$/, 'made ready'], [PATCH, 'pull updated']);
    const ready = { ...wish, ready: true, labels: ['agent'], reviewers: ['team/railway'] };
    expect(await openRequest(client, ready)).toMatchObject({ outcome: 'updated', number: 321, draft: false });
  });

  test.each([
    ['pull exists', 'Validation Failed: A pull request already exists for hub4j-test-org:test/stable.'],
    ['pull not updated', "Validation Failed: Proposed base branch 'non-existing' was not found"],
    ['fields refused', 'Validation Failed: Label color invalid'],
  ])('tells the recorded refusal in words: %s', async (name, words) => {
    answers([LIST, 'pulls of a branch'], [PATCH, name]);
    expect(await openRequest(client, wish)).toEqual({
      ...{ outcome: 'refused', passing: false, hint: 'Mend what it says.' },
      reason: `could not open a pull request: github.com said 422: ${words}`,
    });
  });

  /** GitHub's answer to a mutation, like the recorded one but for type and message. */
  function refusedMutation(type: string, message: string): Replaced {
    const { data, errors } = recording('mutation refused').body as { data: object; errors: object[] };
    return { status: 200, body: { data, errors: errors.map((error) => ({ ...error, type, message })) } };
  }

  test('tells the recorded refusal of a mutation', async () => {
    answers([LIST, 'pulls of a branch'], [/graphql$/, 'mutation refused']);
    expect(await openRequest(client, { ...wish, ready: true })).toMatchObject({
      reason: expect.stringContaining('said 422: seate does not have a verified email'),
      passing: false,
    });
  });

  test.each([
    ['RATE_LIMITED', 1],
    ['RATE_LIMIT', 1],
    ['RATE_LIMITED', 1000],
    ['RATE_LIMIT', 1000],
  ])('a limit of GraphQL (%s, pauses of %i ms) passes', async (type, unitMs) => {
    client = clientOf(unitMs);
    const headers = { 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 3600), 'x-ratelimit-remaining': '0' };
    answers([LIST, 'pulls of a branch']);
    answers([/graphql$/, { ...refusedMutation(type, 'API rate limit already exceeded for user ID 1.'), headers }]);
    expect(await openRequest(client, { ...wish, ready: true })).toMatchObject({
      reason: expect.stringMatching(/limits how much is asked: .*already exceeded for user ID 1/),
      passing: true,
    });
  });

  test.each([
    ['FORBIDDEN', /may not open a pull request: Resource not accessible/, /write contents and pull requests/],
    ['INSUFFICIENT_SCOPES', /may not open a pull request/, /the scope "repo"/],
    ['NOT_FOUND', /shows no such thing/, /Check the URL/],
  ])('what a token may not do by GraphQL (%s) is told as with the rest', async (type, reason, hint) => {
    answers([LIST, 'pulls of a branch'], [/graphql$/, refusedMutation(type, 'Resource not accessible by integration')]);
    expect(await openRequest(client, { ...wish, ready: true })).toMatchObject({
      ...{ reason: expect.stringMatching(reason), hint: expect.stringMatching(hint), passing: false },
    });
  });
});

describe('merging', () => {
  const wish: MergeWish = {
    number: 479,
    head: HEAD,
    branch: 'main',
    base: null,
    style: 'merge',
    message: 'Merge\n\nit',
  };
  const GET = /^GET .*\/pulls\/479$/;
  const PUT = /^PUT/;

  test('tells the recorded commit', async () => {
    answers([GET, 'pull clean'], [PUT, 'pull merged']);
    const { sha: commit } = recording('pull merged').body as { sha: string };
    expect(await mergeRequest(client, wish, signal)).toEqual({ outcome: 'merged', commit });
  });

  test('takes no trial of GitHub’s for a merge', async () => {
    answers([GET, 'pull clean'], [PUT, { status: 405, body: examples(MERGE, 405)[0] }], [GET, 'pull clean']);
    expect((recording('pull clean').body as { merge_commit_sha: unknown }).merge_commit_sha).toMatch(/^[0-9a-f]{40}$/);
    const reason = 'GitHub does not merge it: Pull Request is not mergeable';
    expect(await mergeRequest(client, wish, signal)).toEqual({ outcome: 'blocked', reason });
  });

  test('by another head is put off', async () => {
    answers([GET, 'pull clean'], [PUT, { status: 409, body: examples(MERGE, 409)[0] }], [GET, 'pull clean']);
    const reason = expect.stringContaining('Head branch was modified');
    expect(await mergeRequest(client, wish, signal)).toMatchObject({ outcome: 'refused', reason, passing: true });
  });

  test.each(['Base branch was modified. Review and try the merge again.', 'Merge already in progress'])(
    'is put off, and no person asked, where GitHub says: %s',
    async (message) => {
      answers([GET, 'pull clean'], [PUT, { status: 405, message }], [GET, 'pull clean']);
      expect(await mergeRequest(client, wish, signal)).toEqual({
        ...{ outcome: 'refused', hint: null, passing: true },
        reason: `could not merge it: ${message}`,
      });
    },
  );
});

describe('merging on a base', () => {
  test('that moved while GitHub was asked to merge is told as moved, not as a person’s matter', async () => {
    const REF = 'GET /repos/{owner}/{repo}/git/ref/{ref}';
    const [ref] = examples(REF, 200) as { object: { sha: string } }[];
    const now = 'b'.repeat(40);
    const wish: MergeWish = {
      ...{ number: 479, head: HEAD, branch: 'main', base: ref?.object.sha ?? '', style: 'squash', message: 'Merge' },
    };
    answers([/pulls\/479$/, 'pull clean'], [/git\/ref/, { status: 200, body: ref }]);
    answers([/^PUT/, { status: 405, message: 'Base branch was modified. Review and try the merge again.' }]);
    answers([/pulls\/479$/, 'pull clean'], [/git\/ref/, { status: 200, body: like(ref, { object: { sha: now } }) }]);
    expect(await mergeRequest(client, wish, signal)).toEqual({ outcome: 'moved', what: 'base', now });
  });
});

describe('a repository', () => {
  const look = (): Promise<unknown> => client.explain('look', () => client.request('GET /repos/{owner}/{repo}', {}));
  const REPOSITORY = /^GET \/repos\/team\/project$/;

  test('is read as recorded', async () => {
    answers([REPOSITORY, 'repository']);
    expect(await look()).toMatchObject({ archived: false, permissions: { push: true } });
  });

  test('that moved is followed the recorded way', async () => {
    const moved = replayed('repository moved');
    const location = (moved.headers?.['location'] ?? '').replace('https://api.github.com', api.url);
    answers([REPOSITORY, { ...moved, headers: { ...moved.headers, location } }]);
    expect(location).toMatch(/\/repositories\/\d+$/);
    expect(await look()).toMatchObject({ archived: false });
    expect(api.log.map(({ status }) => status)).toEqual([301, 200]);
  });

  test.each([
    ['repository not found', 'could not look: github.com shows no such thing to the token'],
    ['bad credentials', 'github.com does not take the token from GH_TOKEN: could not look'],
  ])('that cannot be seen is told as recorded: %s', async (name, reason) => {
    answers([REPOSITORY, name]);
    expect(await look()).toMatchObject({ outcome: 'refused', reason, passing: false });
  });

  test('behind a limit that only its headers tell is told as one that passes', async () => {
    const message = 'You have triggered an abuse detection mechanism.';
    answers([REPOSITORY, { status: 403, message }]);
    expect(await look()).toMatchObject({ outcome: 'refused', passing: true });
    answers([REPOSITORY, { status: 403, message: 'Wait', headers: { 'retry-after': '600' } }]);
    expect(await look()).toMatchObject({ outcome: 'refused', passing: true });
  });
});
