import { Client } from '@temporalio/client';
import { homeOf, hostId } from '../activities/home.ts';
import { environmentRedactor } from '../activities/redaction/environment-secrets.ts';
import { dataConverters } from './data-converters.ts';
import { untilIdle } from './idle-exit.ts';
import { resumeInterrupted } from './runs/resume-interrupted.ts';
import { connectTemporal } from './server/reach.ts';
import { webUiLink } from './server/web-ui-link.ts';
import { findTarget } from './session.ts';
import { maxAgents } from './max-agents.ts';
import { snapshotBounds } from './snapshots.ts';
import { startWorker } from './worker.ts';

/** What {@link work} is given. */
export interface WorkRequest {
  env: Readonly<Record<string, string | undefined>>;
  /** End when nothing has needed a worker for so many milliseconds; `null`: never by itself. */
  idleMs: number | null;
  /** How many agents it lets work at once; else what the environment says. */
  maxAgents?: number | undefined;
  /** Aborting it lets go of all steps and ends the worker. */
  signal: AbortSignal;
  onProgress: (text: string) => void;
}

/** Is a worker until it is interrupted, or idle for long enough. @returns the id of this host */
export async function work({ env, idleMs, signal, onProgress, ...request }: WorkRequest): Promise<string> {
  const agents = request.maxAgents ?? maxAgents(env);
  // Refused before anything runs.
  snapshotBounds(env);
  const home = homeOf(env);
  const target = await findTarget(home, { env, startServer: true, onProgress });
  const connection = await connectTemporal(target.connection);
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
      connection: target.connection,
      namespace: target.namespace,
      maxAgents: agents,
      webUi: (workflowId) => webUiLink(target, workflowId),
      onProgress,
    });
    onProgress(
      `Worker of host ${worker.host} on ${target.address}, namespace ${target.namespace}. Ctrl+C ends it; agents go on.`,
    );
    const over = new AbortController();
    const ending = AbortSignal.any([signal, over.signal]);
    const leaving =
      idleMs === null
        ? new Promise<void>((resolve) => ending.addEventListener('abort', () => resolve(), { once: true }))
        : untilIdle(client, idleMs, ending).then(() => {
            if (!ending.aborted) onProgress('No run is open; this worker ends.');
          });
    void leaving.then(() => worker.shutdown());
    try {
      await worker.run();
    } finally {
      over.abort();
    }
    return worker.host;
  } finally {
    await connection.close().catch(() => undefined);
  }
}
