import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { Usage } from '../../core/usage.ts';
import { forward } from './forward.ts';
import type { GatewayLedger } from './gateway-ledger.ts';
import { ownerToken, sameText, stepOfToken } from './gateway-secret.ts';
import { sendOpenAiError } from './openai-error.ts';
import type { Upstream } from './upstream.ts';

/** What the gateway tells its log: names, numbers and addresses, never a header or a body. */
export interface GatewayLog {
  info(facts: Record<string, unknown>, message: string): void;
  warn(facts: Record<string, unknown>, message: string): void;
}

/** What the gateway is made of. */
export interface GatewayServerDeps {
  upstream: Upstream;
  /** The home's secret: tokens are checked with it. */
  secret: Buffer;
  ledger: GatewayLedger;
  log: GatewayLog;
  /** Answers `GET /signalbox/status` for Signalbox itself. */
  status: () => object;
}

/** The HTTP side of the gateway, not yet listening: one server for each address, over one ledger. */
export interface GatewayServer {
  /** Makes a server to listen on one more address. */
  listener(): Server;
  /** Requests that are being forwarded right now. */
  readonly active: number;
  /** When the last request came in or ended, in milliseconds of the epoch. */
  readonly lastUse: number;
}

/** Makes the gateway: `/v1/…` with a step's token goes upstream, everything else is refused. */
export function createGatewayServer(deps: GatewayServerDeps): GatewayServer {
  let active = 0;
  let lastUse = Date.now();

  async function forwarded(
    step: string,
    target: URL,
    incoming: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const started = Date.now();
    active += 1;
    lastUse = started;
    deps.ledger.request(step);
    const facts = { step, method: incoming.method, path: target.pathname };
    deps.log.info(facts, 'request');
    try {
      const { apiKey } = deps.upstream;
      const onUsage = (used: Usage, model: string): void => counted(step, used, model);
      const { status, usage, problem } = await forward({ target, apiKey, incoming, response, onUsage });
      const said = { ...facts, status, ms: Date.now() - started, ...tokensOf(usage) };
      if (problem === null) deps.log.info(said, 'response');
      else deps.log.warn({ ...said, problem }, 'response');
    } finally {
      active -= 1;
      lastUse = Date.now();
    }
  }

  function counted(step: string, used: Usage, model: string): void {
    try {
      deps.ledger.response(step, used, model);
    } catch (error) {
      // A full disk is no reason to cut an answer that is paid for.
      deps.log.warn({ step, error: String(error) }, 'the count could not be kept');
    }
  }

  function handle(incoming: IncomingMessage, response: ServerResponse): void {
    const url = URL.parse(incoming.url ?? '', 'http://gateway');
    const token = bearerToken(incoming);
    if (url?.pathname.startsWith('/signalbox/') === true) {
      owner(url, token, incoming, response);
    } else if (url?.pathname.startsWith('/v1/') !== true) {
      sendOpenAiError(response, 404, 'not_found', 'the model gateway forwards /v1/ only');
    } else {
      const step = token === null ? null : stepOfToken(deps.secret, token);
      if (step === null) {
        sendOpenAiError(response, 401, 'invalid_step_token', 'the model gateway knows no step with this token');
        return;
      }
      const target = new URL(`${deps.upstream.url}${url.pathname.slice('/v1'.length)}${url.search}`);
      forwarded(step, target, incoming, response).catch((error: unknown) => {
        deps.log.warn({ step, error: String(error) }, 'forwarding failed');
        response.destroy();
      });
    }
  }

  function owner(url: URL, token: string | null, incoming: IncomingMessage, response: ServerResponse): void {
    incoming.resume();
    if (token === null || !sameText(token, ownerToken(deps.secret))) {
      sendOpenAiError(response, 401, 'not_the_owner', 'this page is for Signalbox itself');
      return;
    }
    const pages: Record<string, () => object> = {
      '/signalbox/status': deps.status,
      '/signalbox/usage': () => deps.ledger.of(url.searchParams.get('step') ?? ''),
    };
    const page = pages[url.pathname];
    if (page === undefined) {
      sendOpenAiError(response, 404, 'not_found', 'no such page');
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(page()));
  }

  return {
    listener() {
      const server = createServer(handle);
      // At once, so that Codex falls back to plain HTTP without losing time.
      server.on('upgrade', (_incoming, socket: Socket) => {
        socket.on('error', () => socket.destroy());
        socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      });
      return server;
    },
    get active() {
      return active;
    },
    get lastUse() {
      return lastUse;
    },
  };
}

function bearerToken(incoming: IncomingMessage): string | null {
  return /^Bearer +(\S+)$/i.exec(incoming.headers.authorization ?? '')?.[1] ?? null;
}

function tokensOf(usage: Usage): Record<string, number> {
  const { input_tokens, cached_input_tokens, output_tokens } = usage;
  return { input_tokens, cached_input_tokens, output_tokens };
}
