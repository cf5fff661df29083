import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { components } from '@octokit/openapi-types';
import { GitHubState, Refusal } from './github-state.ts';

/** An answer that takes the place of the next one. */
export interface Fault {
  /** By default any request. */
  when?: RegExp;
  /** `cut`: the line breaks; `late`: it is done, and then the line breaks. */
  answer: { status: number; headers?: Record<string, string>; message?: string } | 'cut' | 'late';
  /** For `late`: what happens before the line breaks. */
  meanwhile?: () => Promise<void>;
}

/** A stand-in for GitHub's REST API on loopback. */
export interface GitHubServer {
  /** For `GITHUB_API_URL`. */
  url: string;
  state: GitHubState;
  token: string;
  /** Method, path and status of each request. */
  log: { what: string; status: number }[];
  faults: Fault[];
  /** The tokens that the host of logs was shown. */
  storeSaw: (string | null)[];
  close(): Promise<void>;
}

const DOCS = 'https://docs.github.com/rest';
const REPO = '/repos/team/project';

/** Serves a state that begins without requests. */
export async function gitHubServer(gitDir: string, token: string): Promise<GitHubServer> {
  const state = new GitHubState(gitDir);
  const server = createServer((request, response) => void handle(request, response));
  const self: GitHubServer = {
    ...{ url: '', state, token, log: [], faults: [], storeSaw: [] },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const target = new URL(request.url ?? '/', 'http://localhost');
    const what = `${request.method ?? ''} ${decodeURIComponent(target.pathname)}`;
    const body = chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
    const job = /^GET .*\/(?:jobs|log-store)\/(\d+)/.exec(what)?.[1];
    if (job !== undefined) {
      serveLog(request, response, what, Number(job));
      return;
    }
    const fault = takeFault(what);
    const send = (status: number, data: unknown, headers: Record<string, string> = {}): void => {
      const text = JSON.stringify(data);
      const etag = `"${createHash('sha256').update(text).digest('hex').slice(0, 20)}"`;
      const same = request.method === 'GET' && status === 200 && request.headers['if-none-match'] === etag;
      self.log.push({ what, status: same ? 304 : status });
      response.writeHead(same ? 304 : status, { 'content-type': 'application/json; charset=utf-8', etag, ...headers });
      response.end(same ? undefined : text);
    };
    const answers = fault?.answer;
    if (answers === 'cut') {
      self.log.push({ what, status: 0 });
      request.socket.destroy();
      return;
    }
    if (answers !== undefined && answers !== 'late') {
      send(answers.status, { message: answers.message ?? 'a fault', documentation_url: DOCS }, answers.headers);
      return;
    }
    if (
      ![`token ${self.token}`, `bearer ${self.token}`, `Bearer ${self.token}`].includes(
        request.headers.authorization ?? '',
      )
    ) {
      send(401, { message: 'Bad credentials', documentation_url: DOCS });
      return;
    }
    try {
      const [status, data] = answer(state, what, target.searchParams, body);
      if (answers === 'late') {
        await fault?.meanwhile?.();
        self.log.push({ what, status: 0 });
        request.socket.destroy();
        return;
      }
      send(status, data);
    } catch (error) {
      if (error instanceof Refusal) send(error.status, { message: error.message, documentation_url: DOCS });
      else send(500, { message: String(error) });
    }
  };

  /** Logs lie on another host, which the first one sends to. */
  const serveLog = (request: IncomingMessage, response: ServerResponse, what: string, job: number): void => {
    const log = state.logs.get(job);
    const stored = what.includes('/log-store/');
    if (stored) self.storeSaw.push(request.headers.authorization ?? null);
    const status = log === undefined ? 404 : stored ? 200 : 302;
    self.log.push({ what, status });
    const location = `${self.url.replace('127.0.0.1', 'localhost')}/log-store/${job}`;
    response.writeHead(status, status === 302 ? { location } : { 'content-type': 'text/plain' });
    response.end(status === 200 ? log : undefined);
  };

  const takeFault = (what: string): Fault | null => {
    const index = self.faults.findIndex(({ when }) => when === undefined || when.test(what));
    const [fault] = index === -1 ? [] : self.faults.splice(index, 1);
    return fault ?? null;
  };

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  self.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return self;
}

type Body = Record<string, unknown>;

/** A part of what GitHub says that it answers: a name that it does not know, or another type, is no valid program. */
type Part<T> = T extends readonly (infer Item)[]
  ? Part<Item>[]
  : T extends object
    ? { [Key in keyof T]?: Part<T[Key]> }
    : T;

