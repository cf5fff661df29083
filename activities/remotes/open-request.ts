import type { OpenAnswer } from '../../core/remote.ts';
import { requestBody, requestTitle, type RequestReport } from '../../core/request-body.ts';
import type { GitHubClient } from './github-client.ts';
import { statusOf, wordsOf } from './github-errors.ts';

/** What a task's pull request is to be. */
export interface RequestWish {
  /** The task's branch, which tells its request from others. */
  branch: string;
  /** The integration branch. */
  base: string;
  report: RequestReport;
  ready: boolean;
  labels: readonly string[];
  /** Names of users, or `org/team`. */
  reviewers: readonly string[];
  graceMs: number;
  /** The request that the task has, and the commit that its branch holds. */
  known: { number: number | null; head: string } | null;
}

/** What is needed of a request to update it. */
interface OpenRequest {
  number: number;
  node_id: string;
  html_url: string;
  body: string | null;
  draft?: boolean;
  state: string;
  head: { ref: string; sha: string };
}

const MAKE_READY = `mutation ($id: ID!) {
  markPullRequestReadyForReview(input: { pullRequestId: $id }) { pullRequest { isDraft } }
}`;

/**
 * Opens the pull request of a branch, or updates the open one there is: there are never two. Where the last try was cut off
 * after it had opened one, that may be closed or merged by now: it is told, and no second one opened. A person's title, and
 * what they wrote around our section of the text, stay. Labels are only added; reviewers are asked once for each attempt, when
 * it becomes ready.
 */
export async function openRequest(client: GitHubClient, wish: RequestWish): Promise<OpenAnswer> {
  return await client.explain('open a pull request', async () => {
    const existing = await findOwn(client, wish);
    const request = existing ?? (await create(client, wish));
    const created = existing === null;
    const { graceMs } = wish;
    if (request.state === 'closed')
      return { outcome: 'updated', number: request.number, url: request.html_url, draft: false, graceMs };
    await addLabels(client, wish, request.number);
    // An editor in a browser makes other line ends of ours.
    const before = request.body?.replaceAll('\r\n', '\n') ?? null;
    const body = requestBody(wish.report, before);
    // The text is written last, so that what a crash cut off is done the next time; once it is there, reviewers may have
    // been taken out on purpose.
    if (wish.ready && (created || request.draft === true || body !== before))
      await askReviewers(client, wish, request.number);
    if (wish.ready && request.draft === true) await client.mutate(MAKE_READY, { id: request.node_id });
    if (body !== before) await updateBody(client, request.number, body);
    return {
      outcome: created ? 'opened' : 'updated',
      number: request.number,
      url: request.html_url,
      draft: request.draft === true && !wish.ready,
      graceMs,
    };
  });
}

/** The open request of the task, or the one that it is known by, or was opened for the same commit, if that is over. */
async function findOwn(client: GitHubClient, { branch, known }: RequestWish): Promise<OpenRequest | null> {
  const [open] = await findRequests(client, branch, 'open');
  if (open !== undefined || known === null) return open ?? null;
  const over = await findRequests(client, branch, 'closed');
  return over.find(({ number, head }) => number === known.number || head.sha === known.head) ?? null;
}

/** The newest requests of a branch. They are asked for by the owner's name of today, which no redirect puts right. */
async function findRequests(client: GitHubClient, branch: string, state: 'open' | 'closed'): Promise<OpenRequest[]> {
  const { owner } = await client.read('GET /repos/{owner}/{repo}', {});
  const head = `${owner.login}:${branch}`;
  const found = await client.request('GET /repos/{owner}/{repo}/pulls', { head, state, per_page: 30 });
  return found.filter((request) => request.head.ref === branch);
}

async function create(client: GitHubClient, wish: RequestWish): Promise<OpenRequest> {
  const { branch, base, report, ready } = wish;
  const body = requestBody({ ...report, verified: false }, null);
  const request = { head: branch, base, title: requestTitle(report), body };
  const send = async (draft: boolean): Promise<OpenRequest> =>
    await client.request('POST /repos/{owner}/{repo}/pulls', { ...request, draft });
  try {
    return await send(!ready);
  } catch (error) {
    if (statusOf(error) !== 422) throw error;
    // Tried again after a cut, it finds its own first try.
    if (/already exists/i.test(wordsOf(error))) {
      const [existing] = await findRequests(client, branch, 'open');
      if (existing !== undefined) return existing;
    }
    // Not every plan has drafts.
    if (!ready && /draft/i.test(wordsOf(error))) return await send(false);
    throw error;
  }
}

async function updateBody(client: GitHubClient, number: number, body: string): Promise<void> {
  await client.request('PATCH /repos/{owner}/{repo}/pulls/{pull_number}', { pull_number: number, body });
}

async function addLabels(client: GitHubClient, { labels }: RequestWish, number: number): Promise<void> {
  if (labels.length === 0) return;
  await client.request('POST /repos/{owner}/{repo}/issues/{issue_number}/labels', {
    issue_number: number,
    labels: [...labels],
  });
}

/** Asks for reviews. Somebody who cannot be asked (its author, a stranger) holds up nothing. */
async function askReviewers(client: GitHubClient, { reviewers }: RequestWish, number: number): Promise<void> {
  if (reviewers.length === 0) return;
  const teams = reviewers.filter((name) => name.includes('/')).map((name) => name.slice(name.indexOf('/') + 1));
  const users = reviewers.filter((name) => !name.includes('/')).map((name) => name.replace(/^@/, ''));
  const asks = [...users.map((name) => ({ reviewers: [name] })), ...teams.map((name) => ({ team_reviewers: [name] }))];
  const ask = async (names: { reviewers?: string[]; team_reviewers?: string[] }): Promise<void> => {
    await client.request('POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers', {
      pull_number: number,
      ...names,
    });
  };
  try {
    await ask({ reviewers: users, team_reviewers: teams });
  } catch (error) {
    if (statusOf(error) !== 422) throw error;
    // One of them made GitHub refuse all: the others are still asked.
    for (const one of asks) {
      await ask(one).catch((refusal: unknown) => {
        if (statusOf(refusal) !== 422) throw refusal;
      });
    }
  }
}
