import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { BUDGET_SPENT } from '../../core/agent-errors.ts';
import { SignalboxError } from '../../core/failures.ts';
import { NO_USAGE, type Usage } from '../../core/usage.ts';
import { askUpstream, isRefusedConnection, nameOf } from './ask-upstream.ts';
import { GateBusy, type FairGate, type Pass } from './fair-gate.ts';
import { downstreamHeaders } from './forwarded-headers.ts';
import { sendGatewayError } from './gateway-error.ts';
import type { RequestBodies, RequestBody } from './request-body.ts';
import type { Upstream } from './upstream.ts';
import { UsageTap, type OnUsage } from './usage-tap.ts';

/** How a forwarded request went. */
export interface Forwarded {
  /** The status that the sandbox got; 499 when it left before there was one. */
  status: number;
  usage: Usage;
  /** How often the upstream was asked. */
  tries: number;
  /** What went wrong on the way, in one short sentence without secrets; `null` if nothing did. */
  problem: string | null;
}

/** A request of a step, and what there is to know about it. */
export interface Exchange {
  upstream: Upstream;
  /** Path and query below the upstream's base. */
  path: string;
  /** Whose turn it is to wait where requests have to wait. */
  task: string;
  gate: FairGate;
  bodies: RequestBodies;
  incoming: IncomingMessage;
  response: ServerResponse;
  onUsage: OnUsage;
  /** Why the step may not ask, or `null`. Looked at whenever it could. */
  refusal: () => string | null;
}

/** How often the upstream is asked for one request, before its refusal is passed on: the agent tries again, too. */
const MOST_TRIES = 3;
/** Before the next try where no connection could be made, in milliseconds; doubled each time. */
const AGAIN_MS = 200;
/** Of an error's body. */
const LONGEST_ERROR = 256 * 1024;

/** Refusals of the upstream which say that it did nothing: too many requests, unavailable, overloaded. */
const DID_NOTHING = [429, 503, 529];
const NO_QUOTA = /insufficient_quota|usage_limit|billing|credit balance/;

/**
 * Sends a request on and its answer back, as it comes, with the back-pressure of whoever is slower. What the upstream
 * certainly did not begin to answer is asked again, a few times. When the sandbox leaves, the upstream request is aborted;
 * when the upstream breaks off, so does the answer.
 */
export async function forward(exchange: Exchange): Promise<Forwarded> {
  const { incoming, response } = exchange;
  const leaving = new AbortController();
  const left = (): void => {
    if (!response.writableFinished) leaving.abort(new Error('the sandbox left'));
  };
  response.on('close', left);
  try {
    return await exchange.bodies.with(incoming, async (body) => {
      for (let tries = 1; ; tries += 1) {
        const forwarded = await attempt(exchange, body, tries, leaving.signal);
        if (forwarded !== null) return forwarded;
      }
    });
  } catch (error) {
    if (!leaving.signal.aborted && !incoming.destroyed) throw error;
    return { status: 499, usage: { ...NO_USAGE }, tries: 0, problem: 'the sandbox left' };
  } finally {
    response.off('close', left);
  }
}

/** Asks once. @returns `null`: ask again */
async function attempt(
  exchange: Exchange,
  body: RequestBody,
  tries: number,
  signal: AbortSignal,
): Promise<Forwarded | null> {
  const refused = refuse(exchange, tries);
  if (refused !== null) return refused;
  let pass: Pass;
  try {
    pass = await exchange.gate.enter(exchange.task, signal);
  } catch (error) {
    if (!(error instanceof GateBusy)) throw error;
    const headers = { 'retry-after': error.retryAfter };
    return refusedWith(exchange, tries, 429, 'rate_limit_exceeded', `rate limit: ${error.message}`, headers);
  }
  try {
    // While it waited, others of its run may have spent what was left.
    return refuse(exchange, tries) ?? (await ask(exchange, body, tries, pass, signal));
  } finally {
    pass.leave();
  }
}

