import { createHash } from 'node:crypto';
import type { RemoteRefusal, RequestChecks, RequestView, StampedView } from '../../core/remote.ts';
import type { GitHubClient } from './github-client.ts';
import { requestChecks } from './request-checks.ts';

const NO_CHECKS: RequestChecks = { total: 0, pending: [], failed: [] };

/** How GitHub's `mergeable_state` is to be read where checks are looked at by themselves. */
const MERGEABLE: Readonly<Record<string, RequestView['mergeable']>> = {
  clean: 'yes',
  has_hooks: 'yes',
  unstable: 'yes',
  dirty: 'conflict',
  behind: 'behind',
  blocked: 'blocked',
};

/** Looks at a request and its checks. What did not change since the last look costs nothing of GitHub's limit. */
export async function viewRequest(
  client: GitHubClient,
  wanted: { number: number; checks: 'all' | 'required' },
  signal: AbortSignal,
): Promise<StampedView | RemoteRefusal> {
  const { number } = wanted;
  return await client.explain('look at it', async () => {
    const route = 'GET /repos/{owner}/{repo}/pulls/{pull_number}';
    const request = await client.read(route, { pull_number: number }, signal);
    const { state, merged } = request;
    const open = state === 'open';
    const target = { commit: request.head.sha, branch: request.base.ref, which: wanted.checks };
    const view: RequestView = {
      number,
      url: request.html_url,
      state: merged ? 'merged' : open ? 'open' : 'closed',
      draft: request.draft === true,
      head: request.head.sha,
      mergeCommit: merged ? request.merge_commit_sha : null,
      by: open ? null : merged ? (request.merged_by?.login ?? null) : await closer(client, number, signal),
      mergeable: open ? (MERGEABLE[request.mergeable_state] ?? 'unknown') : 'unknown',
      checks: open ? await requestChecks(client, target, signal) : NO_CHECKS,
    };
    const stamp = createHash('sha256').update(JSON.stringify(view)).digest('hex').slice(0, 16);
    return { view, stamp };
  });
}

async function closer(client: GitHubClient, number: number, signal: AbortSignal): Promise<string | null> {
  const route = 'GET /repos/{owner}/{repo}/issues/{issue_number}';
  const issue = await client.readIfThere(route, { issue_number: number }, signal);
  return issue?.closed_by?.login ?? null;
}
