import { randomUUID } from 'node:crypto';
import { existsSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { destination, pino } from 'pino';

import { homeOf, makePrivateDirectory } from '../activities/home.ts';
import { BudgetGuard } from '../activities/models/budget-guard.ts';
import { CHATGPT_URL, ChatGptLogin, TOKEN_URL } from '../activities/models/chatgpt-login.ts';
import { mayConnect } from '../activities/models/egress-addresses.ts';
import { egressOf, recordDecision } from '../activities/models/egress-grant.ts';
import { createEgressProxy } from '../activities/models/egress-proxy.ts';
import { gatewayLayout } from '../activities/models/gateway-layout.ts';
import { GatewayLedger } from '../activities/models/gateway-ledger.ts';
import { endpointsFingerprint, gatewaySecret } from '../activities/models/gateway-secret.ts';
import { createGatewayServer, type GatewayServer } from '../activities/models/gateway-server.ts';
import { readGatewayState, writeGatewayState } from '../activities/models/gateway-state.ts';
import {
  defaultEndpoints,
  endpointsOf,
  keyedUpstream,
  wantsLogin,
  type Endpoints,
  type Upstream,
} from '../activities/models/upstream.ts';
import { processStartTime } from '../activities/process-identity.ts';
import { environmentRedactor } from '../activities/redaction/environment-secrets.ts';
import { withProcessLock } from '../activities/process-lock.ts';
import { listenOnPort, listenOnSocket } from './gateway-listeners.ts';

/**
 * The process that is the model gateway of a home (`SIGNALBOX_HOME`). It outlives the workers. It ends on SIGTERM,
 * after the streams that it carries, when its files are gone, or when nobody used it for long; the next one takes
 * its addresses over. A second one leaves at once, with exit code 0.
 */
const LOCK_PATIENCE_MS = 2_000;
const LOOK_AROUND_MS = 2_000;
const IDLE_MS = 12 * 60 * 60 * 1000;
const DRAIN_MS = 10 * 60 * 1000;
const LOG_LIMIT = 16 * 1024 * 1024;

process.umask(0o077);
const home = homeOf(process.env);
const layout = gatewayLayout(home);
makePrivateDirectory(layout.directory);
try {
  const gateway = await withProcessLock(layout.lock, serve, { signal: AbortSignal.timeout(LOCK_PATIENCE_MS) });
  await drained(gateway);
} catch (error) {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error;
}
process.exit(0);

/** Serves until it is time to go, and frees the addresses. Requests may still be under way then. */
async function serve(): Promise<GatewayServer> {
  const file = destination({ dest: layout.log, mode: 0o600, sync: true });
  const redactor = environmentRedactor(process.env);
  const hooks = { streamWrite: (line: string): string => redactor.text(line) };
  const log = pino({ base: { pid: process.pid }, hooks }, file);
  const endpoints = endpointsOf(process.env) ?? defaultEndpoints();
  const secret = gatewaySecret(home);
  const fingerprint = endpointsFingerprint(secret, endpoints);
  const ledger = new GatewayLedger(layout.usage, randomUUID());
  ledger.prune();
  const upstream = endpoints.openai.url;
  const gateway = createGatewayServer({
    upstreams: {
      openai: openaiUpstream(endpoints),
      anthropic: keyedUpstream('anthropic', endpoints.anthropic),
    },
    secret,
    ledger,
    guard: new BudgetGuard(home, ledger),
    egress: createEgressProxy({
      secret,
      mayConnect,
      egressOf: (step) => egressOf(home, step),
      record: (step, decision) => {
        log.info({ step, ...decision }, 'connection');
        recordDecision(home, step, decision);
      },
    }),
    log,
    status,
  });
  const [onSocket, onPort] = [gateway.listener(), gateway.listener()];
  const port = await listenOnPort(onPort, readGatewayState(layout)?.port ?? null);
  await listenOnSocket(onSocket, layout);
  writeGatewayState(layout, {
    version: 1,
    pid: process.pid,
    started: processStartTime(process.pid),
    socket: layout.socket,
    port,
    upstream,
    keyFingerprint: fingerprint,
  });
  log.info({ socket: layout.socket, port, upstream, key: endpoints.openai.apiKey !== null }, 'listening');
  const why = await timeToGo(gateway, file);
  log.info({ why, active: gateway.active }, 'retiring');
  for (const listener of [onSocket, onPort]) {
    listener.close();
    listener.closeIdleConnections();
  }
  return gateway;

  function status(): object {
    return {
      pid: process.pid,
      socket: layout.socket,
      url: `http://127.0.0.1:${port}`,
      upstream,
      keyFingerprint: fingerprint,
      active: gateway.active,
      total: ledger.total,
    };
  }
}

function openaiUpstream(endpoints: Endpoints): Upstream {
  const keyed = keyedUpstream('openai', endpoints.openai);
  if (!wantsLogin(endpoints)) return keyed;
  return new ChatGptLogin({
    file: path.join(layout.login, 'auth.json'),
    otherwise: keyed,
    url: process.env['SIGNALBOX_CHATGPT_URL'] || CHATGPT_URL,
    tokenUrl: process.env['CODEX_REFRESH_TOKEN_URL_OVERRIDE'] || TOKEN_URL,
  });
}

/** Resolves with the reason to retire; ends the process when the home is gone. Looks after the log meanwhile. */
async function timeToGo(gateway: GatewayServer, file: ReturnType<typeof destination>): Promise<string> {
  // Kept for the whole life: a second signal while streams run to their end must not cut them.
  const told = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(`got ${signal}`));
  });
  for (;;) {
    const why = await Promise.race([told, sleep(LOOK_AROUND_MS, null)]);
    if (why !== null) return why;
    if (!existsSync(layout.socket) || readGatewayState(layout)?.pid !== process.pid) process.exit(0);
    if (gateway.active === 0 && Date.now() - gateway.lastUse > IDLE_MS) return 'not used for long';
    if (statSync(layout.log).size > LOG_LIMIT) {
      renameSync(layout.log, `${layout.log}.1`);
      file.reopen();
    }
  }
}

async function drained(gateway: GatewayServer): Promise<void> {
  const until = Date.now() + DRAIN_MS;
  while (gateway.active > 0 && Date.now() < until) await sleep(50);
}
