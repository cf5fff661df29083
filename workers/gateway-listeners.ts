import { once } from 'node:events';
import { chmodSync, chownSync, rmSync, statSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';

import { makeSocketDirectory, SANDBOX_UID, type GatewayLayout } from '../activities/models/gateway-layout.ts';

/** Listens on the gateway's socket, which only this user can open, or for root the user that steps run as. */
export async function listenOnSocket(server: Server, layout: GatewayLayout): Promise<void> {
  makeSocketDirectory(layout);
  // Whoever holds the gateway's lock is the only one to listen, so a socket that is there is a leftover.
  rmSync(layout.socket, { force: true });
  server.listen(layout.socket);
  await once(server, 'listening');
  chmodSync(layout.socket, 0o600);
  if (userInfo().uid !== 0) return;
  // A sandbox whose processes are somebody else may have given the directory to that user: the next socket is for it too.
  const { uid, gid } = statSync(layout.socketDirectory);
  const owner = uid === 0 ? { uid: SANDBOX_UID, gid: SANDBOX_UID } : { uid, gid };
  for (const place of [layout.socket, layout.socketDirectory]) chownSync(place, owner.uid, owner.gid);
}

/**
 * Listens on a port of 127.0.0.1: the one that it had before, so that steps which still run find the gateway again;
 * another one where that is taken. Returns the port.
 */
export async function listenOnPort(server: Server, before: number | null): Promise<number> {
  for (const port of before === null ? [0] : [before, 0]) {
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      break;
    } catch (error) {
      if (port === 0) throw error;
    }
  }
  return (server.address() as AddressInfo).port;
}
