import type { Config } from '../../core/config.ts';
import type { RemoteRefusal } from '../../core/remote.ts';
import { runGit } from '../git/git-command.ts';
import type { UserRepository } from '../git/user-repository.ts';
import { GitHubClient } from './github-client.ts';
import { GitRemote, refusalOf, refused } from './git-remote.ts';
import { remoteAccess } from './remote-access.ts';

/** How long a look at a remote may take in all, milliseconds. */
const LIMIT_MS = 30_000;

/** What a look at a run's remote found. */
export interface RemoteExamination {
  /** Why what is configured cannot work, or `null`. */
  problem: RemoteRefusal | null;
  /** The remote, in words. */
  what: string;
  /** What a person should know besides, one sentence each. */
  notices: string[];
}

/**
 * Looks whether a run could send its results where the configuration says: is there a token, may it push, is the branch
 * there, may it open and merge pull requests. Changes nothing on the remote. `null` if nothing is to be sent.
 */
export async function examineRemote(request: {
  user: UserRepository;
  config: Pick<Config, 'repository'>;
  /** The tip of the integration branch. */
  tip: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Pauses between tries; see {@link GitRemote}. */
  pauses?: readonly number[];
}): Promise<RemoteExamination | null> {
  const { user, config, tip, env, pauses = [] } = request;
  const { remote, integration_branch: branch, task_branch_prefix: prefix } = config.repository;
  if (remote === undefined || remote.push === 'none') return null;
  const unknown = { what: `remote ${remote.name}`, notices: [] };
  const access = await remoteAccess(user, remote.name, env).catch(refusalOf);
  if ('outcome' in access) return { ...unknown, problem: access };
  const found = { what: `remote ${remote.name} (${access.remote.url})`, notices: [] as string[] };
  const signal = AbortSignal.timeout(LIMIT_MS);
  const problem = async (): Promise<RemoteRefusal | null> => {
    const client = remote.push === 'pull_request' ? GitHubClient.of({ access, env, unitMs: 100 }) : null;
    if (client !== null && 'outcome' in client) return client;
    const git = new GitRemote({ access, gitDir: user.commonDir, env, signal, pauses });
    const ref = `refs/heads/${branch}`;
    const listed = await git.refs([ref]);
    if (listed.outcome === 'refused') return listed;
    const theirs = listed.refs.get(ref) ?? null;
    if (theirs === null && client !== null) {
      const hint = `Push it ("git push ${remote.name} ${branch}"): pull requests go into it.`;
      return refused(`there is no branch ${branch} on ${found.what}`, hint, false);
    }
    const push = await git.tryPush(`${prefix}looks-whether-it-may-push`, tip);
    if (push.outcome === 'refused') return push;
    if (theirs !== null) found.notices.push(...(await distance(user, { remote: remote.name, branch, tip, theirs })));
    return client === null ? null : await rights(client, access.credential?.source ?? '');
  };
  try {
    return { ...found, problem: await problem() };
  } catch (error) {
    if (!signal.aborted) throw error;
    return { ...found, problem: refused(`${found.what} did not answer in ${LIMIT_MS / 1000} s`, null, true) };
  }
}

async function rights(client: GitHubClient, source: string): Promise<RemoteRefusal | null> {
  const answer = await client.explain('look at the repository', async () => {
    const { permissions, archived } = await client.request('GET /repos/{owner}/{repo}', {});
    if (archived) return refused('the repository is archived on GitHub, so nothing can be merged there', null, false);
    if (permissions?.push !== false) return null;
    const hint =
      'Give it the right to write contents (a classic token: the scope "repo"), or the account to push there.';
    return refused(`the token from ${source} may not push to the repository, so it cannot merge there`, hint, false);
  });
  return answer;
}

/** Which of the two branches lacks what the other has. */
async function distance(
  user: UserRepository,
  { remote, branch, tip, theirs }: { remote: string; branch: string; tip: string; theirs: string },
): Promise<string[]> {
  if (theirs === tip) return [];
  const contains = async (commit: string, other: string): Promise<boolean> => {
    const args = ['merge-base', '--is-ancestor', other, commit];
    const options = { gitDir: user.commonDir, config: { 'safe.directory': '*' }, allowedExitCodes: [0, 1, 128] };
    return (await runGit(args, options)).exitCode === 0;
  };
  if (await contains(tip, theirs)) {
    return [`${branch} has commits that ${remote} lacks: they are part of what is sent there ("git push" first?)`];
  }
  return [`${branch} lacks commits that ${remote} has: "git pull" first, or the work starts from what is older`];
}
