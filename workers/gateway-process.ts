import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { headAndTail, SignalboxError } from '../core/failures.ts';
import { makePrivateDirectory, type Home } from '../activities/home.ts';
import { askGatewayStatus, type GatewayReply } from '../activities/models/gateway-client.ts';
import { gatewayLayout } from '../activities/models/gateway-layout.ts';
import { endpointsFingerprint, gatewaySecret } from '../activities/models/gateway-secret.ts';
import { readGatewayState } from '../activities/models/gateway-state.ts';
import { endpointsOf } from '../activities/models/upstream.ts';
import { isSameProcess, processStartTime } from '../activities/process-identity.ts';

/** A gateway that answers. */
export interface Gateway {
  pid: number;
  /** Its Unix socket, alone in a directory that may be mounted into a sidecar. */
  socket: string;
  /** Its address for the local backend, such as `http://127.0.0.1:4711`. */
  url: string;
  /** The API that it forwards to. */
  upstream: string;
}

const START_MS = 20_000;
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TZ', 'OPENAI_BASE_URL', 'OPENAI_API_KEY', 'CODEX_API_KEY'];
const PASSED_ON_MORE = [
  'ANTHROPIC_BASE_URL',
  'ANTHROPIC_API_KEY',
  'SIGNALBOX_CHATGPT_URL',
  'CODEX_REFRESH_TOKEN_URL_OVERRIDE',
];
const PASSED_ON_NETWORK = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/** The gateway of a home, if one answers. */
export async function gatewayStatus(home: Home): Promise<Gateway | null> {
  const reply = await askGatewayStatus(home, gatewayLayout(home).socket);
  return reply === null ? null : gatewayOf(reply);
}

/**
 * Starts the home's gateway, in a process of its own, unless it runs. One that runs with another upstream or key than
 * `env` names is replaced at the same address, and its streams run to their end; an `env` that names neither is content
 * with the one that runs. Safe to call from several processes at once.
 *
 * @throws SignalboxError `environment` when it does not start, with the end of its log; `config` for a bad base URL
 */
export async function ensureGateway(options: {
  home: Home;
  env: Readonly<Record<string, string | undefined>>;
  onProgress?: (message: string) => void;
}): Promise<Gateway> {
  const { home, env, onProgress } = options;
  const wanted = endpointsOf(env);
  const secret = gatewaySecret(home);
  const fits = (reply: GatewayReply): boolean =>
    wanted === null || reply.keyFingerprint === endpointsFingerprint(secret, wanted);
  const layout = gatewayLayout(home);
  const until = performance.now() + START_MS;
  const started: { child: ChildProcess | null; problem: string | null } = { child: null, problem: null };
  while (performance.now() < until && started.problem === null) {
    const reply = await askGatewayStatus(home, layout.socket);
    if (reply !== null && fits(reply)) {
      // Ours may still wait for the lock of somebody else's, to take its place much later.
      if (started.child?.pid !== reply.pid) started.child?.kill();
      return gatewayOf(reply);
    }
    if (started.child === null) {
      if (reply !== null) onProgress?.('Restarting the model gateway: its upstream or key changed.');
      else onProgress?.('Starting the model gateway.');
      await clearTheWay(home, reply);
      const child = start(home, env);
      started.child = child;
      child.once('error', (error) => (started.problem = error.message));
      child.once('exit', (code, signal) => {
        // Exit code 0: another one was quicker. If that one does not fit, it is replaced in the next round.
        if (code === 0) started.child = null;
        else started.problem = `its process ended with ${signal ?? `exit code ${String(code)}`}`;
      });
    }
    await sleep(20);
  }
  started.child?.kill('SIGKILL');
  const said = logTail(layout.log);
  throw new SignalboxError('environment', `the model gateway did not start: ${started.problem ?? 'no answer'}${said}`, {
    hint: `Its log is ${layout.log}.`,
    retryable: true,
  });
}

/** Ends the home's gateway, and with it the streams that it carries. Resolves when it is gone; false: none ran. */
export async function stopGateway(home: Home): Promise<boolean> {
  const layout = gatewayLayout(home);
  const reply = await askGatewayStatus(home, layout.socket);
  const state = readGatewayState(layout);
  const recorded = state !== null && isSameProcess(state.pid, state.started) ? state.pid : null;
  const pid = reply?.pid ?? recorded;
  if (pid === null) return false;
  await end(pid, 2_000);
  rmSync(layout.socket, { force: true });
  return true;
}

function gatewayOf(reply: GatewayReply): Gateway {
  return { pid: reply.pid, socket: reply.socket, url: reply.url, upstream: reply.upstream };
}

/** Asks the one that runs to leave its address; ends one that is there but does not answer. */
async function clearTheWay(home: Home, reply: GatewayReply | null): Promise<void> {
  if (reply !== null) {
    send(reply.pid, 'SIGTERM');
    return;
  }
  const layout = gatewayLayout(home);
  const state = readGatewayState(layout);
  if (state !== null && isSameProcess(state.pid, state.started)) await end(state.pid, 1_000);
}

function start(home: Home, env: Readonly<Record<string, string | undefined>>): ChildProcess {
  const layout = gatewayLayout(home);
  makePrivateDirectory(layout.directory);
  const log = openSync(layout.log, 'a', 0o600);
  try {
    const entry = path.join(import.meta.dirname, `gateway${path.extname(import.meta.filename)}`);
    const child = spawn(process.execPath, [entry], {
      cwd: '/',
      detached: true,
      env: { ...gatewayEnvironment(env), SIGNALBOX_HOME: home.root },
      stdio: ['ignore', log, log],
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

function gatewayEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const names = [
    ...PASSED_ON,
    ...PASSED_ON_MORE,
    ...PASSED_ON_NETWORK,
    ...PASSED_ON_NETWORK.map((name) => name.toLowerCase()),
  ];
  const kept = Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  return { ...kept, NODE_USE_ENV_PROXY: '1' };
}

async function end(pid: number, patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs;
  send(pid, 'SIGTERM');
  while (processStartTime(pid) !== null) {
    if (performance.now() >= until) send(pid, 'SIGKILL');
    await sleep(20);
  }
}

function send(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already, which is what is wanted.
  }
}

function logTail(file: string): string {
  try {
    const text = readFileSync(file, 'utf8').trimEnd().slice(-2000);
    return text === '' ? '' : `:\n${headAndTail(text, 1000)}`;
  } catch {
    return '';
  }
}
