import { existsSync, renameSync, statSync } from 'node:fs';

import { destination, pino } from 'pino';

import { homeOf, makePrivateDirectory } from '../activities/home.ts';
import { gatewayLayout } from '../activities/models/gateway-layout.ts';
import { GatewayLedger } from '../activities/models/gateway-ledger.ts';
import { gatewaySecret, keyFingerprint } from '../activities/models/gateway-secret.ts';
import { createGatewayServer } from '../activities/models/gateway-server.ts';
import { readGatewayState, writeGatewayState } from '../activities/models/gateway-state.ts';
import { defaultUpstream, upstreamOf } from '../activities/models/upstream.ts';
import { processStartTime } from '../activities/process-identity.ts';
import { listenOnPort, listenOnSocket } from './gateway-listeners.ts';
import { takeProcessLock } from './gateway-lock.ts';

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
const lock = await takeProcessLock(layout.lock, LOCK_PATIENCE_MS);
if (lock === null) process.exit(0);

const file = destination({ dest: layout.log, mode: 0o600, sync: true });
const log = pino({ base: { pid: process.pid } }, file);
const upstream = upstreamOf(process.env) ?? defaultUpstream();
const secret = gatewaySecret(home);
const fingerprint = keyFingerprint(secret, upstream.apiKey);
const ledger = new GatewayLedger();
const gateway = createGatewayServer({ upstream, secret, ledger, log, status });
const before = readGatewayState(layout);
const listeners = [gateway.listener(), gateway.listener()] as const;
const port = await listenOnPort(listeners[1], before?.port ?? null);
await listenOnSocket(listeners[0], layout);
writeGatewayState(layout, {
  version: 1,
  pid: process.pid,
  started: processStartTime(process.pid),
  socket: layout.socket,
  port,
  upstream: upstream.url,
  keyFingerprint: fingerprint,
});
log.info({ socket: layout.socket, port, upstream: upstream.url, key: upstream.apiKey !== null }, 'listening');
const around = setInterval(lookAround, LOOK_AROUND_MS);
process.once('SIGTERM', () => retire('told to'));
process.once('SIGINT', () => retire('told to'));
// A second signal while it drains is no reason to cut streams; SIGKILL is.
process.on('SIGTERM', () => undefined);

function status(): object {
  return {
    pid: process.pid,
    socket: layout.socket,
    url: `http://127.0.0.1:${port}`,
    upstream: upstream.url,
    keyFingerprint: fingerprint,
    active: gateway.active,
    total: ledger.total,
  };
}

function lookAround(): void {
  if (!existsSync(layout.socket) || readGatewayState(layout)?.pid !== process.pid) {
    process.exit(0);
  }
  if (gateway.active === 0 && Date.now() - gateway.lastUse > IDLE_MS) retire('not used for long');
  if (statSync(layout.log).size > LOG_LIMIT) {
    renameSync(layout.log, `${layout.log}.1`);
    file.reopen();
  }
}

/** Frees the addresses and the lock at once, for the next gateway; stays only for the streams that still run. */
function retire(why: string): void {
  clearInterval(around);
  log.info({ why, active: gateway.active }, 'retiring');
  for (const listener of listeners) {
    listener.close();
    listener.closeIdleConnections();
  }
  lock?.release();
  setTimeout(() => process.exit(0), DRAIN_MS).unref();
  const done = setInterval(() => {
    if (gateway.active > 0) return;
    clearInterval(done);
    process.exit(0);
  }, 50);
}
