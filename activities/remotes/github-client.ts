import { Octokit } from '@octokit/core';
import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import type { Endpoints } from '@octokit/types';
import { headAndTail } from '../../core/failures.ts';
import type { RemoteRefusal } from '../../core/remote.ts';
import { apiUrl } from '../../core/remote-host.ts';
import { isLoopback } from '../../core/remote-url.ts';
import { refused } from './git-remote.ts';
import { isAbsence, isLimit, statusOf, wordsOf } from './github-errors.ts';
import { tokenHint, type RemoteAccess } from './remote-access.ts';
import { withoutSecret } from './token.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** How often a request is tried again where that may help, and the longest wait for a limit, in seconds. */
const TRIES = 3;
const LONGEST_WAIT = 60;

/** Answers that say what no later try changes. 405 and 409 are those of a merge. */
const FINAL = [304, 400, 401, 403, 404, 405, 409, 410, 415, 422, 451];

/** Most answers that are kept to ask whether they changed. */
const MOST_KEPT = 2000;

/** What {@link GitHubClient} is made of. */
export interface GitHubClientOptions {
  access: RemoteAccess;
  env: Env;
  /** The unit of the pauses between tries, milliseconds. By default 1000; then requests that change something are paced, too. */
  unitMs?: number;
}

/** A repository on GitHub, as its REST API knows it. Errors become {@link RemoteRefusal}s by {@link explain}. */
export class GitHubClient {
  readonly repository: { owner: string; repo: string };
  readonly #access: RemoteAccess;
  readonly #env: Env;
  readonly #octokit: Octokit;
  readonly #kept = new Map<string, { etag: string; data: unknown }>();

