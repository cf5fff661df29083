import path from 'node:path';
import { forgeHost, tokenVariables } from '../../core/remote-host.ts';
import { isLoopback, parseRemoteUrl, type RemoteUrl } from '../../core/remote-url.ts';
import { CommandFailedError, SignalboxError } from '../../core/failures.ts';
import { runGit } from '../git/git-command.ts';
import { landingPlaces } from '../git/user-git.ts';
import type { UserRepository } from '../git/user-repository.ts';
import { userSettings } from '../git/user-settings.ts';
import { findToken, type Credential } from './token.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** A remote of the user's repository, and what opens it. */
export interface RemoteAccess {
  /** Its name there, such as `origin`. */
  name: string;
  remote: RemoteUrl;
  /** The host of its API. */
  host: string;
  /** For git over HTTP and for the API; `null`: none was found, or none is needed. */
  credential: Credential | null;
  /** How ssh is called where the user's configuration does not say. */
  sshCommand: string | null;
}

/** Nobody is there to answer; a line that is dead is noticed. */
const SSH = 'ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4';

/**
 * Finds out where a remote is, by the user's own configuration (`pushurl`, `insteadOf`), and what opens it: the credential in
 * its URL, else a token of the environment, else `gh`'s. The URL that is kept has none.
 *
 * @throws SignalboxError `environment` when there is no such remote, one of a kind that is not used, or settings in a work
 * tree say where it is: agents' work lands there
 */
export async function remoteAccess(user: UserRepository, name: string, env: Env): Promise<RemoteAccess> {
  await requireOwnSettings(user, name);
  const here = { gitDir: user.commonDir, configuration: 'user' as const, config: { 'safe.directory': '*' } };
  const answer = await runGit(['remote', 'get-url', '--push', name], here).catch((error: unknown) => {
    if (!(error instanceof CommandFailedError)) throw error;
    throw new SignalboxError('environment', `the repository has no remote ${name}`, {
      hint: `Add it ("git remote add ${name} URL"), or change repository.remote.name.`,
    });
  });
  const parsed = parseRemoteUrl(answer.stdout.toString().split('\n')[0] ?? '');
  if (parsed === null) {
    throw new SignalboxError('environment', `remote ${name} has a URL of a kind that Signalbox does not use`, {
      hint: 'Use https, ssh or a path.',
    });
  }
  const { remote, credential: written } = parsed;
  if (remote.protocol === 'http' && !isLoopback(remote.host)) {
    throw new SignalboxError('environment', `remote ${name} is reached by plain http, which anybody can read`, {
      hint: 'Use https or ssh.',
    });
  }
  const host = forgeHost(remote);
  if (remote.protocol === 'file') {
    const url = remote.url.startsWith('file:') ? remote.url : path.resolve(user.topLevel ?? user.commonDir, remote.url);
    return { name, remote: { ...remote, url }, host, credential: null, sshCommand: null };
  }
  const web = remote.protocol !== 'ssh';
  const inUrl = written?.password ? { username: written.username, password: written.password } : null;
  const found = web && inUrl !== null ? { ...inUrl, source: `the URL of ${name}` } : await findToken(host, env);
  // It is told to git in lines.
  if (found !== null && /[\r\n\0]/.test(`${written?.username ?? ''}${found.password}`)) {
    throw new SignalboxError('environment', `the credential from ${found.source} holds a line break`, {
      hint: tokenHint(host, env, found),
    });
  }
  const credential = found !== null && web && written?.username ? { ...found, username: written.username } : found;
  const ssh = await runGit(['config', '--get', 'core.sshCommand'], { ...here, allowedExitCodes: [0, 1] });
  const sshCommand = env['GIT_SSH_COMMAND'] || env['GIT_SSH'] || ssh.exitCode === 0 ? null : SSH;
  return { name, remote, host, credential, sshCommand };
}

/** What is read of the user's settings. */
const TRANSFERS = /^(?:remote|url)\.|^core\.sshcommand$/;

async function requireOwnSettings(user: UserRepository, name: string): Promise<void> {
  const landing = landingPlaces(user);
  for (const { key, file } of await userSettings(user.commonDir, TRANSFERS)) {
    if (!landing(file)) continue;
    throw new SignalboxError(
      'environment',
      `remote ${name} is not used, since the work of agents can change ${key} in ${file}`,
      {
        hint: 'Keep the settings of remotes outside of the work tree.',
      },
    );
  }
}

/**
 * What a person does to give us a token for a host, or another one.
 *
 * @param known the one that there is
 */
export function tokenHint(host: string, env: Env, known: Pick<Credential, 'source'> | null): string {
  const variables = tokenVariables(host, env);
  const [variable = 'GH_TOKEN'] = variables;
  const login = `"gh auth login --hostname ${host}"`;
  if (known === null) return `Set ${variable} before the worker starts, or run ${login}.`;
  if (known.source === 'gh') return `Run ${login}.`;
  if (!variables.includes(known.source)) return `Put another one into ${known.source}.`;
  return `Set ${known.source} to one that it takes; a worker that runs has the old one until it is started anew.`;
}
