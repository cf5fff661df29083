import { CommandFailedError, headAndTail, SignalboxError } from '../../core/failures.ts';
import type { RemoteRefusal } from '../../core/remote.ts';
import { runGit, type GitOptions, type GitResult } from '../git/git-command.ts';
import { tokenHint, type RemoteAccess } from './remote-access.ts';
import { withoutSecret } from './token.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What it takes to reach a remote from where the user does; none of it holds a token. */
const NETWORK = [
  ...['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy', 'NO_PROXY', 'no_proxy'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO', 'GIT_SSL_CAPATH', 'GIT_SSL_NO_VERIFY'],
  ...['SSH_AUTH_SOCK', 'GIT_SSH', 'GIT_SSH_COMMAND', 'GIT_SSH_VARIANT'],
];

/** Hands out what lies in the pipe, once: a credential that was refused is not asked for again. */
const HELPER = '!f() { test "$1" = get && cat <&3; }; f';

/** How long one push or fetch may take, milliseconds; a line on which nothing moves is cut after a minute. */
const LIMIT_MS = 30 * 60_000;

/** How often a transfer is begun, and the pauses between, milliseconds. */
const PAUSES = [1000, 4000];

/** What became of a transfer: git's answer, or why there is none. */
export type Transfer = { outcome: 'done'; result: GitResult } | RemoteRefusal;

/** What {@link GitRemote} is made of. */
export interface GitRemoteOptions {
  access: RemoteAccess;
  /** The repository that is pushed from and fetched into. */
  gitDir: string;
  env: Env;
  signal: AbortSignal;
  /** By default some seconds; see {@link PAUSES}. */
  pauses?: readonly number[];
}

/**
 * Native git with one remote. Objects are sent from the repository as they lie there, deltas and all, which no library in this
 * process does for large ones. The credential goes to git through a pipe that its helper reads: it is in no argument,
 * environment, URL or file. The user's own configuration says how to get there (proxies, certificates, ssh); their
 * credential helpers are not asked.
 */
export class GitRemote {
  readonly #options: GitRemoteOptions;

  constructor(options: GitRemoteOptions) {
    this.#options = options;
  }

  /** The remote's refs of these full names, with their commits. */
  async refs(names: readonly string[]): Promise<{ outcome: 'done'; refs: Map<string, string> } | RemoteRefusal> {
    const answer = await this.#run(['ls-remote', '--quiet', '--', this.#url, ...names], [0]);
    if (answer.outcome === 'refused') return answer;
    const lines = answer.result.stdout.toString('utf8').split('\n');
    const refs = lines.map((line) => line.split('\t')).map(([commit = '', name = '']) => [name, commit] as const);
    return { outcome: 'done', refs: new Map(refs.filter(([name]) => names.includes(name))) };
  }

  /**
   * Makes a commit a branch of the remote, if it is still where `expected` says (`null`: not there). Exit code 1: the
   * remote said no, as `--porcelain` tells.
   *
   * @param how `forward`: the remote's commit must be contained in the new one; `replace`: it need not
   */
  async push(branch: string, commit: string, expected: string | null, how: 'forward' | 'replace'): Promise<Transfer> {
    const ref = `refs/heads/${branch}`;
    const lease = how === 'replace' ? [`--force-with-lease=${ref}:${expected ?? ''}`] : [];
    const flags = ['--porcelain', '--no-verify', '--no-follow-tags', '--recurse-submodules=no', '--no-signed'];
    return await this.#run(['push', ...flags, ...lease, '--', this.#url, `${commit}:${ref}`], [0, 1]);
  }

  /** Asks whether a push would be let in, and sends nothing. */
  async tryPush(branch: string, commit: string): Promise<Transfer> {
    const flags = ['--dry-run', '--porcelain', '--no-verify', '--no-follow-tags', '--recurse-submodules=no'];
    return await this.#run(['push', ...flags, '--', this.#url, `${commit}:refs/heads/${branch}`], [0, 1]);
  }

  /** Brings a branch of the remote into a ref of ours, wherever that was. */
  async fetch(branch: string, into: string): Promise<Transfer> {
    const flags = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--no-recurse-submodules'];
    return await this.#run(['fetch', ...flags, '--', this.#url, `+refs/heads/${branch}:${into}`], [0]);
  }

  get #url(): string {
    return this.#options.access.remote.url;
  }

  async #run(args: readonly string[], allowedExitCodes: readonly number[]): Promise<Transfer> {
    const { signal, pauses = PAUSES } = this.#options;
    for (let tries = 0; ; tries += 1) {
      const ended = await this.#once(args, allowedExitCodes);
      const pause = pauses[tries];
      if (ended.outcome === 'done' || !ended.passing || pause === undefined) return ended;
      await sleep(pause, signal);
    }
  }

  async #once(args: readonly string[], allowedExitCodes: readonly number[]): Promise<Transfer> {
    const { gitDir, signal } = this.#options;
    const limit = AbortSignal.timeout(LIMIT_MS);
    try {
      const options = { ...this.#gitOptions(), gitDir, allowedExitCodes, signal: AbortSignal.any([signal, limit]) };
      const result = await runGit(args, options);
      // With exit code 1 and nothing told of any ref, the push failed before the remote had a say.
      if (result.exitCode === 1 && !/^[ +*=!-]\t/m.test(result.stdout.toString())) return this.#refusal(result.stderr);
      return { outcome: 'done', result };
    } catch (error) {
      signal.throwIfAborted();
      if (limit.aborted) return refused(`${this.#shown} took longer than ${LIMIT_MS / 60_000} minutes`, null, true);
      if (!(error instanceof CommandFailedError)) throw error;
      return this.#refusal(error.facts.stderr);
    }
  }

  #gitOptions(): GitOptions {
    const { access, env } = this.#options;
    const { remote, credential, sshCommand } = access;
    const web = remote.protocol === 'https' || remote.protocol === 'http';
    const network = NETWORK.map((name) => [name, env[name]] as const).filter(([, value]) => value !== undefined);
    return {
      configuration: 'user',
      env: { ...(Object.fromEntries(network) as Record<string, string>), GIT_ALLOW_PROTOCOL: remote.protocol },
      config: {
        'credential.helper': '',
        'push.gpgSign': 'false',
        'push.pushOption': '',
        'http.followRedirects': 'initial',
        'http.lowSpeedLimit': '1',
        'http.lowSpeedTime': '60',
        ...(web && credential !== null
          ? // Only for this host: a redirection elsewhere gets nothing.
            { [`credential.${remote.protocol}://${remote.host}.helper`]: HELPER }
          : {}),
        ...(remote.protocol === 'ssh' && sshCommand !== null ? { 'core.sshCommand': sshCommand } : {}),
      },
      ...(web && credential !== null
        ? { secret: `username=${credential.username}\npassword=${credential.password}\n` }
        : {}),
    };
  }

  get #shown(): string {
    return `remote ${this.#options.access.name} (${this.#url})`;
  }

  /** Puts git's words about a failed transfer into ours. */
  #refusal(stderr: string): RemoteRefusal {
    const { access, env } = this.#options;
    const said = headAndTail(withoutSecret(stderr, access.credential).trim(), 600);
    const { host, credential, remote } = access;
    if (/could not read Username|terminal prompts disabled|Authentication failed|error: 401\b/i.test(said)) {
      const reason =
        credential === null
          ? `${this.#shown} wants a token, and there is none for ${host}`
          : `${this.#shown} does not take the token from ${credential.source}`;
      return refused(reason, tokenHint(host, env, credential), false);
    }
    if (/error: 403\b|Permission to .* denied|access denied/i.test(said)) {
      const hint =
        'Give it the right to write contents (a classic token: the scope "repo"), and the account to push there.';
      return refused(
        `${this.#shown} does not let ${credential?.source ?? 'this account'} do that: ${said}`,
        hint,
        false,
      );
    }
    if (/Permission denied \(|Host key verification failed/i.test(said)) {
      const hint = `Try "ssh -T git@${host}" as the user of the worker; ssh-agent must be reachable from there.`;
      return refused(`ssh could not log in at ${remote.host}: ${said}`, hint, false);
    }
    if (/not found|does not appear to be a git repository|does not exist|error: 404\b/i.test(said)) {
      const hint = `Check the URL ("git remote get-url ${access.name}"), and whether the token may see the repository.`;
      return refused(`${this.#shown} is not there: ${said}`, hint, false);
    }
    return refused(`${this.#shown} could not be reached: ${said}`, null, true);
  }
}

/** A refusal in our words. */
export function refused(reason: string, hint: string | null, passing: boolean): RemoteRefusal {
  return { outcome: 'refused', reason: headAndTail(reason, 1000), hint, passing };
}

/** The refusal that a failure of ours stands for. @throws whatever else it is */
export function refusalOf(error: unknown): RemoteRefusal {
  if (!(error instanceof SignalboxError)) throw error;
  return refused(error.message, error.hint ?? null, error.retryable);
}

/** Waits; ends at once with the signal's reason when it is aborted. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal.addEventListener('abort', abort, { once: true });
  });
}