  private constructor(options: GitHubClientOptions, repository: { owner: string; repo: string }, baseUrl: string) {
    const { access, env, unitMs = 1000 } = options;
    const Client = Octokit.plugin(retry, throttling);
    const quiet = (): void => undefined;
    const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const again = (after: number, _request: unknown, _octokit: unknown, tries: number): boolean =>
      tries < TRIES && after <= LONGEST_WAIT;
    this.repository = repository;
    this.#access = access;
    this.#env = env;
    this.#octokit = new Client({
      auth: access.credential?.password,
      baseUrl,
      userAgent: 'signalbox',
      log,
      request: { fetch: boundedFetch, log },
      retry: { retries: TRIES, retryAfterBaseValue: unitMs, doNotRetry: FINAL },
      throttle: {
        enabled: unitMs >= 1000,
        id: `${baseUrl}/${repository.owner}/${repository.repo}`,
        onRateLimit: again,
        onSecondaryRateLimit: again,
      },
    });
  }

  /** A client for a remote, or why there cannot be one. */
  static of(options: GitHubClientOptions): GitHubClient | RemoteRefusal {
    const { access, env } = options;
    const { remote, host, credential, name } = access;
    if (remote.repository === null || host === '') {
      return refused(`remote ${name} (${remote.url}) is no repository on GitHub`, 'Use push: branch.', false);
    }
    if (credential === null) {
      return refused(`pull requests on ${host} want a token, and there is none`, tokenHint(host, env, null), false);
    }
    const baseUrl = apiUrl(host, env);
    const plain = /^http:\/\/([^/]*)/i.exec(baseUrl)?.[1];
    if (plain !== undefined && !isLoopback(plain)) {
      return refused(`the API of ${host} is reached by plain http, which anybody can read`, 'Use https.', false);
    }
    const { owner, name: repo } = remote.repository;
    return new GitHubClient(options, { owner, repo }, baseUrl);
  }

  /** One request. @throws octokit's RequestError, for {@link explain} */
  async request<R extends keyof Endpoints>(
    route: R,
    parameters: Omit<Endpoints[R]['parameters'], 'owner' | 'repo' | 'baseUrl' | 'headers'>,
    signal?: AbortSignal,
  ): Promise<Endpoints[R]['response']['data']> {
    return (await this.#send(route, parameters, {}, signal)).data;
  }

  /** Reads what was read before; if nothing changed since, that costs nothing of GitHub's limit. */
  async read<R extends keyof Endpoints>(
    route: R,
    parameters: Omit<Endpoints[R]['parameters'], 'owner' | 'repo' | 'baseUrl' | 'headers'>,
    signal?: AbortSignal,
  ): Promise<Endpoints[R]['response']['data']> {
    const key = `${route} ${JSON.stringify(parameters)}`;
    const kept = this.#kept.get(key);
    try {
      const headers = kept === undefined ? {} : { 'if-none-match': kept.etag };
      const { data, headers: answered } = await this.#send(route, parameters, headers, signal);
      this.#kept.delete(key);
      if (answered.etag !== undefined) this.#kept.set(key, { etag: answered.etag, data });
      const [oldest] = this.#kept.keys();
      if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
      return data;
    } catch (error) {
      if (kept === undefined || statusOf(error) !== 304) throw error;
      return kept.data;
    }
  }

  /** {@link read}, `null` where there is no such thing, or the token may not see it, or the account's plan has none. */
  async readIfThere<R extends keyof Endpoints>(
    route: R,
    parameters: Omit<Endpoints[R]['parameters'], 'owner' | 'repo' | 'baseUrl' | 'headers'>,
    signal?: AbortSignal,
  ): Promise<Endpoints[R]['response']['data'] | null> {
    try {
      return await this.read(route, parameters, signal);
    } catch (error) {
      if (isAbsence(error)) return null;
      throw error;
    }
  }

  /** Reads a text, which GitHub may keep on another host: that one is not shown the token. `null` as {@link readIfThere}. */
  async readText(route: keyof Endpoints, parameters: object, signal?: AbortSignal): Promise<string | null> {
    try {
      const { data } = await this.#send(route, parameters, {}, signal);
      return typeof data === 'string' ? data : null;
    } catch (error) {
      if (isAbsence(error)) return null;
      throw error;
    }
  }

  /** What the REST API has no word for. */
  async mutate(query: string, variables: Readonly<Record<string, string>>): Promise<void> {
    await this.#octokit.graphql(query, variables);
  }

  async #send(
    route: keyof Endpoints,
    parameters: object,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<{ data: unknown; headers: { etag?: string } }> {
    signal?.throwIfAborted();
    const asked = this.#octokit.request(route as string, { ...this.repository, ...parameters, headers }) as Promise<{
      data: unknown;
      headers: { etag?: string };
    }>;
    return signal === undefined ? await asked : await Promise.race([asked, aborted(asked, signal)]);
  }

  /** Does `work`; what GitHub says against it becomes a refusal. @param what the work, as in "could not …" */
  async explain<T>(what: string, work: () => Promise<T>): Promise<T | RemoteRefusal> {
    try {
      return await work();
    } catch (error) {
      const status = statusOf(error);
      if (status === null) throw error;
      return this.#refusal(what, status, error);
    }
  }

  #refusal(what: string, status: number, error: unknown): RemoteRefusal {
    const { host, credential, remote } = this.#access;
    const said = headAndTail(withoutSecret(wordsOf(error), credential), 600);
    if (isLimit(error)) {
      return refused(`${host} limits how much is asked: could not ${what} (${said})`, null, true);
    }
    if (status === 401) {
      return refused(
        `${host} does not take the token from ${credential?.source ?? 'nowhere'}: could not ${what}`,
        tokenHint(host, this.#env, credential),
        false,
      );
    }
    if (status === 403) {
      const hint =
        'Give it the rights to write contents and pull requests, and to read checks (a classic token: the scope "repo").';
      return refused(`the token from ${credential?.source ?? 'nowhere'} may not ${what}: ${said}`, hint, false);
    }
    if (status === 404) {
      const hint = `Check the URL of the remote (${remote.url}), and whether the token may see that repository.`;
      return refused(`could not ${what}: ${host} shows no such thing to the token`, hint, false);
    }
    if (status >= 500 || status === 409) return refused(`could not ${what}: ${said}`, null, true);
    return refused(`could not ${what}: ${host} said ${status}: ${said}`, 'Mend what it says.', false);
  }
}

/** A request that gets no answer within half a minute counts as cut. */
async function boundedFetch(url: string, options: RequestInit): Promise<Response> {
  return await fetch(url, { ...options, signal: AbortSignal.timeout(30_000) });
}

/** Rejects when the signal is aborted: octokit would try the request again. */
async function aborted(asked: Promise<unknown>, signal: AbortSignal): Promise<never> {
  asked.catch(() => undefined);
  return await new Promise((_, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    void asked.then(
      () => signal.removeEventListener('abort', abort),
      () => signal.removeEventListener('abort', abort),
    );
  });
}
