import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { stepOwner } from '../../core/ids.ts';
import type { Usage } from '../../core/usage.ts';
import type { EgressProxy } from './egress-proxy.ts';
import { FairGate } from './fair-gate.ts';
import { forward } from './forward.ts';
import { sendGatewayError } from './gateway-error.ts';
import type { GatewayLedger } from './gateway-ledger.ts';
import { ownerToken, sameText, stepOfToken } from './gateway-secret.ts';
import { RequestBodies } from './request-body.ts';
import type { Provider, Upstream } from './upstream.ts';

/** What the gateway tells its log: names, numbers and addresses, never a header or a body. */
export interface GatewayLog {
  info(facts: Record<string, unknown>, message: string): void;
  warn(facts: Record<string, unknown>, message: string): void;
}

/** Says what a step may spend. See `BudgetGuard`. */
export interface SpendingGuard {
  refusal(step: string): string | null;
  counted(step: string, used: Usage, model: string): void;
}

/** What the gateway is made of. */
export interface GatewayServerDeps {
  upstreams: Readonly<Record<Provider, Upstream>>;
  /** The home's secret: tokens are checked with it. */
  secret: Buffer;
  ledger: GatewayLedger;
  guard: SpendingGuard;
  /** Carries what steps send to hosts that they may reach. */
  egress: EgressProxy;
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

/** Where the requests of each kind come in. */
const PREFIXES: Readonly<Record<Provider, string>> = { openai: '/v1/', anthropic: '/anthropic/v1/' };

/** Makes the gateway: what comes in below a prefix of `PREFIXES` with a step's token goes upstream, the rest is refused. */
export function createGatewayServer(deps: GatewayServerDeps): GatewayServer {
  const gates: Readonly<Record<Provider, FairGate>> = { openai: new FairGate(), anthropic: new FairGate() };
  const bodies = new RequestBodies();
  let active = 0;
  let lastUse = Date.now();

  async function forwarded(
    step: string,
    provider: Provider,
    path: string,
    incoming: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const started = Date.now();
    active += 1;
    lastUse = started;
    deps.ledger.request(step);
    const facts = { step, provider, method: incoming.method, path: path.split('?')[0] };
    deps.log.info(facts, 'request');
    try {
      const { status, usage, tries, problem } = await forward({
        upstream: deps.upstreams[provider],
        path,
        task: taskOf(step),
        gate: gates[provider],
        bodies,
        incoming,
        response,
        onUsage: (used, model) => counted(step, used, model),
        refusal: () => refusalOf(step),
      });
      const said = { ...facts, status, ms: Date.now() - started, ...(tries > 1 && { tries }), ...tokensOf(usage) };
      if (problem === null) deps.log.info(said, 'response');
      else deps.log.warn({ ...said, problem }, 'response');
    } finally {
      active -= 1;
      lastUse = Date.now();
    }
  }

  function refusalOf(step: string): string | null {
    const why = deps.guard.refusal(step);
    if (why === null) return null;
    try {
      deps.ledger.refused(step, why);
    } catch (error) {
      deps.log.warn({ step, error: String(error) }, 'the refusal could not be kept');
    }
    return why;
  }

  function counted(step: string, used: Usage, model: string): void {
    try {
      deps.guard.counted(step, used, model);
      deps.ledger.response(step, used, model);
    } catch (error) {
      // A full disk is no reason to cut an answer that is paid for.
      deps.log.warn({ step, error: String(error) }, 'the count could not be kept');
    }
  }

  function handle(incoming: IncomingMessage, response: ServerResponse): void {
    const url = URL.parse(incoming.url ?? '', 'http://gateway');
    const token = tokenOf(incoming);
    if (/^[a-z]+:/i.test(incoming.url ?? '')) {
      // What a proxy is asked for without CONNECT, which is http: in clear, to whoever answers.
      incoming.resume();
      sendGatewayError(response, 403, 'no_plain_http', 'the gateway reaches allowed hosts by https only');
      return;
    }
    if (url?.pathname.startsWith('/signalbox/') === true) {
      owner(url, token, incoming, response);
      return;
    }
    const provider = (['openai', 'anthropic'] as const).find((name) => url?.pathname.startsWith(PREFIXES[name]));
    if (url === null || provider === undefined) {
      sendGatewayError(response, 404, 'not_found', 'the model gateway forwards /v1/ and /anthropic/v1/ only');
      return;
    }
    const step = token === null ? null : stepOfToken(deps.secret, token);
    if (step === null) {
      sendGatewayError(response, 401, 'invalid_step_token', 'the model gateway knows no step with this token');
      return;
    }
    const path = `/${url.pathname.slice(PREFIXES[provider].length)}${url.search}`;
    forwarded(step, provider, path, incoming, response).catch((error: unknown) => {
      deps.log.warn({ step, error: String(error) }, 'forwarding failed');
      if (response.headersSent) response.destroy();
      else sendGatewayError(response, 500, 'gateway_error', 'the model gateway failed; its log says why');
    });
  }

  function owner(url: URL, token: string | null, incoming: IncomingMessage, response: ServerResponse): void {
    incoming.resume();
    if (token === null || !sameText(token, ownerToken(deps.secret))) {
      sendGatewayError(response, 401, 'not_the_owner', 'this page is for Signalbox itself');
      return;
    }
    const pages: Record<string, () => object> = {
      '/signalbox/status': deps.status,
      '/signalbox/usage': () => deps.ledger.of(url.searchParams.get('step') ?? ''),
    };
    const page = pages[url.pathname];
    if (page === undefined) {
      sendGatewayError(response, 404, 'not_found', 'no such page');
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
      server.on('connect', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
        lastUse = Date.now();
        deps.egress.connect(incoming, socket, head);
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

/** A step's token, where the clients of OpenAI's API put their keys, or where those of Anthropic's do. */
function tokenOf({ headers }: IncomingMessage): string | null {
  const key = headers['x-api-key'];
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? (typeof key === 'string' ? key : null);
}

/** Whose requests wait in one queue: those of a task. */
function taskOf(step: string): string {
  const owner = stepOwner(step);
  return owner === null ? step : [owner.project, owner.run, owner.task].join('..');
}

function tokensOf(usage: Usage): Record<string, number> {
  const { input_tokens, cached_input_tokens, output_tokens } = usage;
  return { input_tokens, cached_input_tokens, output_tokens };
}
