import { lookup } from 'node:dns/promises';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';

import { connectTarget, isAllowed, type Egress } from '../../core/egress.ts';
import { nameOf } from './ask-upstream.ts';
import type { EgressDecision } from './egress-grant.ts';
import { stepOfToken } from './gateway-secret.ts';

/** Connections that one step may have at once. */
const MOST_TUNNELS = 128;
const CONNECT_MS = 15_000;
/** After so long without a byte, in milliseconds, a connection is closed. */
const IDLE_MS = 5 * 60_000;

/** What the proxy is made of. */
export interface EgressProxyDeps {
  /** The home's secret: tokens are checked with it. */
  secret: Buffer;
  /** What a step may reach. */
  egressOf: (step: string) => Egress;
  /** May a step connect to this address, given the private networks that it is allowed? */
  mayConnect: (address: string, privateNetworks: readonly string[]) => boolean;
  record: (step: string, decision: EgressDecision) => void;
  /** All addresses of a host. Default: what the system's resolver says. */
  resolve?: (host: string) => Promise<string[]>;
}

/** Carries connections of steps to hosts that they may reach. */
export interface EgressProxy {
  /** Serves an HTTP `CONNECT`, whose `Proxy-Authorization` names the step. Answers the socket in any case. */
  connect(incoming: IncomingMessage, socket: Socket, head: Buffer): void;
}

/** A refusal, in words for the step. */
class Refused extends Error {
  readonly status: number;
  /** More of it for the step's log: the step itself need not learn addresses of other networks. */
  readonly detail: string;

  constructor(status: number, reason: string, detail = '') {
    super(reason);
    this.status = status;
    this.detail = detail;
  }
}

/**
 * Makes the proxy. Names are checked first; then every address that the name has now, and the connection goes to one that
 * was checked, so that a name which means something else a moment later changes nothing.
 */
export function createEgressProxy(deps: EgressProxyDeps): EgressProxy {
  const open = new Map<string, number>();
  const resolve = deps.resolve ?? resolveHost;

  async function reach(step: string, asked: string): Promise<Socket> {
    const target = connectTarget(asked);
    if (target === null) throw new Refused(400, 'it names no host and port');
    const { host, port } = target;
    const { allow, private: networks } = deps.egressOf(step);
    if (!isAllowed(allow, host, port)) throw new Refused(403, 'it is not in sandbox.allow');
    if ((open.get(step) ?? 0) > MOST_TUNNELS) throw new Refused(429, `more than ${MOST_TUNNELS} connections at once`);
    const found = await resolve(host).catch((error: unknown) => {
      throw new Refused(502, `its name has no address (${nameOf(error)})`);
    });
    const checked = found.filter((address) => deps.mayConnect(address, networks));
    if (checked.length === 0) throw new Refused(403, 'its address is private, or of this host', found.join(', '));
    let problem = '';
    for (const address of checked) {
      try {
        return await connectTo(address, port);
      } catch (error) {
        problem = nameOf(error);
      }
    }
    throw new Refused(502, `it does not answer (${problem})`);
  }

  async function serve(step: string, asked: string, socket: Socket, head: Buffer): Promise<void> {
    const decide = (reason?: string): void => {
      const decision = { at: new Date().toISOString(), target: asked.slice(0, 300), allowed: reason === undefined };
      deps.record(step, reason === undefined ? decision : { ...decision, reason });
    };
    open.set(step, (open.get(step) ?? 0) + 1);
    let upstream: Socket | null = null;
    try {
      upstream = await reach(step, asked);
      // Where it cannot be written down, nothing is carried.
      decide();
      upstream.once('close', () => leave(step));
      join(socket, upstream);
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      if (head.length > 0) upstream.write(head);
    } catch (error) {
      upstream?.destroy();
      leave(step);
      const refused = error instanceof Refused ? error : new Refused(500, 'the gateway failed', String(error));
      refuse(socket, refused.status, refused.message);
      decide(`${refused.message}${refused.detail === '' ? '' : ` (${refused.detail})`}`);
    }
  }

  function leave(step: string): void {
    const left = (open.get(step) ?? 1) - 1;
    if (left > 0) open.set(step, left);
    else open.delete(step);
  }

  return {
    connect(incoming, socket, head) {
      socket.on('error', () => socket.destroy());
      const token = passwordOf(incoming.headers['proxy-authorization'] ?? '');
      const step = token === null ? null : stepOfToken(deps.secret, token, 'egress');
      if (step === null) {
        // Some clients send the password only when they are asked for it.
        const challenge = token === null ? 'Proxy-Authenticate: Basic realm="signalbox"\r\n' : '';
        refuse(socket, 407, 'no step with this token', challenge);
        return;
      }
      void serve(step, incoming.url ?? '', socket, head).catch(() => socket.destroy());
    },
  };
}

/** Passes on both ways, with the back-pressure of whoever is slower, until both are over. */
function join(socket: Socket, upstream: Socket): void {
  for (const [from, to] of [
    [socket, upstream],
    [upstream, socket],
  ] as const) {
    from.pipe(to);
    from.setTimeout(IDLE_MS, () => from.destroy());
    from.on('close', () => to.destroy());
    from.on('error', () => to.destroy());
  }
  if (socket.destroyed) upstream.destroy();
}

async function connectTo(address: string, port: number): Promise<Socket> {
  const socket = connect({ host: address, port, timeout: CONNECT_MS, allowHalfOpen: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
      socket.once('timeout', () => reject(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })));
    });
    return socket.setTimeout(0);
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throw error;
  }
}

async function resolveHost(host: string): Promise<string[]> {
  return (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);
}

function refuse(socket: Socket, status: number, reason: string, headers = ''): void {
  const text = `signalbox: the connection is refused: ${reason}\n`;
  const length = `Content-Length: ${Buffer.byteLength(text)}\r\nContent-Type: text/plain\r\nConnection: close\r\n`;
  socket.end(`HTTP/1.1 ${status} Refused\r\n${headers}${length}\r\n${text}`);
}

/** The password of HTTP's basic authentication; `null` where there is none. */
function passwordOf(header: string): string | null {
  const encoded = /^Basic +([A-Za-z0-9+/=_-]+)$/i.exec(header)?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  return text.includes(':') ? text.slice(text.indexOf(':') + 1) : null;
}