async function ask(
  exchange: Exchange,
  body: RequestBody,
  tries: number,
  pass: Pass,
  signal: AbortSignal,
): Promise<Forwarded | null> {
  const { upstream, incoming, response } = exchange;
  const again = !body.more && tries < MOST_TRIES;
  let address: Awaited<ReturnType<Upstream['address']>>;
  try {
    address = await upstream.address();
  } catch (error) {
    if (!(error instanceof SignalboxError)) throw error;
    return refusedWith(exchange, tries, 401, 'invalid_login', error.message);
  }
  const { url, headers } = address;
  const target = new URL(`${url}${exchange.path}`);
  let answer: IncomingMessage;
  try {
    answer = await askUpstream({ target, credentials: headers, incoming, body, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (again && isRefusedConnection(error)) {
      await sleep(AGAIN_MS * 2 ** (tries - 1), undefined, { signal });
      return null;
    }
    const problem = `the model gateway could not reach ${target.host}: ${nameOf(error)}`;
    return refusedWith(exchange, tries, 502, 'upstream_unreachable', problem);
  }
  const status = answer.statusCode ?? 502;
  if (status === 401 && again && (await isRenewed(upstream, headers))) {
    answer.destroy();
    return null;
  }
  if (DID_NOTHING.includes(status)) {
    const text = await readError(answer);
    const quota = status === 429 && NO_QUOTA.test(text.toString('latin1'));
    if (!quota) pass.heard(status, answer.headers);
    if (again && !quota) return null;
    response.writeHead(status, { ...downstreamHeaders(answer.headers), 'content-length': text.length });
    response.end(text);
    return { status, usage: { ...NO_USAGE }, tries, problem: null };
  }
  pass.heard(status, answer.headers);
  return { status, tries, ...(await passOn(answer, response, exchange.onUsage)) };
}

async function isRenewed(upstream: Upstream, refused: Readonly<Record<string, string>>): Promise<boolean> {
  try {
    return (await upstream.renew?.(refused)) ?? false;
  } catch {
    // The upstream's own refusal says what is wrong.
    return false;
  }
}

async function passOn(
  answer: IncomingMessage,
  response: ServerResponse,
  onUsage: OnUsage,
): Promise<Pick<Forwarded, 'usage' | 'problem'>> {
  const tap = new UsageTap(answer.headers['content-type'] ?? '', onUsage);
  answer.on('data', (chunk: Buffer) => tap.push(chunk));
  answer.on('end', () => tap.end());
  response.writeHead(answer.statusCode ?? 502, downstreamHeaders(answer.headers));
  // What came with the head goes on with it: a packet less, and a wake-up of the sandbox.
  if (answer.readableLength === 0) response.flushHeaders();
  try {
    await pipeline(answer, response);
    return { usage: tap.end(), problem: null };
  } catch (error) {
    const left = answer.complete || nameOf(error) === 'ERR_STREAM_PREMATURE_CLOSE';
    const problem = left ? 'the sandbox left' : `the answer broke off: ${nameOf(error)}`;
    return { usage: tap.end(), problem };
  }
}

/** The refusal of a request that is beyond a budget. With status 400, clients show the body, and do not try again. */
function refuse(exchange: Exchange, tries: number): Forwarded | null {
  const why = exchange.refusal();
  return why === null ? null : refusedWith(exchange, tries, 400, BUDGET_SPENT, why);
}

function refusedWith(
  { incoming, response }: Exchange,
  tries: number,
  status: number,
  code: string,
  problem: string,
  headers: Record<string, number> = {},
): Forwarded {
  // The connection is used again only when all of the request was read.
  incoming.resume();
  sendGatewayError(response, status, code, problem, headers);
  return { status, usage: { ...NO_USAGE }, tries, problem };
}

async function readError(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of answer) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > LONGEST_ERROR) break;
    }
  } catch {
    // Its status says enough.
  }
  return Buffer.concat(chunks);
}
