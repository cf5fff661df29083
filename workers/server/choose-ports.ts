import { SignalboxError } from '../../core/failures.ts';
import { freePort, isPortFree, LOOPBACK, portHolder } from './ports.ts';
import { type ServerState } from './server-state.ts';

const DEFAULT_GRPC_PORT = 7233;
const DEFAULT_UI_PORT = 8233;

/** The ports that were asked for; what is missing is chosen. */
export interface AskedPorts {
  port?: number;
  uiPort?: number;
}

/**
 * Chooses the server's ports: those asked for, else those it had last (so that clients find it again), else Temporal's
 * usual ones, else free ones.
 *
 * @throws SignalboxError `environment` when a port that was asked for is taken, with its holder's name if it is known
 */
export async function choosePorts(
  asked: AskedPorts,
  last: ServerState | null,
  onProgress: (text: string) => void,
): Promise<{ grpc: number; ui: number }> {
  const grpc = await choose('gRPC', asked.port, [last?.grpcPort, DEFAULT_GRPC_PORT], null, onProgress);
  const ui = await choose('Web UI', asked.uiPort, [last?.uiPort, DEFAULT_UI_PORT], grpc, onProgress);
  return { grpc, ui };
}

async function choose(
  what: string,
  asked: number | undefined,
  preferred: readonly (number | undefined)[],
  other: number | null,
  onProgress: (text: string) => void,
): Promise<number> {
  if (asked !== undefined) {
    if (asked !== other && (await isPortFree(asked))) return asked;
    throw new SignalboxError('environment', `port ${asked} for the ${what} is taken${await holder(asked)}`, {
      hint: 'Stop what uses it, or choose another port.',
    });
  }
  for (const port of preferred) {
    if (port === undefined || port === other) continue;
    if (await isPortFree(port)) return port;
    onProgress(`Port ${port} on ${LOOPBACK} is taken${await holder(port)}; the ${what} gets another one`);
  }
  return await freePort();
}

async function holder(port: number): Promise<string> {
  const name = await portHolder(port);
  return name === null ? '' : ` by ${name}`;
}
