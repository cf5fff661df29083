import type { MergeStyle } from '../../core/merge-message.ts';
import type { MergeAnswer } from '../../core/remote.ts';
import { refused } from './git-remote.ts';
import type { GitHubClient } from './github-client.ts';
import { statusOf, wordsOf } from './github-errors.ts';

/** What is to be merged, and how. */
export interface MergeWish {
  number: number;
  /** The commit that was verified. */
  head: string;
  /** The integration branch, and where it must be: `null` for anywhere. */
  branch: string;
  base: string | null;
  style: MergeStyle;
  /** The message of the merge commit: its first line, and the rest. */
  message: string;
}

/** GitHub answers 405 also while it works on another merge; that passes. */
const PASSING = /base branch was modified|merge already in progress/i;

/**
 * Merges a request through the API. GitHub compares the head itself; the base is compared just before, so that a tree that
 * nobody verified comes about only if both happen within one request: whoever follows the remote checks the tree that did.
 */
export async function mergeRequest(client: GitHubClient, wish: MergeWish, signal: AbortSignal): Promise<MergeAnswer> {
  const { number, head, style, message } = wish;
  return await client.explain('merge it', async () => {
    const before = await state(client, wish, signal);
    if (before !== null) return before;
    const moved = await movedBase(client, wish, signal);
    if (moved !== null) return moved;
    const [title = '', ...rest] = message.split('\n');
    try {
      const merged = await client.request('PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge', {
        ...{ pull_number: number, sha: head, merge_method: style },
        ...{ commit_title: title, commit_message: rest.join('\n').trim() },
      });
      return { outcome: 'merged', commit: merged.sha };
    } catch (error) {
      // Its answer may have been lost, and its second try refused: what became of it tells.
      const after = await state(client, wish, signal);
      if (after !== null) return after;
      if (statusOf(error) !== 405) throw error;
      const movedSince = await movedBase(client, wish, signal);
      if (movedSince !== null) return movedSince;
      const words = wordsOf(error);
      if (PASSING.test(words)) return refused(`could not merge it: ${words}`, null, true);
      return { outcome: 'blocked', reason: `GitHub does not merge it: ${words}` };
    }
  });
}

/** What makes a merge needless or wrong, or `null`. */
async function state(client: GitHubClient, wish: MergeWish, signal: AbortSignal): Promise<MergeAnswer | null> {
  const route = 'GET /repos/{owner}/{repo}/pulls/{pull_number}';
  const request = await client.request(route, { pull_number: wish.number }, signal);
  if (request.merged && request.merge_commit_sha !== null)
    return { outcome: 'merged', commit: request.merge_commit_sha };
  if (request.state === 'closed') return { outcome: 'closed' };
  return request.head.sha === wish.head ? null : { outcome: 'moved', what: 'head', now: request.head.sha };
}

async function movedBase(
  client: GitHubClient,
  { branch, base }: MergeWish,
  signal: AbortSignal,
): Promise<MergeAnswer | null> {
  if (base === null) return null;
  const route = 'GET /repos/{owner}/{repo}/git/ref/{ref}';
  const now = (await client.request(route, { ref: `heads/${branch}` }, signal)).object.sha;
  return now === base ? null : { outcome: 'moved', what: 'base', now };
}
