import { execFileSync, spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A real git server over HTTP on loopback: `git http-backend` behind Basic authentication. */
export interface GitHttpServer {
  /** `http://127.0.0.1:<port>` */
  url: string;
  host: string;
  /** The bare repository behind `<url>/team/project.git`. */
  gitDir: string;
  /** What was asked, in order: method, path and service, and how it was answered. */
  log: { what: string; status: number }[];
  /** The only password that opens it; `null`: anybody may read and write. */
  password: string | null;
  /** A password that may read only. */
  reader: string | null;
  /** How many of the next packs are cut off after some bytes, and how many answers come too late for the client. */
  cuts: { requests: number; answers: number };
  /** Called when a push is done, before its answer is sent. */
  onPush: (() => Promise<void>) | null;
  /** How long it takes for each answer, milliseconds. */
  delayMs: number;
  close(): Promise<void>;
}

/** Makes a bare repository in `root`, and serves it. */
export async function gitHttpServer(root: string): Promise<GitHttpServer> {
  const gitDir = path.join(root, 'team', 'project.git');
  execFileSync('git', ['init', '-q', '--bare', '-b', 'main', gitDir]);
  execFileSync('git', ['-C', gitDir, 'config', 'http.receivepack', 'true']);
  const server = createServer((request, response) => void handle(request, response));
  const self: GitHttpServer = {
    ...{ url: '', host: '', gitDir, log: [], password: null, reader: null, cuts: { requests: 0, answers: 0 } },
    ...{ delayMs: 0, onPush: null },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const target = new URL(request.url ?? '/', self.url);
    const what = `${request.method ?? ''} ${target.pathname}${target.search}`;
    const writes = what.includes('git-receive-pack');
    const given = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString();
    const password = given.slice(given.indexOf(':') + 1);
    const known = self.password === null || password === self.password || password === self.reader;
    const readsOnly = self.reader !== null && password === self.reader;
    const status = !known ? 401 : writes && readsOnly ? 403 : 200;
    self.log.push({ what, status });
    if (self.delayMs > 0) await sleep(self.delayMs);
    if (status !== 200) {
      request.resume();
      response.writeHead(status, status === 401 ? { 'www-authenticate': 'Basic realm="git"' } : {}).end('no');
      return;
    }
    if (request.method === 'POST' && writes && self.cuts.requests > 0) {
      self.cuts.requests -= 1;
      request.once('data', () => request.socket.destroy());
      return;
    }
    const answer = await backend(request, target);
    if (request.method === 'POST' && writes) await self.onPush?.();
    if (request.method === 'POST' && writes && self.cuts.answers > 0) {
      self.cuts.answers -= 1;
      request.socket.destroy();
      return;
    }
    const end = answer.indexOf('\r\n\r\n');
    const headers = answer.subarray(0, end).toString().split('\r\n');
    for (const header of headers) {
      const [name = '', value = ''] = header.split(/: (.*)/s);
      if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.end(answer.subarray(end + 4));
  };

  const backend = async (request: IncomingMessage, target: URL): Promise<Buffer> => {
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_NOSYSTEM: '1',
        REQUEST_METHOD: request.method,
        PATH_INFO: target.pathname,
        QUERY_STRING: target.search.slice(1),
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: (request.headers['git-protocol'] as string | undefined) ?? '',
        REMOTE_USER: 'user',
        REMOTE_ADDR: '127.0.0.1',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.on('error', () => undefined);
    request.pipe(child.stdin);
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  self.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  self.url = `http://${self.host}`;
  return self;
}