function told<Name extends keyof components['schemas']>(data: Part<components['schemas'][Name]>): unknown {
  return data;
}

function answer(state: GitHubState, what: string, query: URLSearchParams, body: Body): [number, unknown] {
  if (what === 'POST /graphql') return [200, graphql(state, body)];
  if (!what.includes(` ${REPO}`)) throw new Refusal(404, 'Not Found');
  const [method = '', path = ''] = what.split(` ${REPO}`);
  const number = Number(/^\/(?:pulls|issues|check-runs)\/(\d+)/.exec(path)?.[1] ?? 0);
  const commit = /^\/commits\/([0-9a-f]+)\//.exec(path)?.[1] ?? '';
  const strings = (key: string): string[] => (body[key] as string[] | undefined) ?? [];
  const route = `${method} ${path.replace(/^(\/(?:pulls|issues|check-runs))\/\d+/, '$1/N').replace(commit || '\0', 'C')}`;
  switch (route) {
    case 'GET ':
      return [200, told<'full-repository'>({ archived: false, permissions: { push: state.canPush } })];
    case 'GET /pulls': {
      const head = (query.get('head') ?? '').replace(/^team:/, '');
      const found = state.pulls.filter((pull) => pull.head === head && pull.open === (query.get('state') === 'open'));
      return [200, found.map((pull) => state.view(pull))];
    }
    case 'POST /pulls':
      return [201, state.open(body as unknown as Parameters<GitHubState['open']>[0])];
    case 'GET /pulls/N':
      return [200, state.view(state.pull(number))];
    case 'PATCH /pulls/N':
      Object.assign(state.pull(number), body);
      return [200, state.view(state.pull(number))];
    case 'PUT /pulls/N/merge': {
      const message = `${String(body['commit_title'])}\n\n${String(body['commit_message'])}`;
      const method = body['merge_method'] as 'merge' | 'squash';
      const sha = state.merge(number, 'signalbox-bot', { sha: String(body['sha']), method, message });
      return [
        200,
        told<'pull-request-merge-result'>({ sha, merged: true, message: 'Pull Request successfully merged' }),
      ];
    }
    case 'POST /pulls/N/requested_reviewers':
      state.askReviewers(number, [...strings('reviewers'), ...strings('team_reviewers')]);
      return [201, state.view(state.pull(number))];
    case 'GET /issues/N': {
      const { by, merge } = state.pull(number);
      return [200, told<'issue'>({ number, closed_by: by === null || merge !== null ? null : { login: by } })];
    }
    case 'POST /issues/N/labels': {
      const pull = state.pull(number);
      pull.labels = [...new Set([...pull.labels, ...strings('labels')])];
      return [200, pull.labels.map((name) => told<'label'>({ name }))];
    }
    case 'GET /commits/C/check-runs': {
      const runs = state.runs.get(commit) ?? [];
      const from = (Number(query.get('page') ?? 1) - 1) * Number(query.get('per_page') ?? 30);
      return [
        200,
        { total_count: runs.length, check_runs: runs.slice(from, from + Number(query.get('per_page') ?? 30)) },
      ];
    }
    case 'GET /commits/C/status':
      return [200, told<'combined-commit-status'>({ sha: commit, statuses: state.statuses.get(commit) ?? [] })];
    case 'GET /check-runs/N/annotations':
      return [200, state.notes.get(number) ?? []];
    case 'GET /branches/main':
      return [
        200,
        told<'branch-with-protection'>({
          name: 'main',
          protection: { required_status_checks: { contexts: state.required } },
        }),
      ];
    case 'GET /rules/branches/main': {
      const checks = state.ruled.map((context) => ({ context }));
      const parameters = { required_status_checks: checks };
      return [200, [told<'repository-rule-required-status-checks'>({ type: 'required_status_checks', parameters })]];
    }
    case 'GET /git/ref/heads/main':
      return [
        200,
        told<'git-ref'>({ ref: 'refs/heads/main', object: { type: 'commit', sha: state.tip('main') ?? '' } }),
      ];
    default:
      throw new Refusal(404, `Not Found: ${route}`);
  }
}

function graphql(state: GitHubState, body: Body): unknown {
  const { id } = body['variables'] as { id: string };
  if (!String(body['query']).includes('markPullRequestReadyForReview')) {
    return { data: null, errors: [{ message: 'unknown mutation' }] };
  }
  state.ready(Number(id.replace('PR_', '')));
  return { data: { markPullRequestReadyForReview: { pullRequest: { isDraft: false } } } };
}
