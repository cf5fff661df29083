import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

import { execa } from 'execa';

/** The address that the embedded server listens on, and nowhere else. */
export const LOOPBACK = '127.0.0.1';

/** Whether a port of the loopback address can be listened on now. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await listenOnce(port)) !== null;
}

/** A port of the loopback address that is free now. */
export async function freePort(): Promise<number> {
  const port = await listenOnce(0);
  if (port === null) throw new RangeError('no port is free on the loopback address');
  return port;
}

/** The process that listens on a port, or `null` when this cannot be found out. */
export async function listenerOn(port: number): Promise<number | null> {
  return process.platform === 'linux' ? holderFromProc(port) : await holderFromLsof(port);
}

/** Says who listens on a port, such as `nginx (pid 812)`, or `null` when this cannot be found out. */
export async function portHolder(port: number): Promise<string | null> {
  const pid = await listenerOn(port);
  if (pid === null) return null;
  const { stdout, failed } = await execa('ps', ['-o', 'comm=', '-p', String(pid)], { reject: false });
  return failed || stdout.trim() === '' ? `pid ${pid}` : `${stdout.trim()} (pid ${pid})`;
}

async function listenOnce(port: number): Promise<number | null> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once('error', () => resolve(null));
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : null;
      server.close(() => resolve(bound));
    });
  });
}

function holderFromProc(port: number): number | null {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = new Set<string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readLines(file)) {
      const fields = line.trim().split(/\s+/);
      // 0A is the state LISTEN; field 9 is the socket's inode.
      if (fields[1]?.endsWith(suffix) && fields[3] === '0A' && fields[9]) sockets.add(`socket:[${fields[9]}]`);
    }
  }
  if (sockets.size === 0) return null;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        if (sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`))) return Number(pid);
      }
    } catch {
      // Another user's process, or one that just ended.
    }
  }
  return null;
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').split('\n').slice(1);
  } catch {
    return [];
  }
}

async function holderFromLsof(port: number): Promise<number | null> {
  const { stdout, failed } = await execa('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t'], { reject: false });
  const pid = failed ? 0 : Number(stdout.split('\n')[0]);
  return Number.isInteger(pid) && pid > 0 ? pid : null;
}
