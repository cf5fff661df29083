import type { OpenAnswer } from '../../core/remote.ts';
import { requestBody, requestTitle, type RequestReport } from '../../core/request-body.ts';
import { statusOf, wordsOf, type GitHubClient } from './github-client.ts';

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
}

/** What is needed of a request to update it. */
interface OpenRequest {
  number: number;
  node_id: string;
  html_url: string;
  body: string | null;
  draft?: boolean;
}

const MAKE_READY = `mutation ($id: ID!) {
  markPullRequestReadyForReview(input: { pullRequestId: $id }) { pullRequest { isDraft } }
}`;

/**
 * Opens the pull request of a branch, or updates the open one there is: there are never two. A person's title, and what they
 * wrote around our section of the text, stay. Labels are only added; reviewers are asked once, when it becomes ready.
 */
export async function openRequest(client: GitHubClient, wish: RequestWish): Promise<OpenAnswer> {
  return await client.explain('open a pull request', async () => {
    const existing = await findOpen(client, wish.branch);
    const request = existing ?? (await create(client, wish));
    const created = existing === null;
    if (!created) await updateBody(client, wish, request);
    await addLabels(client, wish, request.number);
    // One that was just made ready has no reviewers yet; later ones may have lost theirs on purpose.
    if (wish.ready && request.draft === true) await client.mutate(MAKE_READY, { id: request.node_id });
    if (wish.ready && (created || request.draft === true)) await askReviewers(client, wish, request.number);
    return {
      outcome: created ? 'opened' : 'updated',
      number: request.number,
      url: request.html_url,
      draft: request.draft === true && !wish.ready,
      graceMs: wish.graceMs,
    };
  });
}

async function findOpen(client: GitHubClient, branch: string): Promise<OpenRequest | null> {
  const head = `${client.repository.owner}:${branch}`;
  const found = await client.request('GET /repos/{owner}/{repo}/pulls', { head, state: 'open', per_page: 10 });
  return found.find((request) => request.head.ref === branch) ?? null;
}

async function create(client: GitHubClient, wish: RequestWish): Promise<OpenRequest> {
  const { branch, base, report, ready } = wish;
  const request = { head: branch, base, title: requestTitle(report), body: requestBody(report, null) };
  const send = async (draft: boolean): Promise<OpenRequest> =>
    await client.request('POST /repos/{owner}/{repo}/pulls', { ...request, draft });
  try {
    return await send(!ready);
  } catch (error) {
    if (statusOf(error) !== 422) throw error;
    // Tried again after a cut, it finds its own first try.
    if (/already exists/i.test(wordsOf(error))) {
      const existing = await findOpen(client, branch);
      if (existing !== null) return existing;
    }
    // Not every plan has drafts.
    if (!ready && /draft/i.test(wordsOf(error))) return await send(false);
    throw error;
  }
}

async function updateBody(client: GitHubClient, { report }: RequestWish, request: OpenRequest): Promise<void> {
  const body = requestBody(report, request.body);
  if (body === request.body) return;
  await client.request('PATCH /repos/{owner}/{repo}/pulls/{pull_number}', { pull_number: request.number, body });
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
