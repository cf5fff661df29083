import { connect } from 'node:net';

import { Connection, type ConnectionOptions } from '@temporalio/client';

import { SignalboxError } from '../../core/failures.ts';

/** How long gRPC may try where a plain connection is refused, milliseconds; through a proxy it may succeed. */
const AGAINST_REFUSAL = 1000;

/**
 * Connects to a Temporal server and asks it for its version, so that what comes back is known to work.
 *
 * @param timeout milliseconds in which it must answer
 * @throws SignalboxError `environment` when it does not answer, or refuses
 */
export async function connectTemporal(options: ConnectionOptions, timeout = 5000): Promise<Connection> {
  const address = options.address ?? '127.0.0.1:7233';
  let connection: Connection | null = null;
  try {
    const lazy = Connection.lazy({ ...options, connectTimeout: timeout });
    connection = lazy;
    // gRPC itself would try a closed port again until its time is over.
    const patience = (await networkProblem(address, timeout)) === null ? timeout : Math.min(timeout, AGAINST_REFUSAL);
    await lazy.withDeadline(Date.now() + patience, () => lazy.workflowService.getSystemInfo({}));
    return lazy;
  } catch (error) {
    await connection?.close().catch(() => undefined);
    const reason = (await networkProblem(address, timeout)) ?? reasonOf(error);
    throw new SignalboxError('environment', `Temporal at ${address} does not answer: ${reason}`, {
      hint: 'Start that server or correct the address (TEMPORAL_ADDRESS or the profile in Temporal’s configuration).',
      retryable: true,
      cause: error,
    });
  }
}

/** What keeps a plain connection from being made: gRPC itself says only that time ran out. */
async function networkProblem(address: string, timeout: number): Promise<string | null> {
  const [, host, port] = /^\[?([^\]/]+?)\]?:(\d+)$/.exec(address) ?? [];
  if (host === undefined) return null;
  const socket = connect({ host, port: Number(port), timeout });
  try {
    return await new Promise<string | null>((resolve) => {
      socket.once('connect', () => resolve(null));
      socket.once('timeout', () => resolve(`no connection within ${timeout / 1000} s`));
      socket.once('error', ({ message }) => resolve(message));
    });
  } finally {
    socket.destroy();
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'details' in error && typeof error.details === 'string' && error.details !== ''
    ? error.details
    : error.message;
}
