import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answer, graphqlAnswer } from './github-answers.ts';
import { called, problemsOfAnswer, problemsOfRequest, recording, type Called } from './github-contract.ts';
import { GitHubState, Refusal } from './github-state.ts';

/** Another answer. */
export interface Replaced {
  status: number;
  headers?: Record<string, string>;
  message?: string;
  /** By default that of an error with this message. */
  body?: unknown;
  /** It was recorded, so that nothing has to vouch for it; old ones lack what came later. */
  recorded?: boolean;
}

/** An answer that takes the place of the next one. */
export interface Fault {
  /** By default any request. */
  when?: RegExp;
  /** `cut`: the line breaks; `late`: it is done, and then the line breaks. */
  answer: Replaced | 'cut' | 'late';
  /** For `late`: what happens before the line breaks. */
  meanwhile?: () => Promise<void>;
}

/**
 * A stand-in for GitHub's API on loopback. Every request to it, and every answer of it, is held to GitHub's own description
 * of the operation, and its answers are recorded ones with the state's part in place of what was recorded.
 */
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
  /** What was asked or answered otherwise than GitHub has it. */
  problems: string[];
  /** @throws if there are problems */
  close(): Promise<void>;
}

const DOCS = 'https://docs.github.com/rest';
const REPO = '/repos/team/project';
const HEADERS = { 'content-type': 'application/json; charset=utf-8', 'x-ratelimit-remaining': '4999' };

type Sent = Readonly<Record<string, unknown>>;

/** The answer that was recorded under this name, in place of the next one. */
export function replayed(name: string): Replaced {
  const { status, headers, body } = recording(name);
  return { status, headers: { ...headers }, body, recorded: true };
}

/** Serves a state that begins without requests. */
export async function gitHubServer(gitDir: string, token: string): Promise<GitHubServer> {
  const state = new GitHubState(gitDir);
  const server = createServer((request, response) => void handle(request, response));
  const self: GitHubServer = {
    ...{ url: '', state, token, log: [], faults: [], storeSaw: [], problems: [] },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      if (self.problems.length > 0) throw new Error(`not as GitHub has it:\n${[...new Set(self.problems)].join('\n')}`);
    },
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const target = new URL(request.url ?? '/', 'http://localhost');
    const pathname = target.pathname.replace(/^\/repositories\/\d+/, REPO);
    const what = `${request.method ?? ''} ${decodeURIComponent(pathname)}`;
    const sent = chunks.length === 0 ? null : (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
    const operation = called(request.method ?? '', pathname);
    if (operation !== null) self.problems.push(...problemsOfRequest(operation, target.searchParams, sent));
    const fault = takeFault(what);
    const job = /^GET .*\/(?:jobs|log-store)\/(\d+)/.exec(what)?.[1];
    if (job !== undefined && fault === null) {
      serveLog(request, response, what, Number(job));
      return;
    }
    const send = (status: number, data: unknown, headers: Record<string, string> = {}): void => {
      const isRecorded = typeof fault?.answer === 'object' && fault.answer.recorded === true;
      if (operation !== null && !isRecorded) self.problems.push(...problemsOfAnswer(operation.route, status, data));
      const text = JSON.stringify(data);
      const etag = `W/"${createHash('sha256').update(text).digest('hex')}"`;
      const same = request.method === 'GET' && status === 200 && request.headers['if-none-match'] === etag;
      self.log.push({ what, status: same ? 304 : status });
      response.writeHead(same ? 304 : status, { ...HEADERS, etag, ...headers });
      response.end(same ? undefined : text);
    };
    const cut = (): void => {
      self.log.push({ what, status: 0 });
      request.socket.destroy();
    };
    const refuse = (status: number, message: string, more: object = {}): void =>
      send(status, { message, documentation_url: DOCS, status: String(status), ...more });
    const replaces = fault?.answer;
    if (replaces === 'cut') {
      cut();
      return;
    }
    if (replaces !== undefined && replaces !== 'late') {
      const { status, headers, message = 'a fault', body } = replaces;
      send(status, body ?? { message, documentation_url: DOCS, status: String(status) }, headers);
      return;
    }
    if (!isOurs(request.headers.authorization)) {
      refuse(401, 'Bad credentials');
      return;
    }
    try {
      const [status, data] = decide(what, operation, target.searchParams, sent ?? {});
      if (replaces === 'late') {
        await fault?.meanwhile?.();
        cut();
        return;
      }
      send(status, data);
    } catch (error) {
      if (error instanceof Refusal) refuse(error.status, error.message, error.errors ? { errors: error.errors } : {});
      else {
        self.problems.push(`${what}: ${String(error)}`);
        refuse(500, String(error));
      }
    }
  };

  const isOurs = (authorization = ''): boolean => /^(?:token|bearer) (.*)$/i.exec(authorization)?.[1] === self.token;

  const decide = (what: string, operation: Called | null, query: URLSearchParams, body: Sent): [number, unknown] => {
    if (what === 'POST /graphql') {
      const { result, problems } = graphqlAnswer(state, body as { query: string; variables?: object });
      self.problems.push(...problems);
      return [200, result];
    }
    if (operation === null) throw new Error(`there is no operation ${what}`);
    if (!what.includes(` ${REPO}`)) throw new Refusal(404, 'Not Found');
    return answer(state, { ...operation, query, body });
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
