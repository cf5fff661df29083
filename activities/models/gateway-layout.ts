import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';

import { SignalboxError } from '../../core/failures.ts';
import { makePrivateDirectory, type Home } from '../home.ts';

/** The longest path that a Unix socket may have on every system we know (macOS: 104 bytes with the final zero). */
const LONGEST_SOCKET_PATH = 103;

/** Where a socket goes whose path in the home is too long: the same for every process, whatever its environment. */
const SHORT = '/tmp';

/** A socket in a container belongs to this user when the gateway is root, since no step may be root. */
export const SANDBOX_UID = 65532;

/** Where the gateway of a home keeps what. */
export interface GatewayLayout {
  /** Mode 0700; holds everything but, where the path is too long, the socket. */
  directory: string;
  /** Address and identity of the gateway that runs, or ran last. */
  state: string;
  log: string;
  /** Locked by the process that is the gateway, for as long as it lives. */
  lock: string;
  /** The secret that step tokens are made with. */
  secret: string;
  /** What was counted, a directory for each step. See `GatewayLedger`. */
  usage: string;
  /** What steps may spend, by project and run. See `Budget`. */
  budgets: string;
  /** A login at ChatGPT, where there is one: the `CODEX_HOME` of `codex login`. */
  login: string;
  /** Holds the socket and nothing else: it is what a sidecar gets to see. */
  socketDirectory: string;
  socket: string;
}

/** The layout for a home. Reads and writes nothing. */
export function gatewayLayout(home: Home): GatewayLayout {
  const below = (name: string): string => path.join(home.gateway, name);
  const near = below('socket');
  const fits = Buffer.byteLength(path.join(near, 'gateway.sock')) <= LONGEST_SOCKET_PATH;
  const socketDirectory = fits ? near : path.join(SHORT, `signalbox-${userInfo().uid}-${digest(home.gateway)}`);
  return {
    directory: home.gateway,
    state: below('gateway.json'),
    log: below('gateway.log'),
    lock: below('gateway.lock'),
    secret: below('secret'),
    usage: below('usage'),
    budgets: below('budgets'),
    login: below('login'),
    socketDirectory,
    socket: path.join(socketDirectory, 'gateway.sock'),
  };
}

/**
 * Makes the socket's directory, private.
 *
 * @throws SignalboxError `environment` when somebody else's directory, or no directory, is in its place
 */
export function makeSocketDirectory(layout: GatewayLayout): void {
  makePrivateDirectory(layout.directory);
  mkdirSync(layout.socketDirectory, { recursive: true, mode: 0o700 });
  const found = lstatSync(layout.socketDirectory);
  const uid = userInfo().uid;
  const inHome = layout.socketDirectory.startsWith(layout.directory);
  const ours = found.uid === uid || (uid === 0 && (inHome || found.uid === SANDBOX_UID));
  if (!found.isDirectory() || !ours) {
    const hint = `Look who made it and remove it, or set SIGNALBOX_HOME to a shorter path.`;
    throw new SignalboxError('environment', `${layout.socketDirectory} is not a directory of this user`, { hint });
  }
  chmodSync(layout.socketDirectory, 0o700);
}

function digest(directory: string): string {
  return createHash('sha256').update(path.resolve(directory)).digest('hex').slice(0, 16);
}
