import { Client } from '@temporalio/client';
import { homeOf, hostId } from '../activities/home.ts';
import { environmentRedactor } from '../activities/redaction/environment-secrets.ts';
import type { SignalboxError } from '../core/failures.ts';
import { dataConverters } from './data-converters.ts';
import { embeddedServer } from './embedded.ts';
import { untilIdle } from './idle-exit.ts';
import { resumeInterrupted } from './runs/resume-interrupted.ts';
import { KnownServer } from './server/known-server.ts';
import { webUiLink } from './server/web-ui-link.ts';
import { findTarget } from './session.ts';
import { maxAgents } from './max-agents.ts';
import { snapshotBounds } from './snapshots.ts';
import { untilServerLost } from './until-server-lost.ts';
import { startWorker } from './worker.ts';

/** A server that is away for so many idle times is not coming back. */
const AWAY_FACTOR = 10;

/** What {@link work} is given. */
export interface WorkRequest {
  env: Readonly<Record<string, string | undefined>>;
  /**
   * End when nothing has needed a worker for so many milliseconds, or the server has been away for ten times as long;
   * `null`: by itself only when another server is where it was.
   */
  idleMs: number | null;
  /** How many agents it lets work at once; else what the environment says. */
  maxAgents?: number | undefined;
  /** Aborting it lets go of all steps and ends the worker. */
  signal: AbortSignal;
  onProgress: (text: string) => void;
}

/**
 * Is a worker until it is interrupted, or idle for long enough.
 *
 * @returns the id of this host
 * @throws SignalboxError `environment` when its server is lost: see {@link untilServerLost}
 */
export async function work({ env, idleMs, signal, onProgress, ...request }: WorkRequest): Promise<string> {
  const agents = request.maxAgents ?? maxAgents(env);
  // Refused before anything runs.
  snapshotBounds(env);
  const home = homeOf(env);
  const target = await findTarget(home, { env, startServer: true, onProgress });
  const server = await KnownServer.at(target);
  const connection = await server.connect();
  const dataConverter = dataConverters(home, env, environmentRedactor(env)).client;
  const client = new Client({ connection, namespace: target.namespace, dataConverter });
  try {
    // A worker in the background is started for one run, and has no say about others.
    if (idleMs === null) {
      for (const run of await resumeInterrupted(client, hostId(home))) onProgress(`Run ${run} goes on.`);
    }
    const worker = await startWorker({
      home,
      env,
      server,
      maxAgents: agents,
      webUi: (workflowId) => webUiLink(target, workflowId),
      onProgress,
    });
    onProgress(
      `Worker of host ${worker.host} on ${target.address}, namespace ${target.namespace}. Ctrl+C ends it; agents go on.`,
    );
    const over = new AbortController();
    const ending = AbortSignal.any([signal, over.signal]);
    const embedded = target.kind === 'embedded' ? embeddedServer(env, onProgress) : null;
    let failure = null as SignalboxError | null;
    void untilServerLost(server, {
      awayMs: idleMs === null ? null : AWAY_FACTOR * idleMs,
      addressNow: () => embedded?.status().address ?? null,
      signal: ending,
    }).then((lost) => {
      failure = lost;
      over.abort();
    });
    if (idleMs !== null) {
      void untilIdle(client, idleMs, ending).then(() => {
        if (!ending.aborted) onProgress('No run is open; this worker ends.');
        over.abort();
      });
    }
    const running = worker.run();
    const leave = (): void => worker.shutdown();
    if (ending.aborted) leave();
    else ending.addEventListener('abort', leave, { once: true });
    try {
      await running;
    } finally {
      over.abort();
    }
    if (failure !== null) throw failure;
    return worker.host;
  } finally {
    await connection.close().catch(() => undefined);
    await server.close();
  }
}
